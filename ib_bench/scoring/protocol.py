"""A protocol: the cells of which a score is made, read from a YAML file that says everything about them.

    budgets:
      laptop:
        base: {search: {max_steps: 2000}, curve: {max_trials: 24}}      # what all cells share, as in a suite
        cells:
          - algebra: abelian                                          # what the task is an example of
            measures: [size, extrapolation]                           # what its results count for
            axes: {task: ModularAddition, modulus: 5, max_length: 9, supervision: outcome}      # as in a suite

An entry of ``cells`` is a suite without a model. ``size`` counts for the score, ``kappa`` and ``slope`` for the numbers
of that name; all three are success curves. ``extrapolation`` is an extrapolation of the same experiment. An argument of
a shipped task that is left out has its default. Data of one's own have to state the arguments that their records do.

A record belongs to a cell if nothing but the model differs. So a score is no record of its own: it is found again in
any store that holds its curves.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec
import yaml

from ib_bench import catalogue
from ib_bench.errors import BenchError, UnknownNameError, require
from ib_bench.limited_yaml import read_yaml
from ib_bench.quantities.curve.prior import PRIOR
from ib_bench.quantities.curve.record import CurveConfig, CurveRecord, CurveSettings
from ib_bench.quantities.extrapolation.record import ExtrapolationConfig, ExtrapolationRecord, ExtrapolationSettings
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.identity import Json, canonical
from ib_bench.results.records import Config, DataSpec, Labels, Record
from ib_bench.studies.suite import Cell, Suite, merged, suite_of

Measures = Literal["size", "kappa", "slope", "extrapolation"]
MEASURES: tuple[Measures, ...] = get_args(Measures)

DEFAULT_PROTOCOL, DEFAULT_BUDGET = "score-v1", "laptop"

_QUANTITIES = {"extrapolation": "extrapolate"}  # the others are curves
_NO_MODEL = "no.Model"
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class ProtocolCell:
    """One measurement of a protocol, of any model.

    Attributes:
        algebra: what the task is an example of, such as ``solvable``.
        measures: what the result counts for.
        data: the task, and how it is presented.
        settings: of the measurement, by the name of their section.
    """

    algebra: str
    measures: tuple[Measures, ...]
    data: DataSpec
    settings: Mapping[str, Any]

    @property
    def quantity(self) -> str:
        """Name of the quantity that is measured."""
        return _QUANTITIES.get(self.measures[0], "curve")

    @cached_property
    def identity(self) -> str:
        """The part of the config that all its records share, see :func:`identity_of`."""
        return _identity(self.quantity, self.data, self.settings)

    @property
    def labels(self) -> Labels:
        """The short names by which people tell it apart; the model's is empty."""
        shown = self.data.presentation
        task = {name: value for name, value in self.data.task_arguments.items() if value is not None}
        return Labels("", self.data.class_name, task, shown.supervision, shown.length_distribution, shown.max_length)

    @property
    def max_size(self) -> int:
        """The largest training set."""
        return int(self.settings["search"].max_size)


@dataclass(frozen=True)
class Budget:
    """A protocol at one of its budgets: what decides whether two scores can be compared.

    Attributes:
        protocol: its name and version, such as ``score-v1``; the name of the file, for one of a user's own.
        name: of the budget.
        suites: of which the cells are made, each with a placeholder for a model, and the algebra and measures of each.
    """

    protocol: str
    name: str
    suites: tuple[tuple[Suite, str, tuple[Measures, ...]], ...]

    @property
    def title(self) -> str:
        """Protocol and budget, as every table of its numbers says it."""
        return f"{self.protocol}, budget {self.name}"

    @property
    def is_shipped(self) -> bool:
        """Whether it ships with the package; a file of a user's own has to be at hand to measure by it."""
        return self.protocol in shipped_protocols()

    @cached_property
    def cells(self) -> tuple[ProtocolCell, ...]:
        """All cells; one experiment that is both measured and extrapolated from is two."""
        found = []
        for suite, algebra, measures in self.suites:
            for cell in suite_cells(suite):
                is_curve = cell.quantity == "curve"
                own = tuple(one for one in measures if (one != "extrapolation") == is_curve)
                one = _protocol_cell(cell, algebra, own)
                found.append(one if self.is_shipped else replace(one, data=_as_recorded(one.data)))
        return tuple(found)

    def of(self, measure: Measures) -> list[ProtocolCell]:
        """The cells that count for a measure."""
        return [cell for cell in self.cells if measure in cell.measures]


def shipped_protocols() -> dict[str, Path]:
    """The files of the protocols that ship with the package, by name."""
    return {path.stem: path for path in sorted(_FOLDER.glob("score-v*.yaml"))}


