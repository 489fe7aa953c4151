"""A parser that knows models and data as people write them, on top of jsonargparse.

jsonargparse reads options from constructors. It knows fewer of these than there are in use: a parameter without a type
hint, one whose default is a class or an object, keywords that are taken as they come. :class:`ClassParser` adds what is
missing. :class:`Model` and :class:`Data` are the types of ``--model`` and ``--data``.
"""

from __future__ import annotations

import enum
import inspect
import re
import sys
import warnings
from abc import ABC
from argparse import SUPPRESS
from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter
from itertools import pairwise
from pathlib import PurePath
from typing import Any, cast, get_args

import lightning.pytorch as pl
import yaml
from jsonargparse import ArgumentParser, Namespace
from lightning.pytorch.cli import LightningArgumentParser
from torch import nn

from ib_bench import catalogue
from ib_bench.constructors import (
    constructor_parameters,
    is_code,
    is_named,
    is_of_functions,
    takes_any_keyword,
)
from ib_bench.errors import BenchError

_PLAIN = (str, int, float, bool, type(None), list, tuple, dict, enum.Enum, PurePath)
"""Types of defaults that a config can hold."""

_NOT_A_USERS = ("ib_bench", "lightning", "pytorch_lightning")

_UNHINTED = (Parameter.empty, Any)


class Model(pl.LightningModule, ABC):
    """Any class that can be a model: an ``nn.Module``, LightningModules included."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return issubclass(other, nn.Module) if cls is Model else NotImplemented

    @classmethod
    def __subclasses__(cls) -> list[type]:
        """The classes that a short name can mean."""
        return _short_names(catalogue.MODELS, catalogue.MODELS, pl.LightningModule)


class Data(pl.LightningDataModule, ABC):
    """Any class that can be data: a LightningDataModule."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return issubclass(other, pl.LightningDataModule) if cls is Data else NotImplemented

    @classmethod
    def __subclasses__(cls) -> list[type]:
        """The classes that a short name can mean."""
        return _short_names(catalogue.TASKS, "ib_bench.data", pl.LightningDataModule)


def _short_names(package: str, module: str, base: type) -> list[type]:
    """The shipped classes, and those imported from elsewhere that have other names.

    jsonargparse asks a class for its subclasses, and these for theirs. It gets stand-ins that have none, so that a
    user's class with the name of a shipped one, or derived from it, does not make the name ambiguous.
    """
    shipped = {entry.class_name: (module, entry.class_name) for entry in catalogue.entries(package)}
    imported = {(cls.__module__, cls.__qualname__) for cls in _derived(base) if not inspect.isabstract(cls)}
    others = [
        (place, name)
        for place, name in sorted(imported)
        if place.partition(".")[0] not in _NOT_A_USERS and "<locals>" not in name and name not in shipped
    ]
    places = [*shipped.values(), *others]
    return [type(name, (), {"__module__": place, "__qualname__": name}) for place, name in places]


def _derived(base: type) -> set[type[Any]]:
    """All classes below one, as far as they are imported."""
    found: set[type[Any]] = set()
    waiting: list[type[Any]] = [base]
    while waiting:
        new: list[type[Any]] = [cls for cls in type.__subclasses__(waiting.pop()) if cls not in found]
        found.update(new)
        waiting += new
    return found


