"""From a config's ``class_path`` and ``init_args`` to objects, and what the suite asks of a user's own classes."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

import lightning.pytorch as pl
from jsonargparse import ArgumentParser

from ib_bench import catalogue
from ib_bench.data.searchable_data import SearchableData
from ib_bench.errors import BenchError
from ib_bench.results.records import Json

VOCABULARY_PARAMETERS = ("vocab_size", "num_classes")
"""What every model takes from the data."""

DATA_PARAMETERS = (*VOCABULARY_PARAMETERS, "num_positions")
"""What a model may take from the data."""


DATA_ATTRIBUTES = (*DATA_PARAMETERS, "max_train_sequences")
"""What a DataModule must offer."""


def instantiate_data(spec: Json, **overrides: Any) -> SearchableData:
    """Build a DataModule.

    Args:
        spec: ``class_path`` and ``init_args``.
        overrides: init arguments that replace the spec's.
    """
    return cast(SearchableData, _instantiate("data", spec, overrides))


def instantiate_model(spec: Json, data: SearchableData, **overrides: Any) -> pl.LightningModule:
    """Build a model, with what it takes from the data.

    Args:
        spec: ``class_path`` and ``init_args``.
        data: gives the :data:`DATA_PARAMETERS`.
        overrides: init arguments that replace the spec's.
    """
    return cast(pl.LightningModule, _instantiate("model", spec, {**vocabulary_for(spec, data), **overrides}))


def vocabulary_for(spec: Json, data: SearchableData) -> dict[str, int]:
    """Those of the :data:`DATA_PARAMETERS` that a model takes, with their values.

    Args:
        spec: of the model.
        data: gives the values.
    """
    accepted = inspect.signature(import_class(spec["class_path"])).parameters
    return {name: getattr(data, name) for name in DATA_PARAMETERS if name in accepted}


def check_parameters(spec: Json, option: str, required: tuple[str, ...]) -> None:
    """Make sure that a class takes what the suite must be able to set.

    Raises:
        BenchError: one of the ``required`` parameters is missing.
    """
    parameters = inspect.signature(import_class(spec["class_path"])).parameters
    if missing := [name for name in required if name not in parameters]:
        raise BenchError(f"{option} {spec['class_path']} must take the parameters {', '.join(missing)} in its __init__")


def import_class(path: str) -> type:
    """The class at a dotted path."""
    module, _, name = path.rpartition(".")
    return cast(type, getattr(importlib.import_module(module), name))


def canonical(spec: Json) -> Json:
    """A spec whose class has the path by which everybody knows it, so that one class has one path."""
    cls = import_class(spec["class_path"])
    package = cls.__module__.rpartition(".")[0]
    shipped = any(entry.class_name == cls.__name__ for entry in catalogue.entries(catalogue.MODELS))
    module = package if shipped and package == catalogue.MODELS else cls.__module__
    path = f"{module}.{cls.__qualname__}"
    try:
        is_there = import_class(path) is cls
    except (ImportError, AttributeError):
        is_there = False
    return {**spec, "class_path": path if is_there else spec["class_path"]}


def source_digests(*specs: Json) -> dict[str, str]:
    """For every class from outside this package that specs name, a hash of the modules that define it and its bases.

    Whoever edits a model and measures it again wants the new model's result, not the stored one.

    Args:
        specs: ``class_path`` and ``init_args``; classes named inside them count too.
    """
    return {path: _source_digest(import_class(path)) for path in sorted(set(_outside_classes(specs)))}


def _outside_classes(value: Any) -> Iterator[str]:
    """The dotted paths of classes from outside this package, anywhere in a config."""
    if isinstance(value, Mapping):
        yield from _outside_classes(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _outside_classes(item)
    elif isinstance(value, str) and "." in value and value.partition(".")[0] != __name__.partition(".")[0]:
        try:
            if isinstance(import_class(value), type):
                yield value
        except (ImportError, AttributeError, ValueError):
            return  # a string with a dot in it


def _source_digest(cls: type) -> str:
    package = cls.__module__.partition(".")[0]
    modules = {base.__module__ for base in cls.__mro__ if base.__module__.partition(".")[0] == package}
    sources = [_source(module) for module in sorted(modules)]
    return hashlib.sha256("".join(sources).encode()).hexdigest()[:32]


def _source(module: str) -> str:
    """The text of a module, or nothing where there is none, as of one that is built in."""
    try:
        return inspect.getsource(importlib.import_module(module))
    except (OSError, TypeError):
        return ""


def _instantiate(option: str, spec: Json, overrides: Mapping[str, Any]) -> object:
    parser = _parser(option)
    init_args = {**spec.get("init_args", {}), **overrides}
    config = parser.parse_object({option: {"class_path": spec["class_path"], "init_args": init_args}})
    return parser.instantiate(config)[option]


@cache
def _parser(option: str) -> ArgumentParser:
    """A parser that knows how to build nested and typed arguments, as the command line does."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument(f"--{option}", type={"data": pl.LightningDataModule, "model": pl.LightningModule}[option])
    return parser