def read_budget(protocol: str = DEFAULT_PROTOCOL, budget: str = DEFAULT_BUDGET) -> Budget:
    """A protocol at one of its budgets.

    Args:
        protocol: name of a shipped one, or path of a file.
        budget: name of one of its budgets.

    Raises:
        BenchError: there is no such protocol or budget, the file is no protocol, or it has the name of a shipped one.
    """
    shipped = shipped_protocols()
    if protocol not in shipped and not Path(protocol).is_file():
        raise UnknownNameError("protocol", protocol, shipped)
    path = shipped.get(protocol, Path(protocol))
    if path.stem in shipped and not path.samefile(shipped[path.stem]):
        raise BenchError(f"protocol {protocol!r} must have another name than {path.stem}, which is published and fixed")
    try:
        content = read_yaml(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BenchError(f"protocol {protocol!r} cannot be read: {' '.join(str(error).split())}") from error
    try:
        found = _budget(path.stem if path.stem in shipped else path.name, budget, content)
        require(bool(found.cells), "cells", [], "at least one")  # reads them all, so that errors are raised here
        _require_different_names(found)
        return found
    except (BenchError, TypeError) as error:
        raise BenchError(f"protocol {protocol!r}: {error}") from error


def shipped_budgets() -> list[Budget]:
    """Every budget of every protocol that ships with the package."""
    return [
        read_budget(name, budget) for name, path in shipped_protocols().items() for budget in read_yaml(path)["budgets"]
    ]


def suite_cells(suite: Suite) -> list[Cell]:
    """The cells of a protocol's suite: every axis counts for every task."""
    return suite.cells(lambda _: set(suite.axes) - {"quantity"})


def identity_of(record: Record) -> str | None:
    """Everything that a record's config says, but for the model; None where a protocol has no such records.

    The Trainer's options are no part of a protocol: a record with any of its own belongs to none.
    """
    config: Config = record.config
    if config.experiment.trainer:
        return None
    if isinstance(config, CurveConfig) and config.prior == PRIOR:
        return _identity("curve", config.experiment.data, {"search": config.search, "curve": config.settings})
    if isinstance(config, ExtrapolationConfig):
        settings = {"search": config.search, "extrapolation": config.settings}
        return _identity("extrapolate", config.experiment.data, settings)
    return None


def data_path(data: DataSpec) -> str:
    """The dotted path of data's class, also where a protocol names a shipped one without it."""
    return data.class_path if "." in data.class_path else f"ib_bench.data.{data.class_path}"


RECORDS: tuple[type[CurveRecord] | type[ExtrapolationRecord], ...] = (CurveRecord, ExtrapolationRecord)
"""The kinds of records that a score is made of."""


def _identity(quantity: str, data: DataSpec, settings: Mapping[str, Any]) -> str:
    given = {name: value for name, value in data.init_args.items() if value is not None}
    return json.dumps([quantity, data_path(data), given, canonical(dict(settings))], sort_keys=True)


def _budget(protocol: str, name: str, content: Any) -> Budget:
    budgets = content.get("budgets") if isinstance(content, dict) else None
    if not isinstance(budgets, dict) or set(content) != {"budgets"}:
        raise BenchError("must be a mapping with the one key budgets")
    if name not in budgets:
        raise UnknownNameError("budget", name, map(str, budgets))
    chosen = budgets[name]
    if not isinstance(chosen, dict) or set(chosen) != {"base", "cells"}:
        raise BenchError(f"budgets.{name} must be a mapping with the two keys base and cells")
    base = chosen["base"]
    require(isinstance(base, dict), f"budgets.{name}.base", base, "a mapping, as in a suite")
    return Budget(protocol, name, tuple(_suites(base, chosen["cells"])))


def _require_different_names(budget: Budget) -> None:
    """A cell that counts for the size is known by its algebra and supervision.

    Raises:
        BenchError: two have the same.
    """
    named = Counter((cell.algebra, str(cell.data.presentation.supervision)) for cell in budget.of("size"))
    for (algebra, supervision), number in named.items():
        if number > 1:
            raise BenchError(
                f"{number} cells that count for size have the algebra {algebra!r} and the supervision {supervision!r}; "
                f"name their algebras differently"
            )


def _suites(base: Json, entries: Any) -> Iterator[tuple[Suite, str, tuple[Measures, ...]]]:
    for entry in entries if isinstance(entries, list) else [entries]:
        if not isinstance(entry, dict) or set(entry) != {"algebra", "measures", "axes"}:
            raise BenchError(f"cells must hold mappings with algebra, measures and axes, got {entry!r}")
        algebra, measures = entry["algebra"], entry["measures"]
        require(isinstance(algebra, str), "algebra", algebra, "a text")
        require(isinstance(measures, list), "measures", measures, f"a list of {', '.join(MEASURES)}")
        for measure in measures:
            if measure not in MEASURES:
                raise UnknownNameError("measure", str(measure), MEASURES)
        quantities = list(dict.fromkeys(_QUANTITIES.get(measure, "curve") for measure in measures))
        axes = {**entry["axes"], "quantity": quantities}
        content = {"base": merged(base, {"model": _NO_MODEL}), "axes": axes}
        yield suite_of(algebra, content), algebra, tuple(measures)


def _protocol_cell(cell: Cell, algebra: str, measures: tuple[Measures, ...]) -> ProtocolCell:
    config = cell.full_config
    data = DataSpec(config["data"]["class_path"], config["data"]["init_args"])
    kinds = {"curve": CurveSettings} if cell.quantity == "curve" else {"extrapolation": ExtrapolationSettings}
    settings = {
        name: _settings(kind, config.get(name, {})) for name, kind in {"search": SearchSettings, **kinds}.items()
    }
    return ProtocolCell(algebra, measures, data, settings)


def _as_recorded(data: DataSpec) -> DataSpec:
    """The arguments of a shipped task as records hold them: some also at their default, others only if they differ.

    Shipped protocols are written like this, so that they are read without torch. Data of one's own stay as they are: to
    learn their defaults would run their code.
    """
    path = data_path(data)
    if path not in [f"ib_bench.data.{entry.class_name}" for entry in catalogue.entries(catalogue.TASKS)]:
        return data
    from ib_bench.training.instantiation import identifying_spec  # noqa: PLC0415 (loads torch)

    parameters = DataSpec(path).parameters.items()
    defaults = {name: one.default for name, one in parameters if one.default is not one.empty}
    return cast(DataSpec, identifying_spec(DataSpec(path, {**defaults, **data.init_args})))


def _settings(kind: type[Any], given: Json) -> Any:
    """Settings with numbers of the types that records have: 3 is 3.0 where a number need not be whole."""
    try:
        return msgspec.convert(msgspec.to_builtins(kind(**given)), kind)
    except msgspec.ValidationError as error:
        raise BenchError(str(error)) from error
