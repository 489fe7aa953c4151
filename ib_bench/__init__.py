"""How many training sequences a sequence model needs to learn to track a state.

The package measures, for any sequence model, the smallest training set with which it solves a state-tracking task
(N*, ``min_train_size``). It follows *On the "Induction Bias" in Sequence Models* (arXiv 2602.18333).

From Python::

    import ib_bench

    found = ib_bench.search(
        model={"class_path": "LSTM", "init_args": {"hidden_size": 16}},
        data={"class_path": "ModularAddition", "init_args": {"modulus": 3, "max_length": 4}},
        search={"max_size": 61, "seeds": [1, 2]},
        store="ib_bench.sqlite",
    )
    print(found.min_train_size, found.verdict)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

__version__ = "0.1.0"


def measure(
    quantity: str,
    *,
    model: str | Mapping[str, Any],
    data: str | Mapping[str, Any],
    store: str | Path = "ib_bench.sqlite",
    executor: Any = None,
    keep_weights: bool = False,
    wandb: Any = None,
    **sections: Mapping[str, Any],
) -> Any:
    """Measure one quantity of one experiment; what the store holds already is not measured again.

    Args:
        quantity: ``search``, ``sharing``, ``extrapolate``, ``curve``, ``growth``, or the name of one of your own.
        model: name of a shipped class or dotted path of your own, or both that and arguments, as in a config file:
            ``{"class_path": ..., "init_args": {...}}``.
        data: likewise.
        store: path of the store, made if there is none.
        executor: an :class:`~ib_bench.execution.executor.Executor`; None runs everything in this process.
        keep_weights: whether the best weights at the largest size are kept beside the store.
        wandb: a :class:`~ib_bench.tracking.settings.WandbSettings`; None logs nothing.
        sections: further sections of a config file, such as ``trainer`` and ``search``.

    Returns:
        The result, such as a :class:`~ib_bench.quantities.search.record.SearchRecord`.

    Raises:
        BenchError: something is wrong with what is given; says what, and what is allowed.
    """
    from ib_bench.runner.measure import measure as run  # noqa: PLC0415 (loads torch)

    config = {"model": model, "data": data, **sections}
    return run(quantity, config, store, executor=executor, keep_weights=keep_weights, wandb=wandb)


search = partial(measure, "search")
"""N*, by the paper's search; see :func:`measure`."""


def check(model: str | Mapping[str, Any], data: str | Mapping[str, Any] | None = None) -> Any:
    """Check that a model can be measured, without training it.

    Args:
        model: as in :func:`measure`.
        data: likewise; None takes sums modulo 5 of up to 8 numbers.

    Returns:
        A list of :class:`~ib_bench.results.integrity.Finding`; a search refuses models with a ``failure``.

    Raises:
        BenchError: model or data cannot be built.
    """
    from ib_bench.runner.check import check_named  # noqa: PLC0415 (loads torch)

    return check_named({"model": model} if data is None else {"model": model, "data": data})
