"""Kappa as an interval, and how it is written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

_DIGITS = 2  # behind the point, and significant ones of numbers below 1


@dataclass(frozen=True)
class SharingFactor:
    """Kappa, known to lie between two numbers, either of which it may be.

    Attributes:
        low: kappa is at least this; 0 where nothing is known.
        high: kappa is at most this; infinite where nothing is known.
    """

    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are known."""
        return self.low > 0 and not math.isinf(self.high)

    @property
    def middle(self) -> float | None:
        """Where it is drawn: the geometric mean of its ends, or the known one; None where neither is."""
        if self.is_bounded:
            return math.sqrt(self.low * self.high)
        return self.known_low or self.known_high

    @property
    def known_low(self) -> float | None:
        """The lower end; None where nothing is known."""
        return self.low or None

    @property
    def known_high(self) -> float | None:
        """The upper end; None where nothing is known."""
        return None if math.isinf(self.high) else self.high

    @property
    def arrow(self) -> str | None:
        """``up`` where only the lower end is known, ``down`` where only the upper end is, else None."""
        if self.is_bounded or self.middle is None:
            return None
        return "up" if self.low > 0 else "down"

    def __str__(self) -> str:
        if self.middle is None:
            return "unknown"
        if self.low == self.high:
            return rounded(self.low)
        low, high = rounded_down(self.low), rounded_up(self.high)
        if self.is_bounded:
            return f"{low} to {high}"
        return f"\N{GREATER-THAN OR EQUAL TO} {low}" if self.low > 0 else f"\N{LESS-THAN OR EQUAL TO} {high}"


def rounded(value: float) -> str:
    """A number for people: two digits behind the point, or two significant ones."""
    return _rounded(value, ROUND_HALF_EVEN)


def rounded_down(value: float) -> str:
    """A lower end for people, never above the value: two digits behind the point, or two significant ones."""
    return _rounded(value, ROUND_FLOOR)


def rounded_up(value: float) -> str:
    """An upper end for people, never below the value; infinity is a sign."""
    return "\N{INFINITY}" if math.isinf(value) else _rounded(value, ROUND_CEILING)


def _rounded(value: float, rounding: str) -> str:
    if value == 0:
        return "0"
    places = max(_DIGITS, _DIGITS - 1 - math.floor(math.log10(value)))
    exact = Decimal(f"{value:.12g}")  # 0.3 is not 0.29999999999999998
    return f"{exact.quantize(Decimal(1).scaleb(-places), rounding=rounding):,f}"
