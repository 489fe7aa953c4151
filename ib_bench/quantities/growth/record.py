"""Growth: a series of cells that differ in the maximal length, or in the size of the task, and the slope of N over it.

Growth is not stored: it is derived from success curves, or from searches.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from ib_bench import catalogue
from ib_bench.errors import require
from ib_bench.quantities.curve.record import CurveConfig, CurveRecord
from ib_bench.quantities.growth.cell import Cell, Measure, cells
from ib_bench.quantities.num_states import num_states
from ib_bench.quantities.search.record import SearchConfig, SearchRecord
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import Labels

if TYPE_CHECKING:
    from ib_bench.quantities.growth.slope import Fit
    from ib_bench.quantities.known_size import KnownSize

Variable = Literal["L", "states"]

LENGTH = "max_length"
"""The init argument of the data that is the maximal length; all other integers are arguments of the task."""

MIN_PLACES = 3
"""Different lengths, or numbers of states, that a series needs."""

_OF_CURVES = "curves"
"""In place of how a search tries sizes."""


@dataclass(frozen=True)
class GrowthSettings:
    """The cells that ``ib-bench growth`` measures.

    Args:
        argument: init argument of the data that varies: ``max_length``, or an integer of the task, such as ``modulus``.
        values: values of that argument, at least 3; an empty list stands for all lengths from 2 to ``data.max_length``.

    Raises:
        InvalidOptionError: fewer than 3 values, or one twice.
    """

    argument: str = LENGTH
    values: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        is_series = len(set(self.values)) == len(self.values) >= MIN_PLACES
        allowed = "a list of at least 3 integers, none twice, or an empty list"
        require(is_series or not self.values, "growth.values", self.values, allowed)


@dataclass(frozen=True, eq=False)
class Measured:
    """A cell of a series.

    Attributes:
        x: maximal length, or number of states.
        record: success curve or search.
    """

    x: int
    record: CurveRecord | SearchRecord

    @cached_property
    def size(self) -> KnownSize | None:
        """The estimate of N50 or N*; None where no size could be tried."""
        from ib_bench.quantities.known_size import of_curve, of_search  # noqa: PLC0415 (loads numpy)

        return of_curve(self.record) if isinstance(self.record, CurveRecord) else of_search(self.record)


@dataclass(frozen=True)
class Growth:
    """One or several series of cells that share a slope.

    Attributes:
        variable: what the size is drawn against.
        argument: init argument of the data in which the cells of a series differ.
        measure: what was measured of each cell.
        series: of cells, each ascending.
        labels: what all cells have in common; task arguments and maximal length only where they do.
    """

    variable: Variable
    argument: str
    measure: Measure
    series: tuple[tuple[Measured, ...], ...]
    labels: Labels

    def __str__(self) -> str:
        return str(catalogue.quantity("growth").drawing(self))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Json:
        """The view in a notebook."""
        shown: Json = catalogue.quantity("growth").drawing(self)._repr_mimebundle_()
        return shown

    @property
    def cells(self) -> list[Measured]:
        """The cells of all series."""
        return [cell for own in self.series for cell in own]

    @property
    def is_pooled(self) -> bool:
        """Whether several series share the slope, each with a level of its own."""
        return len(self.series) > 1

    @property
    def has_enough_places(self) -> bool:
        """Whether one of the series has 3 different places, without which there is no slope."""
        return any(len({cell.x for cell in own}) >= MIN_PLACES for own in self.series)

    @property
    def key(self) -> str:
        """The key of the last cell."""
        return self.cells[-1].record.key

    @property
    def config(self) -> CurveConfig | SearchConfig:
        """The config of the last cell."""
        return self.cells[-1].record.config

    @property
    def num_states(self) -> int | None:
        """Number of the task's states, where all cells have the same."""
        numbers = {cell.record.num_states for cell in self.cells}
        return numbers.pop() if len(numbers) == 1 else None

    @cached_property
    def fit(self) -> Fit | None:
        """Both laws; None for too few sizes."""
        from ib_bench.quantities.growth.slope import Point, fit  # noqa: PLC0415 (loads scipy)

        return fit([[Point(cell.x, size) for cell in own if (size := cell.size) is not None] for own in self.series])


