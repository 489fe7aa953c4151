"""How many training sequences a sequence model needs to learn to track a state.

The package measures, for any sequence model, the smallest training set with which it solves a state-tracking task
(N*, ``min_train_size``). It follows *On the "Induction Bias" in Sequence Models* (arXiv 2602.18333).

From Python::

    import ib_bench

    found = ib_bench.search("LSTM", ib_bench.data.ModularAddition(modulus=3, max_length=4), search={"max_size": 61})
    print(found.min_train_size, found.verdict)
    ib_bench.read("ib_bench.sqlite")["search"].to_pandas()

The functions are defined in ``ib_bench/runner``: ``api.py``, ``api_suites.py``, ``api_scores.py`` and ``results.py``.
"""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # python -m ib_bench would import typing from the working folder, if it has a file of that name
if TYPE_CHECKING:
    from typing import Any

    from ib_bench.runner.api import check, curve, extrapolate, growth, measure, search, sharing
    from ib_bench.runner.api_scores import score
    from ib_bench.runner.api_suites import run
    from ib_bench.runner.results import read

__version__ = "0.3.0"

__all__ = ["check", "curve", "extrapolate", "growth", "measure", "read", "run", "score", "search", "sharing"]


def __getattr__(name: str) -> Any:
    """The public functions, and the packages of classes, imported when they are first used: most of them load torch."""
    if name in ("data", "models", "tasks"):
        return importlib.import_module(f"ib_bench.{name}")
    if name not in __all__:
        raise AttributeError(f"module 'ib_bench' has no attribute {name!r}")
    module = {"read": "results", "run": "api_suites", "score": "api_scores"}.get(name, "api")
    return getattr(importlib.import_module(f"ib_bench.runner.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
