"""What is surely known when measured numbers are compared.

A search leaves N* in a half-open interval, (largest size that failed, smallest that succeeded]; the upper end of a
censored one is infinite. Ratios of such numbers lie in intervals too, and a statement about a ratio is then true, false
or open. Nothing here guesses where in its interval a number is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.sharing.record import Sharing


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


def min_train_size(record: SearchRecord) -> Interval:
    """N* of a finished search, which is a whole number above the largest size that failed."""
    failing, succeeding = record.bracket
    return Interval(failing + 1, math.inf if succeeding is None else succeeding)


def sharing_interval(sharing: Sharing) -> Interval:
    """Kappa, with the brackets and the saturated evaluations of all its searches."""
    return Interval(sharing.low, sharing.high)


@dataclass(frozen=True)
class Count:
    """How many comparisons speak for a statement, against it, and for neither.

    Attributes:
        true: comparisons in which it surely holds.
        false: comparisons in which it surely does not.
        open: comparisons that what is known cannot decide.
    """

    true: int
    false: int
    open: int

    @property
    def decided(self) -> int:
        """Number of comparisons that say something."""
        return self.true + self.false


def count(answers: Iterable[bool | None]) -> Count:
    """Count answers."""
    answers = list(answers)
    return Count(answers.count(True), answers.count(False), answers.count(None))
