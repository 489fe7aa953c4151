"""Comparison of measured sizes: intervals of ratios, with the spread between seeds in them.

Ratios of success curves have 90 % intervals, from draws of both posteriors of N50. A single search is one draw of a
random variable, so the ratio of two is only known if the spread between seeds was measured on the same kind of cell:
then the interval reaches from bracket end to bracket end, and beyond both by the spread's share.

A size above all sequences that exist is no need for more data, so it has no lower end here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from scipy.stats import t

from ib_bench.quantities.known_size import KnownSize, even_places, interval_of
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.sharing.record import Sharing
from ib_bench.quantities.sharing.sampling import sampled_factor

MIN_DEGREES = 3
"""Degrees of freedom from which a measured spread counts: 4 repeats of one cell, or 2 of each of 3."""

UNDECIDED = "the interval holds the bound"
"""Why a pair is open whose ratio is known, but not well enough."""

_TAIL = 0.05  # probability on each side of a 90 % interval


@dataclass(frozen=True)
class Interval:
    """A number, known to lie between two others.

    Attributes:
        low: it is at least this.
        high: it is at most this, which may be infinite.
    """

    low: float
    high: float

    def __truediv__(self, other: Interval) -> Interval:
        """The quotient of two numbers above 0, the second of which may be as near to 0 as anything."""
        return Interval(self.low / other.high, self.high / other.low if other.low else math.inf)

    def at_least(self, bound: float) -> bool | None:
        """Whether it is at least ``bound``: True, False, or None where that is open."""
        if self.low >= bound:
            return True
        return False if self.high < bound else None

    def above(self, bound: float) -> bool | None:
        """Whether it is larger than ``bound``: True, False, or None where that is open."""
        if self.low > bound:
            return True
        return False if self.high <= bound else None


@dataclass(frozen=True)
class Threshold:
    """The bound that a statement sets for a number.

    Attributes:
        bound: that the number is compared with, above 0.
        strict: whether the number has to be larger than it, or at least as large.
        negated: whether the statement is that it is not.
    """

    bound: float
    strict: bool = False
    negated: bool = False

    def holds(self, interval: Interval) -> bool | None:
        """Whether the statement holds: True, False, or None where that is open."""
        answer = interval.above(self.bound) if self.strict else interval.at_least(self.bound)
        return answer if answer is None or not self.negated else not answer


def all_hold(interval: Interval, thresholds: Iterable[Threshold]) -> bool | None:
    """Whether statements hold for a number: False if one does not, None if one that matters is open.

    Args:
        interval: that the number lies in.
        thresholds: at least one.
    """
    answers = [threshold.holds(interval) for threshold in thresholds]
    if False in answers:
        return False
    return None if None in answers else True


@dataclass(frozen=True)
class SeedSpread:
    """The spread of N* of one cell between seeds.

    Attributes:
        octaves: standard deviation of log2 N*.
        degrees: degrees of freedom it was measured with.
    """

    octaves: float
    degrees: int

    def half_width(self, num_repeats: int) -> float:
        """By how many octaves the 90 % interval of a mean of repeats reaches beyond it.

        Args:
            num_repeats: at least 1.
        """
        return float(t.ppf(1 - _TAIL, self.degrees)) * self.octaves / math.sqrt(num_repeats)


def min_train_size(record: SearchRecord) -> Interval:
    """N* of a finished search, which is a whole number above the largest size that failed."""
    failing, succeeding = record.bracket
    return Interval(failing + 1, math.inf if succeeding is None else succeeding)


def is_exhausted(record: SearchRecord) -> bool:
    """Whether a search failed with all training sequences that exist, fewer than its settings allow, or had none."""
    return record.bracket[1] is None and record.max_size < record.config.settings.max_size


def seed_spread(cells: Iterable[Sequence[SearchRecord]]) -> SeedSpread | None:
    """The spread between seeds, pooled over cells of one kind.

    Half of a bracket more or less is part of it: the variance of a uniform distribution over the mean bracket is added.

    Args:
        cells: for each, searches that differ in nothing but their seeds, of which they share none.

    Returns:
        None if too few were repeated, or if some seeds of one cell succeed where others fail at all sizes: then the
        spread has no upper end.
    """
    squares, widths, degrees = 0.0, [], 0
    for repeats in cells:
        ends = [_log2(min_train_size(record)) for record in repeats]
        censored = sum(math.isinf(high) for _, high in ends)
        if len(repeats) < 2 or censored == len(repeats):
            continue
        if censored:
            return None
        middles = [(low + high) / 2 for low, high in ends]
        mean = sum(middles) / len(middles)
        squares += sum((middle - mean) ** 2 for middle in middles)
        widths += [high - low for low, high in ends]
        degrees += len(repeats) - 1
    if degrees < MIN_DEGREES:
        return None
    return SeedSpread(math.sqrt(squares / degrees + (sum(widths) / len(widths)) ** 2 / 12), degrees)


def ratio_of_searches(
    numerator: Sequence[SearchRecord], denominator: Sequence[SearchRecord], spreads: Sequence[SeedSpread]
) -> Interval:
    """N* of one cell over that of another.

    Args:
        numerator: searches of a cell that differ in their seeds alone.
        denominator: likewise.
        spreads: of both kinds of cells.
    """
    above, below = _mean(numerator), _mean(denominator)
    half_widths = [
        spread.half_width(len(repeats)) for spread, repeats in zip(spreads, (numerator, denominator), strict=True)
    ]
    return _exp2(above[0] - below[1], above[1] - below[0], math.hypot(*half_widths))


def ratio_of_curves(numerator: KnownSize, denominator: KnownSize) -> Interval:
    """N50 of one cell over that of another, a 90 % interval."""
    places = even_places(2)
    lows_above, highs_above = numerator.draws(places[:, 0], exhausted_low=-math.inf)
    lows_below, highs_below = denominator.draws(places[:, 1], exhausted_low=-math.inf)
    low, high = interval_of(lows_above - highs_below, highs_above - lows_below)
    return Interval(2**low, 2**high)


def sharing_interval(sharing: Sharing) -> Interval:
    """Kappa, with the brackets and the saturated evaluations of all its searches."""
    return Interval(sharing.low, sharing.high)


def sharing_of_searches(repeats: Sequence[Sharing], spread: SeedSpread) -> Interval:
    """Kappa from searches, with the spread between seeds. The logarithm of a sum spreads no more than that of a part.

    Args:
        repeats: of one cell, which differ in their seeds alone.
        spread: of the kind of cell.
    """
    ends = [_log2(sharing_interval(sharing)) for sharing in repeats]
    low, high = (sum(own) / len(ends) for own in zip(*ends, strict=True))
    return _exp2(low, high, math.sqrt(2) * spread.half_width(len(repeats)))


def sharing_of_curves(joint: KnownSize, parts: Sequence[KnownSize | None]) -> Interval:
    """Kappa from success curves: the sum of N50 at each length alone over N50 at all, a 90 % interval.

    Args:
        joint: N50 over all lengths.
        parts: at each length alone; None where nothing can be held out, so that it may be anything.
    """
    estimate = sampled_factor(joint, parts)
    return Interval(estimate.low, estimate.high)


def could_go_either_way(numerator: Interval, denominator: Interval, limits: tuple[float, float], bound: float) -> bool:
    """Whether a ratio could have come out on both sides of a bound, given one of the sizes that were measured.

    Without this, a size above the largest that was tried could speak on one side only. Numerator and denominator are
    treated alike.

    Args:
        numerator: a size, known up to an interval.
        denominator: likewise.
        limits: the largest sizes that could be tried, of both.
        bound: of the ratio, above 0.
    """
    limit_above, limit_below = limits
    given_denominator = limit_above + 1 >= bound * denominator.high and 1 < bound * denominator.low
    given_numerator = numerator.low >= bound and numerator.high < bound * (limit_below + 1)
    return given_denominator or given_numerator


def size_interval(size: KnownSize) -> Interval:
    """N50, a 90 % interval."""
    places = even_places(1)[:, 0]
    low, high = interval_of(*size.draws(places, exhausted_low=-math.inf))
    return Interval(2**low, 2**high)


def _mean(repeats: Sequence[SearchRecord]) -> tuple[float, float]:
    """Mean of the logarithms of both bracket ends; a size above all sequences that exist has no lower end."""
    ends = []
    for record in repeats:
        low, high = _log2(min_train_size(record))
        ends.append((-math.inf if is_exhausted(record) else low, high))
    low, high = (sum(own) / len(ends) for own in zip(*ends, strict=True))
    return low, high


def _log2(interval: Interval) -> tuple[float, float]:
    low, high = (math.log2(end) if end else -math.inf for end in (interval.low, interval.high))
    return low, high


def _exp2(low: float, high: float, half_width: float) -> Interval:
    return Interval(2 ** (low - half_width), 2 ** (high + half_width))
