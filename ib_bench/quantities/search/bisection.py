"""The search for the smallest size that succeeds, without knowing what a size or a success is.

Start at the largest size. While nothing has failed, divide by the multiplier; after the first failure, bisect between
the largest failing and the smallest succeeding size. It ends when these are neighbours, close enough, or when enough
sizes have been tried. For any answers, monotone or not, every size lies inside the bracket, which shrinks.

Reference: arXiv 2602.18333, section 4 (hybrid binary-geometric search).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Midpoint = Literal["arithmetic", "geometric"]


@dataclass(frozen=True)
class Bracket:
    """The range of N*: above ``failing`` and at most ``succeeding``.

    Attributes:
        failing: largest size known to fail; 0 while none is.
        succeeding: smallest size known to succeed; None while none is.
    """

    failing: int = 0
    succeeding: int | None = None

    def narrowed(self, size: int, succeeded: bool) -> Bracket:
        """The bracket after one more answer."""
        return Bracket(self.failing, size) if succeeded else Bracket(size, self.succeeding)

    def as_tuple(self) -> tuple[int, int | None]:
        """(failing, succeeding)."""
        return self.failing, self.succeeding


@dataclass(frozen=True)
class Bisection:
    """The rule by which sizes are chosen.

    Attributes:
        max_size: the first size, N_max, at least 1.
        multiplier: divisor of the size while nothing has failed, M, at least 2.
        max_evaluations: sizes that are tried at most, S, at least 1.
        midpoint: where a bracket is cut: at the ``arithmetic`` or the ``geometric`` mean of its ends.
        relative_tolerance: stop once the bracket is no wider than this share of its upper end, in [0, 1).
    """

    max_size: int
    multiplier: int = 1000
    max_evaluations: int = 20
    midpoint: Midpoint = "arithmetic"
    relative_tolerance: float = 0.0

    def next_size(self, bracket: Bracket) -> int | None:
        """The size to try next, or None if the bracket needs no narrowing."""
        low, high = bracket.failing, bracket.succeeding
        if high is None:
            return None if low else self.max_size  # where the largest size has failed, N* is censored
        if high - low <= max(1, self.relative_tolerance * high):
            return None
        if low == 0:
            return max(1, high // self.multiplier)
        middle = (low + high) // 2 if self.midpoint == "arithmetic" else math.isqrt(low * high)
        return max(middle, low + 1)

    def run(self, succeeds: Callable[[int], bool]) -> Iterator[tuple[int, bool, Bracket]]:
        """Search.

        Args:
            succeeds: answers for a size in ``1..max_size``; asked once for each size.

        Yields:
            After each answer: the size, the answer, and the bracket that it leaves.

        Example:
            >>> steps = list(Bisection(max_size=1000, multiplier=10).run(lambda size: size >= 12))
            >>> [size for size, _, _ in steps]
            [1000, 100, 10, 55, 32, 21, 15, 12, 11]
            >>> steps[-1][2]
            Bracket(failing=11, succeeding=12)
        """
        bracket = Bracket()
        for _ in range(self.max_evaluations):
            size = self.next_size(bracket)
            if size is None:
                return
            succeeded = succeeds(size)
            bracket = bracket.narrowed(size, succeeded)
            yield size, succeeded, bracket
