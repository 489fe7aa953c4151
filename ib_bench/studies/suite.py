"""A suite: the product of some axes over one base config, read from a YAML file.

    base:                     # what all cells share: data, trainer, search, extrapolation
      data: {init_args: {batch_size: 32}}
      search: {max_steps: 2000}
    axes:                     # every combination is one cell
      quantity: [search, sharing, extrapolate]
      task: [ModularAddition, PermutationComposition]
      modulus: [2, 3, 5]
      num_elements: [3]
      max_length: [2..6, 10]
      model:
        - LSTM
        - {class_path: Transformer, init_args: {hidden_size: 64}, overrides: {search: {learning_rates: [0.001]}}}

The axes ``task`` and ``model`` list classes, with arguments and with overrides of the base where wanted; ``quantity``
lists what is measured. Any other axis is an init argument of the data, and counts for those tasks that take it.
``2..6`` is short for 2, 3, 4, 5, 6.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from ib_bench import catalogue
from ib_bench.errors import BenchError, InvalidOptionError, UnknownNameError, require, shown
from ib_bench.limited_yaml import load_yaml, read_yaml
from ib_bench.results.identity import Json

DEFAULT_QUANTITY = "search"

_CLASS_AXES = {"task": "data", "model": "model"}
"""Axes whose values are classes, and the section of the config that each fills."""

_MAX_VALUES = 10_000
"""On an axis, and in a range."""

_MAX_CELLS = 100_000

_SPEC_KEYS = {"class_path", "init_args", "overrides"}


@dataclass(frozen=True)
class Cell:
    """One combination of a suite's axes.

    Attributes:
        quantity: what is measured, the name of a quantity.
        config: with the keys of :func:`sections`; without the arguments in ``data_arguments``.
        data_arguments: those init arguments of the data that are axes.
    """

    quantity: str
    config: Json
    data_arguments: Json

    @property
    def full_config(self) -> Json:
        """The config with the ``data_arguments``."""
        config = copy.deepcopy(self.config)
        config["data"]["init_args"].update(self.data_arguments)
        return config


@dataclass(frozen=True)
class Suite:
    """Measurements that belong together.

    Attributes:
        name: the file's name without its ending.
        base: config that every cell starts from, with the keys of :func:`sections`.
        axes: for each axis the values it takes.
        tasks: class paths of all tasks, also of those that the suite was narrowed from.
    """

    name: str
    base: Json
    axes: dict[str, list[Any]]
    tasks: tuple[str, ...]

    def cells(self, parameters: Callable[[str], Collection[str]]) -> list[Cell]:
        """One cell for each combination of values that its quantity accepts; the last axis varies fastest.

        Args:
            parameters: tells the init arguments of the DataModule at a class path.

        Raises:
            BenchError: an axis counts for none of the tasks, or there are too many cells.
        """
        try:
            return self._cells(parameters)
        except BenchError as error:
            raise BenchError(f"suite {self.name!r}: {error}") from error

    def _cells(self, parameters: Callable[[str], Collection[str]]) -> list[Cell]:
        cells: dict[str, Cell] = {}  # an axis that does not count for a task leaves equal cells behind
        known = {*_CLASS_AXES, "quantity"}.union(*map(parameters, self.tasks))
        for axis in self.axes:
            if axis not in known:
                raise UnknownNameError("axis", axis, known)
        num_points = math.prod(map(len, self.axes.values()))
        if num_points > _MAX_CELLS:
            sizes = ", ".join(f"{axis} {len(values):,}" for axis, values in self.axes.items())
            raise BenchError(
                f"there must be at most {_MAX_CELLS:,} combinations of values, got {num_points:,} ({sizes}); "
                f"choose some with --axes"
            )
        for values in product(*self.axes.values()):
            point = dict(zip(self.axes, values, strict=True))
            config = self._config(point)
            taken = parameters(config["data"]["class_path"])
            own = {axis: value for axis, value in point.items() if axis in taken and axis not in _CLASS_AXES}
            cell = Cell(point.get("quantity", DEFAULT_QUANTITY), config, own)
            if not catalogue.quantity(cell.quantity).accepts(own):
                continue
            cells.setdefault(json.dumps(asdict(cell), sort_keys=True), cell)
        if not cells:
            names = ", ".join(map(str, self.axes.get("quantity", [DEFAULT_QUANTITY])))
            raise BenchError(f"no combination of values can be measured: {names} needs others on the other axes")
        return list(cells.values())

    def narrowed(self, choices: Mapping[str, Any]) -> Suite:
        """The same suite with fewer values on some axes.

        Args:
            choices: for an axis, one value or a list of values to keep; classes go by their name or path, to which
                arguments may be added, as in ``LSTM(hidden_size=64)``.

        Raises:
            BenchError: there is no such axis, or no such value on it.
        """
        axes = dict(self.axes)
        for axis, chosen in choices.items():
            if axis not in axes:
                raise UnknownNameError(f"axis of suite {self.name!r},", axis, axes)
            wanted = _expanded(chosen if isinstance(chosen, list) else [chosen])
            if not wanted:
                raise InvalidOptionError(f"axes.{axis}", chosen, "at least one of the axis' values")
            kept = []
            for value in wanted:
                named = _named(axes[axis], value)
                if not named:
                    raise InvalidOptionError(f"axes.{axis}", value, f"among {', '.join(map(_shown, axes[axis]))}")
                kept += named
            axes[axis] = [value for value in axes[axis] if value in kept]
        return replace(self, axes=axes)

    def _config(self, point: Json) -> Json:
        config = copy.deepcopy(self.base)
        for axis, section in _CLASS_AXES.items():
            if axis in point:
                spec = copy.deepcopy(point[axis])
                config = merged(config, spec.pop("overrides", {}))
                config[section] = merged(config.get(section, {}), spec)
        return config


def sections() -> list[str]:
    """The sections of a cell's config: the experiment's, and those that quantities add."""
    of_quantities = [name for quantity in catalogue.quantities() for name in quantity.sections]
    return list(dict.fromkeys(["model", "data", "trainer", *of_quantities]))


def covering(cells: list[Cell]) -> list[Cell]:
    """Few of the cells, among which every value of every axis occurs, for a short run of all code that a suite uses."""
    seen: set[str] = set()
    chosen = []
    for cell in cells:
        parts = {"quantity": cell.quantity, "config": cell.config, **cell.data_arguments}
        values = {yaml.safe_dump({name: value}) for name, value in parts.items()}
        if not values <= seen:
            chosen.append(cell)
            seen |= values
    return chosen


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises:
        BenchError: the file cannot be read, is no YAML, or is no suite.
    """
    try:
        content = read_yaml(path)
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"suite {str(path)!r} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise BenchError(f"suite {str(path)!r} is not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return suite_of(path.stem, content)
    except BenchError as error:
        raise BenchError(f"suite {str(path)!r}: {error}") from error


