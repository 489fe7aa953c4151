"""Sentences about many results: counts and medians, each with its 90 % interval."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, Generic, TypeVar

from ib_bench.drawing.labels import Labelled
from ib_bench.plain_text import number_of
from ib_bench.results.identity import canonical, options

T = TypeVar("T")

MAX_CLAUSES = 3
"""Clauses of a sentence; more are not read, and the tables have them."""

_TAIL = 0.05  # on each side of a 90 % interval
_PER_MODEL = {"learning_rates"}  # each architecture has the grid that suits it
_PER_REPEAT = {"seeds", "first_seed"}  # a cell that is measured again with others is no second cell


def share_interval(number: int, total: int) -> tuple[float, float]:
    """The exact 90 % interval of a share, by Clopper and Pearson (1934).

    Args:
        number: how many of ``total``.
        total: at least 1.
    """
    from scipy.stats import beta  # noqa: PLC0415 (a second, which listings need not wait for)

    low = float(beta.ppf(_TAIL, number, total - number + 1)) if number else 0.0
    high = float(beta.ppf(1 - _TAIL, number + 1, total - number)) if number < total else 1.0
    return low, high


def share_text(number: int, total: int) -> str:
    """A share with its interval, such as ``9 of 10 cells, 61 to 99 %``."""
    low, high = share_interval(number, total)
    return f"{number:,} of {number_of(total, 'cells')}, {100 * low:.0f} to {100 * high:.0f} %"


def median_interval(values: Sequence[float]) -> tuple[float, float, float] | None:
    """The median between two order statistics that hold it with a probability of at least 90 %.

    Args:
        values: in any order.

    Returns:
        Lower end, median, upper end; None for fewer than 5 values, which have no such interval.
    """
    from scipy.stats import binom  # noqa: PLC0415 (as above)

    ordered, number = sorted(values), len(values)
    if number == 0 or 0.5**number > _TAIL:
        return None
    rank = int(binom.ppf(_TAIL, number, 0.5))  # how many values may lie below the lower end
    while binom.cdf(rank - 1, number, 0.5) > _TAIL:
        rank -= 1
    middle = (ordered[(number - 1) // 2] + ordered[number // 2]) / 2
    return ordered[rank - 1], middle, ordered[number - rank]


def joined(clauses: Sequence[str]) -> str:
    """Clauses as one; the first few where there are many.

    Args:
        clauses: the most telling first.
    """
    left = len(clauses) - MAX_CLAUSES
    more = [f"{left} more in the tables"] if left > 0 else []
    return "; ".join([*clauses[:MAX_CLAUSES], *more])


class Cells(Generic[T]):
    """Results side by side: those of several models that differ in nothing else."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str, str], dict[str, T]] = {}
        self._shared: dict[str, list[dict[str, T]]] = {}  # by regime
        self._models: dict[str, None] = {}

    def add(self, source: str, supervision: str, model: str, result: Labelled, value: T) -> None:
        """Put a result into its cell; the first of a model counts.

        Args:
            source: name of the store or archive that it is from.
            supervision: regime.
            model: text of the model.
            result: whose data and settings say which cell it is in.
            value: that is compared.
        """
        settings: dict[str, Any] = {}
        for name, section in options(result.config).items():
            if name != "experiment" and is_dataclass(section):
                own = options(section)
                settings[name] = {key: own[key] for key in own.keys() - _PER_MODEL - _PER_REPEAT}
                settings[name]["num_seeds"] = len(own.get("seeds", ()))
        experiment = result.config.experiment
        place = json.dumps(canonical([experiment.data, settings]), sort_keys=True, default=str)
        values = self._cells.setdefault((supervision, source, place), {})
        if model not in values:
            values[model] = value
            if len(values) == 2:
                self._shared.setdefault(supervision, []).append(values)
        self._models[model] = None

    def shared(self, supervision: str) -> list[dict[str, T]]:
        """The values by model of each cell that several models share.

        Args:
            supervision: regime.
        """
        return self._shared.get(supervision, [])

    def only_shared(self, supervision: str) -> dict[str, T]:
        """The values by model of the one cell that several models share; empty if there is none, or more than one.

        Args:
            supervision: regime.
        """
        shared = self.shared(supervision)
        return shared[0] if len(shared) == 1 else {}

    @property
    def supervisions(self) -> list[str]:
        """All regimes, as they came."""
        return list(dict.fromkeys(regime for regime, _, _ in self._cells))

    @property
    def models(self) -> list[str]:
        """All models, as they came."""
        return list(self._models)


Known = tuple[float, float]
"""A size is above the first number, and at most the second, which may be infinite."""


def needs_sentence(measure: str, cells: Cells[Known]) -> str:
    """Which model needs least under each regime, and of which other one the intervals tell that it needs more.

    Args:
        measure: what the sizes are, such as ``N*``.
        cells: what is known of the sizes.

    Returns:
        A sentence; empty without two models to compare.
    """
    clauses = []
    shared = {supervision: cells.shared(supervision) for supervision in cells.supervisions}
    if not any(shared.values()):
        return ""
    for supervision, own in shared.items():
        wins = _wins(own)
        first, *others = sorted(cells.models, key=lambda model: -wins[model])
        if clause := next(filter(None, (_clause(first, other, own) for other in others)), ""):
            clauses.append(f"with {supervision or 'this'} supervision {clause}")
    if not clauses:
        return f"No cell tells which model needs the smaller {measure}."
    return f"Data needed ({measure}): {joined(clauses)}."


def _wins(cells: Sequence[Mapping[str, Known]]) -> Counter[str]:
    """How many other models each one needs less than, over all cells; by sorting, as a cell may have thousands."""
    wins: Counter[str] = Counter()
    for values in cells:
        lows = sorted(low for low, _ in values.values())
        for model, (low, high) in values.items():
            num_above = len(lows) - bisect_left(lows, high)
            wins[model] += num_above - (low >= high)  # without itself
    return wins


def _clause(first: str, second: str, cells: Sequence[Mapping[str, Known]]) -> str:
    """Which of two models needs less; empty where no cell tells."""
    pairs = [(values[first], values[second]) for values in cells if first in values and second in values]
    number = sum(one[1] <= other[0] for one, other in pairs)
    total = number + sum(other[1] <= one[0] for one, other in pairs)
    if total == 0:
        return ""
    counted = f"({share_text(number, total)})"
    if share_interval(number, total)[0] > 0.5:
        return f"{first} needs less than {second} {counted}"
    return f"it is open whether {first} or {second} needs less {counted}"
