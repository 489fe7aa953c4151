"""Arguments from a Python session in the form of a config file: classes, partials and instances become plain data."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from jsonargparse import ArgumentError, ArgumentParser, Namespace
from torch import nn

from ib_bench import catalogue, data
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError, require
from ib_bench.execution.executor import Executor
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec
from ib_bench.runner.config_errors import explained, option_names
from ib_bench.runner.display import display
from ib_bench.runner.jobs import MakeWatcher
from ib_bench.runner.places import with_homes
from ib_bench.tasks.finite_state_machine import FiniteStateMachine

INLINE = "inline"
"""The executor that runs jobs in this process."""

_NAMED = type | FunctionType | BuiltinFunctionType


def plain_config(sections: Mapping[str, Any]) -> Json:
    """A config as plain data.

    Args:
        sections: of a config, or options. A value may be plain data, a class, a ``functools.partial`` of a class, an
            instance of a DataModule or of a settings class, or a mapping or sequence of such.

    Raises:
        BenchError: a value cannot be written down, or would not be found again by its name.
    """
    return {name: _section(name, value) for name, value in sections.items()}


def require_importable(config: Json, executor: object) -> None:
    """Make sure that an executor which is named can import the classes of a config.

    Args:
        config: plain data.
        executor: its name; anything else is not checked.

    Raises:
        BenchError: a class is defined in a notebook, and jobs run in other processes.
    """
    is_notebook = getattr(sys.modules["__main__"], "__file__", None) is None
    found = re.search(r'"(__main__\.\w+)"', json.dumps(config, default=str)) if is_notebook else None
    if found and isinstance(executor, str) and executor != INLINE:
        raise BenchError(
            f"executor must be {INLINE} for a class of a notebook, got {executor!r}: other processes cannot import "
            f"{found[1]}; put it into a .py file"
        )


def output_options(store: str | Path, wandb: Any, log_file: str | Path | None) -> Json:
    """The options that say where results go."""
    logged = plain_config({"wandb": {"mode": "disabled"} if wandb is None else wandb})
    return {**logged, "store": str(store), "log_file": None if log_file is None else str(log_file)}


def weights_option(can_be_kept: bool, kept: bool) -> Json:
    """The option that keeps weights, of a measurement that can keep them."""
    return {"keep_weights": "best" if kept else "none"} if can_be_kept else {}


def placement_options(executor: str | Executor | None, workers: int | None) -> Json:
    """The options that say where jobs run; an executor that is given itself takes the place of the one they name."""
    return {"executor": executor if isinstance(executor, str) else INLINE, "workers": workers}


def given_executor(executor: str | Executor | None) -> Executor | None:
    """The executor that is given itself; None where it is named."""
    return executor if isinstance(executor, Executor) else None


def watcher(progress: bool) -> MakeWatcher | None:
    """The display of progress, or None."""
    return display if progress else None


def parsed_options(parser: ArgumentParser, config: Json) -> Namespace:
    """Parse a config.

    Raises:
        BenchError: it is wrong; says what, and what is allowed.
    """
    try:
        options = parser.parse_object(config)
    except ArgumentError as error:
        raise explained(error, options=option_names(parser)) from error
    return with_homes(options)


def class_name(spec: Any) -> str:
    """The name of the class of a section, such as ``LSTM``."""
    path = spec.get("class_path") if isinstance(spec, Mapping) else spec
    return str(path).rpartition(".")[2]


def _section(option: str, value: Any) -> Any:
    """The value of a section; a class there is one without arguments."""
    if isinstance(value, nn.Module):
        name = type(value).__name__
        raise BenchError(
            f"{option} must be a class, its name, or functools.partial of it, got an instance of {name}: each trial "
            f"builds a model of its own, with the vocabulary of the data; use {name} or partial({name}, ...)"
        )
    plain = _plain(option, value)
    if isinstance(plain, dict) and "class_path" in plain:
        path = plain["class_path"]
        require(isinstance(path, str), f"{option}.class_path", path, "a class, its name or its dotted path")
    return {"class_path": plain} if isinstance(value, type) else plain


def _plain(option: str, value: Any) -> Any:
    if isinstance(value, ClassSpec):
        return {"class_path": value.class_path, "init_args": _plain(option, value.init_args)}
    if isinstance(value, partial):
        return _spec(option, value.func, _bound(option, value))
    if isinstance(value, pl.LightningDataModule):
        return _spec(option, type(value), _arguments_of(option, value))
    if isinstance(value, _NAMED):
        return _path(option, value)
    if is_dataclass(value) and not isinstance(value, type):
        offered = [field.name for field in fields(value) if not field.metadata.get("retired")]
        return {name: _plain(f"{option}.{name}", getattr(value, name)) for name in offered}
    if isinstance(value, Mapping):
        return {str(name): _plain(f"{option}.{name}", one) for name, one in value.items()}
    if isinstance(value, list | tuple | range):
        return [_plain(option, one) for one in value]
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, nn.Module | torch.Tensor):
        name = type(value).__name__
        raise BenchError(
            f"{option} must be a class, a function or plain data, which a record can hold, got an instance of {name}; "
            f"the constructor may make it, also as the default of an argument"
        )
    return str(value) if isinstance(value, Path) else value


def _spec(option: str, cls: Any, arguments: Mapping[str, Any]) -> Json:
    return {"class_path": _path(option, cls), "init_args": _plain(option, arguments)}


def _bound(option: str, value: partial[Any]) -> Mapping[str, Any]:
    """The arguments of a partial by name."""
    try:
        return inspect.signature(value.func).bind_partial(*value.args, **value.keywords).arguments
    except (TypeError, ValueError):  # an unknown argument, which is reported with the known ones once it is parsed
        if value.args:
            raise BenchError(f"{option}: give the arguments of {_name(value.func)} by name, got {value.args}") from None
        return value.keywords


def _arguments_of(option: str, value: pl.LightningDataModule) -> Mapping[str, Any]:
    """The arguments that a DataModule was made with."""
    kept: Mapping[str, Any] = getattr(value, "init_args", None) or value.hparams
    names = list(inspect.signature(type(value)).parameters)
    if not kept.keys() >= set(names):
        name = type(value).__name__
        raise BenchError(
            f"{option}: this instance of {name} does not say what it was made with; use partial({name}, ...), or call "
            f"save_hyperparameters() in its constructor"
        )
    return {name: kept[name] for name in names}


def _path(option: str, value: Any) -> str:
    """The dotted path of a class or function, which leads back to it."""
    if isinstance(value, type) and issubclass(value, FiniteStateMachine):
        value = _data_of(option, value)
    path = _builtin_path(value) or f"{value.__module__}.{value.__qualname__}"
    try:
        found = ClassSpec(path).cls
    except (ImportError, AttributeError):
        how = "define it at the top level of a module or of a notebook"
        if isinstance(value, type) and issubclass(value, StateTrackingData):
            how += f", under this name: {_name(value)} = data_module_of(...)"
        raise BenchError(f"{option} {_name(value)} is not found as {path}: {how}") from None
    if found is not value:
        raise BenchError(
            f"{option} {_name(value)} is older than the class that {path} names now: pass that one, or define "
            f"this one again"
        )
    return path


def _builtin_path(value: Any) -> str | None:
    """Where a builtin function such as ``torch.tanh`` is found, whose own name leads nowhere."""
    if not inspect.isbuiltin(value):
        return None
    own = sys.modules.get(value.__module__ or "", torch)
    found = (one.__name__ for one in (torch, torch.nn.functional, own) if getattr(one, value.__name__, None) is value)
    return next((f"{name}.{value.__name__}" for name in found), None)


def _data_of(option: str, task: type[FiniteStateMachine]) -> Any:
    """The DataModule of a task that this package ships."""
    if task.__module__.rpartition(".")[0] == catalogue.TASKS:
        return getattr(data, task.__name__)
    name = task.__name__
    raise BenchError(f"{option} must be data, and {name} is a task: use {name}Data = data_module_of({name})")


def _name(value: Any) -> str:
    return str(getattr(value, "__name__", value))
