"""Import torch and Lightning quickly, and keep the cyclic garbage collector out of large listings.

Of the start of a training run, nearly all is imports. Two things there are of no use to it:

- The garbage collector searches hundred thousands of new objects for cycles again and again: a quarter of the time. It
  takes two fifths of a list of 10,000 searches, too. What is part of no cycle is freed as always.
- Lightning imports torchmetrics, which imports ``scipy.signal``, ``matplotlib`` and ``transformers`` if they are
  installed: almost half of the time. Only its metrics of audio and text and ``Metric.plot`` use them.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_EXTRAS = ("matplotlib", "transformers")
"""Requirements that torchmetrics does without."""


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Context manager that switches the garbage collector off."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def import_for_good(name: str, extras: bool = True) -> ModuleType:
    """Import a module; what it makes, and all that there is before, is not searched for cycles, now or later.

    Args:
        name: dotted path of the module.
        extras: whether torchmetrics, if this imports it, may use what of :data:`_EXTRAS` is installed. Without them,
            its metrics of text and ``Metric.plot`` are not available in this process. All else can still import them.
    """
    if name not in sys.modules:
        if not extras and "torchmetrics" not in sys.modules:
            _import_torchmetrics_without_extras()
        with without_garbage_collection():
            importlib.import_module(name)
        gc.freeze()
    return sys.modules[name]


def _import_torchmetrics_without_extras() -> None:
    with without_garbage_collection():
        from lightning_utilities.core.imports import RequirementCache  # noqa: PLC0415 (loads torch)

        with _requirements_not_met(RequirementCache), _stand_in_for_scipy_signal():
            importlib.import_module("torchmetrics")


@contextmanager
def _requirements_not_met(cache: Any) -> Iterator[None]:
    """Have every requirement of an extra counted as not met that is asked for meanwhile, for good."""
    check = getattr(cache, "_check_available", None)
    if check is None:  # another version of torchmetrics: importing only takes longer
        yield
        return

    def checked(self: Any) -> None:
        if self.requirement is not None and self.requirement.startswith(_EXTRAS):
            self.available, self.message = False, f"{self.requirement} is not used by ib_bench"
        check(self)

    cache._check_available = checked
    try:
        yield
    finally:
        cache._check_available = check


@contextmanager
def _stand_in_for_scipy_signal() -> Iterator[None]:
    """Torchmetrics imports this module only to add a name to it that old packages look for."""
    name = "scipy.signal"
    if name in sys.modules or find_spec("scipy") is None:
        yield
        return
    stand_in: Any = ModuleType(name)
    stand_in.hamming = None
    sys.modules[name] = stand_in
    try:
        yield
    finally:
        del sys.modules[name]
