"""What a benchmark measures: numbers with their targets, the same for all of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

OnRound = Callable[[str], None]
"""Receives what is being timed, before each round."""


@dataclass(frozen=True)
class Measurement:
    """A measured number.

    Attributes:
        benchmark: that measured it.
        what: was measured.
        value: the number.
        unit: ``x`` for a ratio, ``s``, ``ms``, ``GB``, ``%``.
        target: the most that it should be, or the least where ``at_least`` is set; None where there is no target.
        at_least: which of the two ``target`` is.
        note: what the number comes from, such as the two timings of a ratio.
        same: whether what was compared gave the same result, without which a ratio says nothing.
    """

    benchmark: str
    what: str
    value: float
    unit: str
    target: float | None = None
    at_least: bool = False
    note: str = ""
    same: bool = True

    @property
    def reached(self) -> bool | None:
        """Whether the target is reached, with the same result; None where there is no target."""
        if self.target is None:
            return None
        return self.same and (self.value >= self.target if self.at_least else self.value <= self.target)

    @property
    def measured_text(self) -> str:
        """The number with its unit."""
        return f"{self.value:.3g}{self.unit}"

    @property
    def target_text(self) -> str:
        """The target with its unit; nothing where there is none."""
        return "" if self.target is None else f"{'>=' if self.at_least else '<='} {self.target:g}{self.unit}"


def timed_in_turns(
    contestants: Sequence[Callable[[], object]], num_rounds: int, on_round: Callable[[], None]
) -> list[float]:
    """The median time of each, in seconds; they take turns, so that what else the machine does disturbs ratios little.

    Args:
        contestants: what is timed.
        num_rounds: how often each is.
        on_round: is called before each round.
    """
    timings: list[list[float]] = [[] for _ in contestants]
    for _ in range(num_rounds):
        on_round()
        for contestant, seconds in zip(contestants, timings, strict=True):
            start = time.perf_counter()
            contestant()
            seconds.append(time.perf_counter() - start)
    return [statistics.median(seconds) for seconds in timings]
