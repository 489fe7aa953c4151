"""Records, arranged for comparison: which results form a pair, and the ratio of each pair.

A pair is decided where the interval of its ratio decides. The interval is that of two success curves where both cells
have one. Otherwise it is that of two searches, if the spread between seeds was measured on both kinds of cells. A kind
is an architecture under one kind of supervision and one protocol.

Open is a pair

* whose interval holds the bound,
* of single searches, if the spread between their seeds is unknown,
* of which one side fails with all sequences that exist: that is no need for more data,
* of which one side lies above the largest size, if its architecture and supervision never succeed under this protocol
  with lengths of the same distribution, at any task and L: then the budget may be what is missing,
* that only one outcome was possible, given the size that was measured.

All of these hold for both sides of a ratio alike. So where both sizes are equally likely to be the larger one, a
decided pair is as likely to speak for a statement as against it, however many sizes lie above the largest. Each curve
or search is part of at most one ratio of a statement. Kappas at several L share curves: there, see
:func:`~ib_bench.studies.verdict.groups`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.growth.cell import Cell, cells, search_protocol, trial_protocol
from ib_bench.quantities.growth.record import LENGTH, Growth, growths
from ib_bench.quantities.known_size import KnownSize, of_curve
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.sharing.record import ALONE, Sharing, sharings_in
from ib_bench.results.archive import Records
from ib_bench.results.identity import canonical
from ib_bench.results.records import MIN_LENGTH, experiment_text
from ib_bench.studies.comparison import (
    UNDECIDED,
    Interval,
    SeedSpread,
    Threshold,
    all_hold,
    could_go_either_way,
    is_exhausted,
    min_train_size,
    ratio_of_curves,
    ratio_of_searches,
    seed_spread,
    sharing_of_curves,
    sharing_of_searches,
    size_interval,
)
from ib_bench.studies.verdict import Pair, chance_of

SPREAD_UNKNOWN = "single search, spread unknown"
EXHAUSTED = "all sequences that exist are not enough, or none can be held out"
ONE_SIDED = "only one outcome was possible"
NEVER_SUCCEEDS = "never succeeds under this protocol: the budget may be too small"

CERTAINTY = 0.95


class Sides(NamedTuple):
    """Two cells whose sizes are compared."""

    numerator: Cell
    denominator: Cell


@dataclass(frozen=True)
class Known:
    """The estimate of a number.

    Attributes:
        measure: what the number is made of.
        records: keys of the records that it rests on.
        interval: that it lies in; None if it may be anything.
        why_open: why no statement about it is decided; empty where one may be.
        objection: why it decides nothing, although its interval would; empty where there is none.
    """

    measure: str
    records: tuple[str, ...] = ()
    interval: Interval | None = None
    why_open: str = ""
    objection: str = ""

    def pair(self, title: str, stratum: str, *thresholds: Threshold) -> Pair:
        """The pair of a statement about it.

        Args:
            title: what the number is of.
            stratum: that it is counted in.
            thresholds: all of which have to hold.
        """
        answer = None if self.interval is None else all_hold(self.interval, thresholds)
        why_open = self.why_open or (UNDECIDED if answer is None else self.objection)
        return Pair(title, stratum, self.measure, self.interval, None if why_open else answer, why_open, self.records)


class Evidence:
    """Records, arranged for comparison.

    Args:
        records: of one store. Models from elsewhere are left out, and curves whose trials share data or weights.
    """

    def __init__(self, records: Records) -> None:
        everything = records.derived(cells)
        self.cells = [cell for cell in everything if cell.experiment.model.is_shipped and not cell.is_held]
        self._records = records
        self._by_setting = {cell.setting(): cell for cell in self.cells}

    def of(self, models: Sequence[str], supervision: str, length_distribution: str | None = None) -> list[Cell]:
        """The cells of some architectures under one regime.

        Args:
            models: names of the architectures.
            supervision: name of the regime.
            length_distribution: name of the distribution; None takes all.
        """
        return [
            cell
            for cell in self.cells
            if cell.labels.model in models
            and cell.labels.supervision == supervision
            and length_distribution in (None, cell.labels.length_distribution)
        ]

    def counterparts(self, denominators: Iterable[Cell], **changes: object) -> list[Sides]:
        """Each cell, and the one that differs in these init arguments of the data and in nothing else, if it exists."""
        sides = [(self._by_setting.get(cell.setting(changes)), cell) for cell in denominators]
        return [Sides(other, cell) for other, cell in sides if other is not None]

    def opposed(self, numerators: Iterable[Cell], denominators: Iterable[Cell]) -> list[Sides]:
        """Cells that differ in the model alone. If an architecture has several variants, each is part of one pair."""
        by_setting: dict[str, list[Cell]] = {}
        for cell in sorted(numerators, key=Cell.setting):
            by_setting.setdefault(cell.setting(of_model=False), []).append(cell)
        sides = []
        for cell in sorted(denominators, key=Cell.setting):
            others = by_setting.get(cell.setting(of_model=False))
            if others:
                sides.append(Sides(others.pop(0), cell))
        return sides

    def ratio(self, sides: Sides, bound: float) -> Known:
        """The estimate of the ratio of two cells' sizes.

        Args:
            sides: of the ratio.
            bound: that it is compared with.
        """
        above, below = map(_size, sides)
        if above is not None and below is not None:
            limits = (2**above.limit, 2**below.limit)
            is_one_sided = not could_go_either_way(size_interval(above), size_interval(below), limits, bound)
            return Known(
                "N50",
                self._curve_keys(sides),
                ratio_of_curves(above, below),
                "" if above.is_informative and below.is_informative else EXHAUSTED,
                self._never_succeeds(sides) or (ONE_SIDED if is_one_sided else ""),
            )
        shared = [protocol for protocol in sides.numerator.searches if protocol in sides.denominator.searches]
        if not shared:
            are_exhausted = any(map(self._is_exhausted, sides))
            incomparable = "one is a search, the other a curve, or they search in different ways"
            return Known("", why_open=EXHAUSTED if are_exhausted else incomparable)
        protocol = max(shared, key=lambda protocol: min(len(cell.searches[protocol]) for cell in sides))
        return self._ratio_of_searches(sides, protocol, bound)

    def falls(self, series: Sequence[Cell]) -> Known:
        """The size at the shortest maximal length over that at the longest.

        From the slope over all lengths, which has the scatter of cells in it; one of single searches decides nothing
        where their spread is unknown. With too few lengths for a slope, from the shortest and the longest that are not
        exhausted.

        Args:
            series: at least 2 cells that differ in the maximal length alone, ascending.
        """
        keys = {key for cell in series for key in cell.keys}
        for own, growth in self._growths:
            if keys.issuperset(own) and growth.fit is not None:
                change = growth.fit.change
                low = 0.0 if change.high is None else 2**-change.high
                high = math.inf if change.low is None else 2**-change.low
                why_open = SPREAD_UNKNOWN if growth.measure != "N50" and not self._has_spread(series, own) else ""
                return Known(f"slope of {growth.measure}", own, Interval(low, high), why_open)
        usable = [cell for cell in series if not self._is_exhausted(cell)]
        if len(usable) < 2:
            return Known("", tuple(sorted(keys)), why_open=EXHAUSTED)
        return self.ratio(Sides(usable[0], usable[-1]), bound=1)

    def kappa(self, joint: Cell) -> Known | None:
        """The estimate of the sharing factor.

        Args:
            joint: a cell over all lengths.

        Returns:
            None if cells at one length are missing, or there is only one length, which has nothing to share.
        """
        lengths = range(MIN_LENGTH, (joint.labels.max_length or 0) + 1)
        if len(lengths) < 2:
            return None
        settings = [joint.setting({"length_distribution": ALONE, LENGTH: length}) for length in lengths]
        parts = [self._by_setting[setting] for setting in settings if setting in self._by_setting]
        everything = [joint, *parts]
        if len(parts) < len(lengths):
            return None
        size = _size(joint)
        if size is not None and all(part.curve is not None for part in parts):
            interval = sharing_of_curves(size, list(map(_size, parts)))
            objection = self._never_succeeds(everything)
            return Known("N50", self._curve_keys(everything), interval, objection=objection)
        found = [
            [self._sharings[own.key] for own in searches if own.key in self._sharings]
            for searches in joint.searches.values()
        ]
        repeats = max(found, key=len, default=[])
        if not repeats:
            return None
        records = [record for sharing in repeats for record in (sharing.measured, *sharing.parts.values())]
        keys = tuple(record.key for record in records)
        spread = self._spreads.get(_kind(joint, search_protocol(repeats[0].config.settings)))
        if spread is None:
            return Known("N*", keys, why_open=SPREAD_UNKNOWN)
        objection = self._never_succeeds(everything)
        return Known("N*", keys, sharing_of_searches(repeats, spread), objection=objection)

    def accuracy(self, cell: Cell) -> float | None:
        """Normalised final-state accuracy at twice the training length; of several seeds the mean."""
        found = self._accuracies.get(cell.setting(), {})
        return sum(found.values()) / len(found) if found else None

    def no_size_suffices(self, cell: Cell, stratum: str) -> Pair:
        """Whether training fails more often than not at every size, with 95 % certainty.

        From the probability that N50 lies above the largest size, or from at least 5 searches with seeds of their own.

        Args:
            cell: that is judged.
            stratum: that it is counted in.
        """
        size = _size(cell)
        if size is not None:
            measure, keys, why_open = "N50", self._curve_keys([cell]), UNDECIDED
            above = size.probability_above
            is_sure, fails = not 1 - CERTAINTY < above < CERTAINTY, above > 0.5
        else:
            searches = [one for one in max(cell.searches.values(), key=len, default=[]) if one.max_size]
            measure, keys, why_open = "N*", tuple(search.key for search in searches), SPREAD_UNKNOWN
            num_censored = sum(search.censored for search in searches)
            num_found = len(searches) - num_censored
            is_sure, fails = chance_of(num_censored, num_found) <= 1 - CERTAINTY, num_censored > num_found
        objection = ""
        if is_sure and fails:
            objection = EXHAUSTED if self._is_exhausted(cell) else self._never_succeeds([cell])
        why_open = objection if is_sure else why_open
        return Pair(experiment_text(cell.labels), stratum, measure, None, None if why_open else fails, why_open, keys)

    @cached_property
    def _growths(self) -> list[tuple[tuple[str, ...], Growth]]:
        """Series over the maximal length with the keys of their cells, those of curves first, longer ones first."""
        everything = self._records.derived(growths)
        own = [growth for growth in everything if growth.config.experiment.model.is_shipped]
        found = [growth for growth in own if growth.argument == LENGTH and not growth.is_pooled]
        found.sort(key=lambda growth: (growth.measure != "N50", -len(growth.cells)))
        return [(tuple(cell.record.key for cell in growth.cells), growth) for growth in found]

    @cached_property
    def _sharings(self) -> dict[str, Sharing]:
        """Kappas from searches, by the key of the search over all lengths."""
        return {one.key: one for one in self._records.derived(sharings_in) if one.joint is not None}

    @cached_property
    def _accuracies(self) -> dict[str, dict[str, float]]:
        """Accuracy at twice the training length by setting and seeds; that with the most sequences counts."""
        found: dict[str, dict[str, float]] = {}
        extrapolations = self._records.of(ExtrapolationRecord)
        for record in sorted(extrapolations, key=lambda one: (one.config.settings.num_sequences, one.key)):
            if record.headline_accuracy is not None:
                config = record.config
                cell = Cell(config.experiment, trial_protocol(config.search), None, {})
                found.setdefault(cell.setting(), {})[str(config.search.seeds)] = record.headline_accuracy
        return found

    @cached_property
    def _spreads(self) -> dict[str, SeedSpread | None]:
        """The spread between seeds of every kind of cell."""
        groups: dict[str, list[Sequence[SearchRecord]]] = {}
        for cell in self.cells:
            for protocol, searches in cell.searches.items():
                groups.setdefault(_kind(cell, protocol), []).append(searches)
        return {kind: seed_spread(own) for kind, own in groups.items()}

    @cached_property
    def _successful(self) -> set[str]:
        """Kinds of cells of which one has succeeded at some size."""
        return {_kind(cell, cell.labels.length_distribution) for cell in self.cells if self._has_succeeded(cell)}

    def _has_spread(self, cells: Iterable[Cell], keys: Sequence[str]) -> bool:
        """Whether the spread between seeds was measured on the kinds of cells that some searches are of.

        Args:
            cells: that have these searches, and maybe others.
            keys: of the searches.
        """
        kinds = {
            _kind(cell, protocol)
            for cell in cells
            for protocol, searches in cell.searches.items()
            if any(search.key in keys for search in searches)
        }
        return bool(kinds) and all(self._spreads[kind] is not None for kind in kinds)

    def _ratio_of_searches(self, sides: Sides, protocol: str, bound: float) -> Known:
        repeats = [cell.searches[protocol] for cell in sides]
        keys = tuple(search.key for own in repeats for search in own)
        if any(is_exhausted(search) for own in repeats for search in own):
            return Known("N*", keys, why_open=EXHAUSTED)
        spreads = [spread for cell in sides if (spread := self._spreads[_kind(cell, protocol)]) is not None]
        if len(spreads) < len(sides):
            return Known("N*", keys, why_open=SPREAD_UNKNOWN)
        above, below = (_hull(map(min_train_size, own)) for own in repeats)
        limits = (repeats[0][0].max_size, repeats[1][0].max_size)
        is_one_sided = not could_go_either_way(above, below, limits, bound)
        objection = self._never_succeeds(sides) or (ONE_SIDED if is_one_sided else "")
        return Known("N*", keys, ratio_of_searches(repeats[0], repeats[1], spreads), objection=objection)

    def _never_succeeds(self, cells: Iterable[Cell]) -> str:
        """The objection to cells above the largest size whose kind has succeeded nowhere."""
        failing = [cell for cell in cells if not self._has_succeeded(cell) and not self._is_exhausted(cell)]
        kinds = {_kind(cell, cell.labels.length_distribution) for cell in failing}
        return "" if kinds <= self._successful else NEVER_SUCCEEDS

    @staticmethod
    def _has_succeeded(cell: Cell) -> bool:
        """Whether N50 more likely lies below the largest size, and a trial succeeded; or a search found an N*."""
        size = _size(cell)
        if size is not None and cell.curve is not None:
            return not size.is_above and cell.curve.has_succeeded
        return any(search.min_train_size is not None for own in cell.searches.values() for search in own)

    @staticmethod
    def _is_exhausted(cell: Cell) -> bool:
        """Whether all sequences that exist are not enough, or none can be held out."""
        size = _size(cell)
        if size is not None:
            return not size.is_informative
        return any(is_exhausted(search) for own in cell.searches.values() for search in own)

    @staticmethod
    def _curve_keys(cells: Iterable[Cell]) -> tuple[str, ...]:
        return tuple(cell.curve.key for cell in cells if cell.curve is not None)


def _size(cell: Cell) -> KnownSize | None:
    """N50 of a cell; None if there is no success curve, or no size to try."""
    return None if cell.curve is None else of_curve(cell.curve)


def _kind(cell: Cell, *more: object) -> str:
    """What cells have in common that differ in task, maximal length and length distribution alone."""
    model = canonical(cell.experiment.model)
    return json.dumps([model, cell.labels.supervision, cell.experiment.trainer, cell.protocol, *more], sort_keys=True)


def _hull(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that holds all of them."""
    own = list(intervals)
    return Interval(min(one.low for one in own), max(one.high for one in own))
