"""Estimates, and ranks with their uncertainty: pure rules, without stores or models.

*Ranks.* A model is ranked above another only if their 90 % intervals do not overlap. Its rank is a range: from one more
than the number of models that are surely better, to the number of those that are not surely worse. Intervals of equal
width that just fail to overlap differ by 2.3 standard errors. Chance brings that about in one of 50 pairs of equal
models; a probability of 95 % that one is better, as the rule, would order one of ten. With twenty models there are 190
pairs. The probability that a model needs less than the next one is shown beside the ranks, and decides nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Estimate:
    """A number with a 90 % interval.

    Attributes:
        low: lower end; minus infinity where nothing is known.
        median: None where it is not known.
        high: upper end; infinity where nothing is known.
        lows: draws of what it is at least, ascending; empty where there are none.
        highs: of what it is at most, likewise.
    """

    low: float
    median: float | None
    high: float
    lows: tuple[float, ...] = field(default=(), repr=False, compare=False)
    highs: tuple[float, ...] = field(default=(), repr=False, compare=False)

    @staticmethod
    def exactly(value: float) -> Estimate:
        """A number without an interval."""
        return Estimate(value, value, value)

    def order(self, lower_is_better: bool = True, is_ratio: bool = False) -> float:
        """The place of the number among others: the median, or else the middle of the interval.

        An interval that is open to one side has no middle. Its worse end counts, be it infinite, as what is not known
        must not be an advantage.

        Args:
            lower_is_better: whether small numbers are good.
            is_ratio: whether numbers are above 0, so that a lower end of 0 says nothing.

        Example:
            >>> Estimate(2325, None, math.inf).order(), Estimate(2325, None, math.inf).order(lower_is_better=False)
            (inf, 2325)
        """
        if self.median is not None:
            return self.median
        if math.isinf(self.low) or math.isinf(self.high) or (is_ratio and self.low <= 0):
            return self.high if lower_is_better else self.low
        return (self.low + self.high) / 2


@dataclass(frozen=True)
class Rank:
    """A range of ranks, 1 is best.

    Attributes:
        best: one more than the number of those that are surely better.
        worst: the number of those that are not surely worse.
    """

    best: int
    worst: int

    def __str__(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best}-{self.worst}"


@dataclass(frozen=True)
class Standing:
    """The place of a model in a league.

    Attributes:
        rank: among the contestants.
        num_models: contestants, itself included.
        by: heading of the number that is ranked by.
        league: that is meant, as it follows "12 models".
    """

    rank: Rank
    num_models: int
    by: str
    league: str


def ranks(estimates: Sequence[Estimate], lower_is_better: bool = True) -> list[Rank]:
    """The possible ranks of each.

    Args:
        estimates: of the contestants.
        lower_is_better: whether small numbers are good.

    Returns:
        A range for each; those whose intervals overlap are not ranked apart, and so are equal numbers.

    Example:
        >>> [str(rank) for rank in ranks([Estimate(1, 2, 3), Estimate(2, 3, 4), Estimate(5, 6, 7)])]
        ['1-2', '1-2', '3']
    """
    found = []
    for own in estimates:
        better = sum(_is_surely_better(other, own, lower_is_better) for other in estimates)
        worse = sum(_is_surely_better(own, other, lower_is_better) for other in estimates)
        found.append(Rank(1 + better, len(estimates) - worse))
    return found


def _is_surely_better(one: Estimate, other: Estimate, lower_is_better: bool) -> bool:
    return one.high < other.low if lower_is_better else one.low > other.high