def growths(records: Records) -> list[Growth]:
    """Every series of at least 3 cells that differ in one argument, and every set of series that can share a slope.

    A series of N* is left out if there are success curves of as many of its cells.

    Args:
        records: of one store.
    """
    single: dict[tuple[str, str, str], list[tuple[Measured, Cell]]] = {}
    pools: dict[tuple[str, str], list[Growth]] = {}
    every_cell = records.derived(cells)
    integers = _integers(every_cell)
    for cell in every_cell:
        for argument in _arguments(cell, integers[cell.experiment.data.class_path]):
            x = cell.labels.max_length if argument == LENGTH else cell.num_states
            for protocol, measured in _measured(cell, x or 0):
                single.setdefault((cell.setting({argument: None}), argument, protocol), []).append((measured, cell))
    num_places = {series: len({measured.x for measured, _ in own}) for series, own in single.items()}
    found = []
    for (setting, argument, protocol), own in single.items():
        number = num_places[setting, argument, protocol]
        rival = 0 if protocol == _OF_CURVES else num_places.get((setting, argument, _OF_CURVES), 0)
        if number < 2 or rival >= number:
            continue
        cell = own[0][1]
        growth = _growth(argument, [sorted((measured for measured, _ in own), key=_place)], cell.labels)
        of_task = [*cell.labels.task_arguments, *integers[cell.experiment.data.class_path]]
        everything = {LENGTH: None, **dict.fromkeys(of_task)}
        pools.setdefault((cell.setting(everything), json.dumps([argument, protocol])), []).append(growth)
        found.append(growth)
    pooled = [
        _growth(own[0].argument, [growth.series[0] for growth in own], own[0].labels)
        for own in pools.values()
        if len(own) > 1
    ]
    return [growth for growth in [*found, *pooled] if growth.has_enough_places]


def _integers(every_cell: Iterable[Cell]) -> dict[str, dict[str, None]]:
    """For each class of data, the integer arguments of the task that any cell names, in order.

    A cell that does not name one of them has its default: keys leave defaults out.
    """
    found: dict[str, dict[str, None]] = {}
    for cell in every_cell:
        own = found.setdefault(cell.experiment.data.class_path, {})
        own.update({name: None for name, value in cell.labels.task_arguments.items() if type(value) is int})
    return found


def _arguments(cell: Cell, integers: Iterable[str]) -> list[str]:
    """The init arguments of the data over which the cell can be part of a series.

    Args:
        cell: to be placed.
        integers: arguments of its task.
    """
    given = cell.labels.task_arguments
    named = [name for name, value in given.items() if type(value) is int]
    at_default = [name for name in integers if name not in given]
    return [*([LENGTH] if cell.labels.max_length else []), *([*named, *at_default] if cell.num_states else [])]


def _measured(cell: Cell, x: int) -> list[tuple[str, Measured]]:
    """What was measured of a cell, each with what series of it have in common."""
    found = [(protocol, Measured(x, search)) for protocol, own in cell.searches.items() for search in own]
    return found if cell.curve is None else [(_OF_CURVES, Measured(x, cell.curve)), *found]


def _place(measured: Measured) -> tuple[int, str]:
    return measured.x, measured.record.key


def _growth(argument: str, series: Iterable[Sequence[Measured]], labels: Labels) -> Growth:
    """A growth with the labels that its cells share."""
    own = tuple(tuple(cells) for cells in series)
    is_curve = isinstance(own[0][0].record, CurveRecord)
    of_task = {} if len(own) > 1 else {name: v for name, v in labels.task_arguments.items() if name != argument}
    length = None if len(own) > 1 or argument == LENGTH else labels.max_length
    return Growth(
        "L" if argument == LENGTH else "states",
        argument,
        "N50" if is_curve else "N*",
        own,
        replace(labels, task_arguments=of_task, max_length=length),
    )


def growth_of(records: Sequence[CurveRecord]) -> Growth:
    """The growth over cells that were measured for it.

    Args:
        records: of experiments that differ in one init argument of the data, and in nothing else.
    """
    arguments = [record.config.experiment.data.init_args for record in records]
    names = dict.fromkeys(name for given in arguments for name in given)  # one at its default is not named
    differing = [name for name in names if len({str(given.get(name)) for given in arguments}) > 1]
    argument = differing[0] if differing else LENGTH
    measured = [
        Measured((record.labels.max_length if argument == LENGTH else num_states(record)) or 0, record)
        for record in records
    ]
    placed = [one for one in measured if one.x]  # a task of one's own has no known number where nothing is held out
    return _growth(argument, [sorted(placed or measured, key=_place)], records[0].labels)