def suite_of(name: str, content: Any) -> Suite:
    """A suite from the content of its file.

    Args:
        name: of the suite.
        content: a mapping with the keys ``base`` and ``axes``.

    Raises:
        BenchError: it is no suite.
    """
    if not isinstance(content, dict) or set(content) != {"base", "axes"}:
        raise BenchError("it must be a mapping with the two keys base and axes")
    _require_plain("", content)
    base, axes = content["base"], content["axes"]
    if not isinstance(base, dict) or not isinstance(axes, dict):
        raise BenchError("base and axes must be mappings")
    return _suite(name, copy.deepcopy(base), axes)


def _require_plain(where: str, value: Any) -> None:
    """Refuse what YAML can hold and a config cannot: dates, bytes, sets, and keys that are no text."""
    if isinstance(value, dict):
        for key, one in value.items():
            if not isinstance(key, str):
                raise BenchError(f"{where} must have texts as keys, got {shown(key)}; write it in quotes")
            if not key:
                raise BenchError(f"{where or 'a suite'} must have no empty text as a key")
            _require_plain(f"{where}.{key}".lstrip("."), one)
    elif isinstance(value, list):
        for one in value:
            _require_plain(where, one)
    elif not isinstance(value, str | int | float | None):
        raise BenchError(f"{where} must hold texts, numbers, lists and mappings, got {shown(value)}")


def _suite(name: str, base: Json, axes: dict[str, Any]) -> Suite:
    _check_sections(base, "base")
    axes = {axis: _axis(axis, values) for axis, values in axes.items()}
    for axis, section in _CLASS_AXES.items():
        spec = base.get(section, {})
        base[section] = _as_spec(spec)
        if not isinstance(base[section], dict):
            raise BenchError(f"base.{section} must be a class or a mapping with class_path and init_args")
        if not isinstance(base[section].get("class_path", ""), str):
            raise BenchError(f"base.{section}.class_path must be a class, got {shown(base[section]['class_path'])}")
        if ("class_path" in base[section]) == (axis in axes):
            raise BenchError(f"either axes.{axis} or base.{section}.class_path must be given, and not both")
        if not isinstance(base[section].setdefault("init_args", {}), dict):
            raise BenchError(f"base.{section}.init_args must be a mapping")
    tasks = tuple(spec["class_path"] for spec in axes.get("task", [base["data"]]))
    return Suite(name, base, axes, tasks)


