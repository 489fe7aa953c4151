"""Building data and models to look at them: what goes wrong becomes one sentence."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar

import lightning.pytorch as pl
import torch
from jsonargparse import ArgumentError

from ib_bench.data.searchable_data import SearchableData
from ib_bench.errors import BenchError, reason_of
from ib_bench.results.records import ClassSpec
from ib_bench.runner.config_errors import explained
from ib_bench.training.instantiation import instantiate_model
from ib_bench.training.sources import is_ours

Built = TypeVar("Built")

_MAX_PARAMETERS = 2**29
"""Of a shipped model: 2 GB of weights, several times as much in a check or in training."""


def build_or_explain(option: str, spec: ClassSpec, build: Callable[[], Built]) -> Built:
    """What ``build`` returns; an exception of a constructor becomes one sentence that says where it was raised.

    Args:
        option: ``model`` or ``data``.
        spec: of the class.
        build: builds it.

    Raises:
        BenchError: it cannot be built.
    """
    try:
        return build()
    except BenchError:
        raise
    except ArgumentError as error:
        raise explained(error) from error
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        reason = f"{type(error).__name__} in {last.filename}:{last.lineno}: {reason_of(error)}"
        raise BenchError(f"{option} {spec.class_path} cannot be built: {reason}") from error


def built_model(spec: ClassSpec, data: SearchableData) -> pl.LightningModule:
    """A model, unless it is too large.

    Args:
        spec: class and init arguments.
        data: that it is meant for.

    Raises:
        BenchError: it cannot be built, or is a shipped one with too many parameters.
    """
    if is_ours(spec.cls.__module__):
        num = _num_numbers(spec, data)
        if num > _MAX_PARAMETERS:
            raise BenchError(
                f"model {spec.cls.__name__} must have at most {_MAX_PARAMETERS:,} parameters, got {num:,} with "
                f"{data.vocab_size:,} tokens: make it smaller, or take a task with fewer symbols"
            )
    return build_or_explain("model", spec, lambda: instantiate_model(spec, data))


def _num_numbers(spec: ClassSpec, data: SearchableData) -> int:
    """Number of a model's parameters, and of what else it keeps; takes no memory for them."""
    try:
        with torch.device("meta"):
            model = instantiate_model(spec, data)
        return sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))
    except Exception:  # a mixer from elsewhere may need real numbers; other errors are raised again without this device
        return 0