class ClassParser(LightningArgumentParser):
    """Lightning's parser for constructors as people write them.

    - A parameter without a type hint takes any value, and is required if it has no default.
    - Where the default is a class, a dotted path is a class, also if the hint is ``Callable``; likewise functions.
    - A default that no config can hold, such as an object or a lambda, is left to the constructor.
    - Keywords that a constructor takes as they come are options like others.
    """

    _class: Any = None

    def __init__(self, *args: Any, exit_on_error: bool = False, **options: Any) -> None:
        # jsonargparse makes parsers of this class for --model.help, with its own default, which prints and exits
        super().__init__(*args, exit_on_error=exit_on_error, **options)

    def add_model_and_data(self, data_required: bool = True) -> None:
        """The arguments ``--model`` and ``--data``."""
        self.add_lightning_class_args(Model, "model", subclass_mode=True, required=True)
        self.add_lightning_class_args(Data, "data", subclass_mode=True, required=data_required)

    def add_class_arguments(self, theclass: Any, nested_key: str | None = None, **options: Any) -> list[str]:
        """See jsonargparse; the class's own kinds of parameters are added here."""
        if nested_key is not None:
            return cast(list[str], super().add_class_arguments(theclass, nested_key, **options))
        self._class = theclass
        linked = options.get("linked_targets") or set()
        skipped = options.get("skip") or set()
        special = {
            name: arguments
            for name, parameter in constructor_parameters(theclass).items()
            if name not in skipped and (arguments := _special(parameter, name in linked)) is not None
        }
        if takes_any_keyword(theclass):
            missing = set(linked) - constructor_parameters(theclass).keys()
            special |= {name: {"type": Any, "default": SUPPRESS} for name in missing}
        options = {**options, "skip": {*skipped, *special}, "fail_untyped": False}
        added = cast(list[str], super().add_class_arguments(theclass, None, **options))
        for name, arguments in special.items():
            self.add_argument(f"--{name}", **arguments)
        return [*added, *special]

    def parse_object(self, cfg_obj: Any, *args: Any, **options: Any) -> Namespace:
        """See jsonargparse."""
        if isinstance(cfg_obj, Mapping | Namespace):
            self._admit(list(vars(cfg_obj) if isinstance(cfg_obj, Namespace) else cfg_obj))
        return super().parse_object(cfg_obj, *args, **options)

    def parse_args(self, args: Any = None, *others: Any, **options: Any) -> Any:
        """See jsonargparse."""
        given = _with_classes_to_help(list(sys.argv[1:] if args is None else args))
        self._admit([one[2:].partition("=")[0] for one in given if one.startswith("--")])
        return super().parse_args(given, *others, **options)

    def format_help(self, *args: Any, **options: Any) -> str:
        """See jsonargparse; its name for the lack of a type hint says nothing to a user."""
        text: str = super().format_help(*args, **options)
        return re.sub(r"Union\[([^\]]+),\s+Untyped\]", r"\1", re.sub(r"Optional\[(Untyped|Any)\]", "Any", text))

    def _admit(self, names: Sequence[str]) -> None:
        """Make options of keywords, if the class takes any."""
        if self._class is None or not takes_any_keyword(self._class):
            return
        known = {action.dest for action in self._actions}
        for name, _, key in (option.partition(".") for option in names):
            if name.isidentifier() and name not in known:
                self.add_argument(f"--{name}", type=dict[str, Any] if key else Any, default=SUPPRESS)


def _with_classes_to_help(arguments: list[str]) -> list[str]:
    """``--model X --model.help`` as ``--model X --model.help X``, likewise for data.

    As with ``--help``, what follows does not count, unless it is a further ``.help``, about a class inside the class.

    Raises:
        BenchError: nothing says which class is meant.
    """
    for index, argument in enumerate(arguments):
        if not _asks_for_help(argument):
            continue
        end = index + 1
        named = []
        if end < len(arguments) and "=" not in argument and not arguments[end].startswith("-"):
            end += 1
        elif argument in ("--model.help", "--data.help"):
            named = [_class_given(argument.removesuffix(".help"), arguments)]
        further = end < len(arguments) and _asks_for_help(arguments[end])
        return [*arguments[:end], *named, *(arguments[end:] if further else [])]
    return arguments


def _asks_for_help(argument: str) -> bool:
    return argument.startswith("--") and argument.partition("=")[0].endswith(".help")


def _class_given(option: str, arguments: Sequence[str]) -> str:
    words = [word for one in arguments for word in (one.split("=", 1) if one.startswith("--") else [one])]
    named = next((value for flag, value in pairwise(words) if flag == option), None)
    if named is None:
        raise BenchError(f"{option}.help needs the name of a class after it, or {option} before it")
    return named


def _special(parameter: Parameter, is_linked: bool) -> dict[str, Any] | None:
    """How a parameter is added that jsonargparse would add otherwise; None if it does well by itself."""
    hint, default = parameter.annotation, parameter.default
    if default is Parameter.empty:
        return {"type": Any, "required": True} if hint is Parameter.empty and not is_linked else None
    if isinstance(default, _PLAIN) or type(default).__module__.startswith("jsonargparse"):
        return None
    if not is_code(default) or not is_named(default):
        kept = {"type": Any if hint is Parameter.empty else hint, "default": SUPPRESS}
        return None if _survives(hint, default) else kept
    if hint in _UNHINTED or is_of_functions(hint):
        if not isinstance(default, type):
            return {"type": Callable if hint in _UNHINTED else hint, "default": default}
        returns = get_args(hint)[-1:] if is_of_functions(hint) else ()
        makes_objects = bool(returns) and inspect.isclass(returns[0]) and issubclass(returns[0], nn.Module)
        return None if makes_objects else {"type": type, "default": default}
    return None


def _survives(hint: Any, default: Any) -> bool:
    """Whether an object that is a default can be written into a config, and be read from it again."""

    def function(argument: Any = default) -> None:
        pass

    function.__annotations__ = {} if hint is Parameter.empty else {"argument": hint}
    parser = ArgumentParser(exit_on_error=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # that it cannot be written
            parser.add_function_arguments(function, fail_untyped=False)
            written = yaml.safe_load(parser.dump(parser.get_defaults()))
            read = parser.instantiate(parser.parse_object(written))
    except Exception:
        return False
    return type(read.argument) is type(default)