def _check_sections(given: Json, where: str) -> None:
    for section in given:
        if section not in sections():
            raise UnknownNameError(f"section of {where},", section, sections())
        is_class = section in _CLASS_AXES.values() and isinstance(given[section], str)
        if not is_class and not isinstance(given[section], dict):
            allowed = "a mapping of options, or left out"
            raise InvalidOptionError(f"{where}.{section}", given[section], allowed)
        arguments = {} if is_class else given[section].get("init_args", {})
        if section in _CLASS_AXES.values() and not isinstance(arguments, dict):
            raise InvalidOptionError(f"{where}.{section}.init_args", arguments, "a mapping")


def _axis(axis: str, values: Any) -> list[Any]:
    values = _expanded(values if isinstance(values, list) else [values])
    if not values or None in values:
        raise BenchError(f"axes.{axis} must hold at least one value, and none that is null, got {values!r}")
    if axis in _CLASS_AXES:
        values = [_spec(axis, value) for value in values]
    if axis == "quantity":
        for value in values:
            if value not in (known := [quantity.name for quantity in catalogue.quantities()]):
                raise UnknownNameError("axes.quantity", str(value), known)
    if len(values) > _MAX_VALUES:
        raise BenchError(f"axes.{axis} must hold at most {_MAX_VALUES:,} values, got {len(values):,}")
    if len({yaml.safe_dump(value) for value in values}) < len(values):
        raise BenchError(f"axes.{axis} must hold no value twice, got {values!r}")
    return values


def _spec(axis: str, value: Any) -> Json:
    spec = _as_spec(value)
    if not isinstance(spec, dict) or not isinstance(spec.get("class_path"), str) or not set(spec) <= _SPEC_KEYS:
        allowed = "classes, or mappings with class_path, init_args, overrides"
        raise BenchError(f"axes.{axis} must hold {allowed}; got {value!r}")
    if not all(isinstance(spec.get(key, {}), dict) for key in ("init_args", "overrides")):
        raise BenchError(f"axes.{axis}: init_args and overrides must be mappings, got {value!r}")
    overrides = spec.get("overrides", {})
    _check_sections(overrides, f"axes.{axis}.overrides")
    for section in _CLASS_AXES.values():
        if "class_path" in _as_spec(overrides.get(section, {})):
            raise BenchError(f"axes.{axis}.overrides.{section} must not name a class; write it as a value of an axis")
    return {"init_args": {}, **spec}


def _as_spec(value: Any) -> Any:
    """A class that is given by its name alone, as a mapping."""
    return {"class_path": value} if isinstance(value, str) else value


def _expanded(values: list[Any]) -> list[Any]:
    """The values, with ranges written out."""
    return [number for value in values for number in _range(value)]


def _range(value: Any) -> Iterator[Any]:
    found = re.fullmatch(r"([0-9]{1,18})\.\.([0-9]{1,18})", value) if isinstance(value, str) else None
    if found is None:
        yield value
        return
    first, last = map(int, found.groups())
    if first > last:
        raise InvalidOptionError("a range", value, "ascending, such as 2..10")
    allowed = f"of at most {_MAX_VALUES:,} numbers"
    require(last - first < _MAX_VALUES, "a range", value, allowed)
    yield from range(first, last + 1)


def _named(values: list[Any], name: Any) -> list[Any]:
    """Those values that a name means: classes with just this path, or else all classes of this name.

    ``LSTM(hidden_size=64)`` means those that are given this argument, and perhaps others.
    """
    name, arguments = _called(name)
    exact = [value for value in values if value == name or _path(value) == str(name)]
    found = exact or [value for value in values if _path(value).rpartition(".")[2] == str(name)]
    if not arguments:
        return found
    return [value for value in found if isinstance(value, dict) and arguments.items() <= value["init_args"].items()]


def _called(name: Any) -> tuple[Any, Json]:
    """A name and the arguments written behind it; anything else as it is, without arguments."""
    found = re.fullmatch(r"([\w.]+)\((.+)\)", name) if isinstance(name, str) else None
    if found is None:
        return name, {}
    try:
        return found[1], load_yaml("{" + re.sub(r"(\w+) *=", r"\1: ", found[2]) + "}")
    except yaml.YAMLError:
        return name, {}


def _shown(value: Any) -> str:
    """A value as :func:`_named` takes it."""
    if not isinstance(value, dict) or not value["init_args"]:
        return _path(value)
    arguments = ", ".join(f"{name}={shown(one)}" for name, one in value["init_args"].items())
    return f"{_path(value)}({arguments})"


def _path(value: Any) -> str:
    return str(value["class_path"]) if isinstance(value, dict) else str(value)


def merged(config: Json, changes: Json) -> Json:
    """A config with some of its values changed, mapping by mapping."""
    result = dict(config)
    for key, value in changes.items():
        old = result.get(key)
        result[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
