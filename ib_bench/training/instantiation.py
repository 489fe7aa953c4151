"""From a class spec to an object, and the form in which a spec enters a key."""

from __future__ import annotations

import inspect
from dataclasses import MISSING
from functools import cache
from typing import Any, cast

import lightning.pytorch as pl
from torch import nn

from ib_bench import catalogue
from ib_bench.constructors import takes_any_keyword
from ib_bench.data.searchable_data import SearchableData
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError, require
from ib_bench.models.plain_module import TrainableModule, is_plain_module
from ib_bench.results.identity import Json, identifies
from ib_bench.results.records import ClassSpec, DataSpec
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.class_parser import ClassParser, Data, Model
from ib_bench.training.sources import is_ours

VOCABULARY_PARAMETERS = ("vocab_size", "num_classes")
"""What every model takes from the data."""

DATA_PARAMETERS = (*VOCABULARY_PARAMETERS, "num_positions")
"""What a model may take from the data."""

LEARNING_RATE = "learning_rate"
"""What every model takes from the search, unless it is a plain ``nn.Module``."""

SOLUTION = "solution"
"""What a model may take too, an object: :attr:`~ib_bench.data.searchable_data.SearchableData.solution`."""

_MAX_COUNT = 1000
"""Of layers, heads and loops of a shipped model."""

_MAX_SIZE = 2**20
"""Of any other size of a shipped model, such as a width."""

DATA_ATTRIBUTES = (*DATA_PARAMETERS, "max_train_sequences")
"""What a DataModule must offer."""


def instantiate_data(spec: DataSpec, **overrides: Any) -> SearchableData:
    """Build a DataModule.

    Args:
        spec: class and init arguments.
        overrides: init arguments that replace the spec's.
    """
    return cast(SearchableData, _instantiate("data", spec, overrides))


def _require_possible(spec: ClassSpec) -> None:
    """Refuse sizes of a shipped model that would take all memory, or hours, before it is built.

    Raises:
        InvalidOptionError: there is one.
    """
    if not is_ours(spec.cls.__module__):
        return
    for name, value in spec.init_args.items():
        most = _MAX_COUNT if name.startswith("num_") and name not in DATA_PARAMETERS else _MAX_SIZE
        if isinstance(value, int):
            require(value <= most, f"model.{name}", value, f"an integer of at most {most:,}")


def instantiate_trial_data(config: TrialConfig) -> SearchableData:
    """Build the DataModule of a trial.

    Args:
        config: of the trial.
    """
    size = {"num_train_sequences": config.num_train_sequences, "seed": config.data_seed}
    saturated = {"saturated": True} if config.saturated else {}
    return instantiate_data(config.experiment.data, **size, **saturated)


def instantiate_model(spec: ClassSpec, data: SearchableData, **overrides: Any) -> pl.LightningModule:
    """Build a model, with what it takes from the data.

    Args:
        spec: class and init arguments.
        data: gives the :data:`DATA_PARAMETERS`.
        overrides: init arguments that replace the spec's.
    """
    _require_possible(spec)
    from_data: Json = {**vocabulary_for(spec, data)}
    if SOLUTION in spec.parameters:
        from_data[SOLUTION] = data.solution
    if not is_plain_module(spec.cls):
        return cast(pl.LightningModule, _instantiate("model", spec, {**from_data, **overrides}))
    learning_rate = overrides.get(LEARNING_RATE, spec.init_args.get(LEARNING_RATE))
    taken = {name: value for name, value in overrides.items() if _takes(spec, name)}
    module = _instantiate("model", spec, {**from_data, **taken})
    return TrainableModule(cast(nn.Module, module), data.num_classes, learning_rate)


def vocabulary_for(spec: ClassSpec, data: SearchableData) -> dict[str, int]:
    """The :data:`DATA_PARAMETERS` that a model takes, with their values.

    Args:
        spec: of the model.
        data: gives the values.
    """
    offered = [name for name in DATA_PARAMETERS if name in spec.parameters or name in VOCABULARY_PARAMETERS]
    return {name: getattr(data, name) for name in offered if _takes(spec, name)}


def check_parameters(spec: ClassSpec, option: str, required: tuple[str, ...]) -> None:
    """Make sure that a class takes what the suite must be able to set.

    Raises:
        BenchError: one of the ``required`` parameters is missing.
    """
    if missing := [name for name in required if not _takes(spec, name)]:
        raise BenchError(f"{option} {spec.class_path} must take the parameters {', '.join(missing)} in its __init__")
    own = inspect.signature(spec.cls.__init__).parameters  # type: ignore[misc]
    unnamed = [name for name, one in own.items() if one.kind is one.POSITIONAL_ONLY and name in spec.parameters]
    if unnamed:
        raise BenchError(
            f"{option} {spec.class_path} must take {', '.join(unnamed)} by name: remove the / from its __init__"
        )


def _takes(spec: ClassSpec, name: str) -> bool:
    return name in spec.parameters or takes_any_keyword(spec.cls)


def identifying_spec(spec: ClassSpec) -> ClassSpec:
    """A spec as it enters a key: the class under the path by which it is known, without arguments left at a default.

    An argument of a class of this package that equals its default is left out
    (:func:`ib_bench.results.identity.identifies`). A class from elsewhere keeps all of its own arguments, as a hash of
    its source identifies it anyway.

    Args:
        spec: with all arguments that a result depends on.
    """
    kept = {name: value for name, value in spec.init_args.items() if _identifies(spec, name, value)}
    return type(spec)(_known_path(spec), kept)


def _identifies(spec: ClassSpec, name: str, value: Any) -> bool:
    parameter = spec.parameters.get(name)
    owner = _owner(spec.cls, name)
    if parameter is None or owner is None:
        return True
    default = MISSING if parameter.default is inspect.Parameter.empty else parameter.default
    return identifies(owner, name, value, default)


def _owner(cls: type, name: str) -> str | None:
    """The class of this package that takes an argument; None if it is another package's."""
    if issubclass(cls, StateTrackingData) and name in inspect.signature(StateTrackingData).parameters:
        return StateTrackingData.__name__
    if cls.__module__ == "ib_bench.data":  # made from a task, whose other arguments these are
        return cls.__name__
    constructor = next((base for base in cls.__mro__ if "__init__" in vars(base)), cls)
    return constructor.__name__ if is_ours(constructor.__module__) else None


def _known_path(spec: ClassSpec) -> str:
    """One class has one path, however it was named."""
    cls = spec.cls
    package = cls.__module__.rpartition(".")[0]
    shipped = any(entry.class_name == cls.__name__ for entry in catalogue.entries(catalogue.MODELS))
    module = package if shipped and package == catalogue.MODELS else cls.__module__
    path = f"{module}.{cls.__qualname__}"
    try:
        return path if ClassSpec(path).cls is cls else spec.class_path
    except (ImportError, AttributeError):
        return spec.class_path


def _instantiate(option: str, spec: ClassSpec, overrides: Json) -> object:
    parser = _parser(option)
    init_args = {**spec.init_args, **overrides}
    config = parser.parse_object({option: {"class_path": spec.class_path, "init_args": init_args}})
    return parser.instantiate(config)[option]


@cache
def _parser(option: str) -> ClassParser:
    """A parser that knows how to build nested and typed arguments, as the command line does."""
    parser = ClassParser(exit_on_error=False)
    parser.add_argument(f"--{option}", type={"data": Data, "model": Model}[option])
    return parser
