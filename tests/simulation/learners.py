"""Made-up learners: how likely one run succeeds at each size, and what it costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import expit

from ib_bench.quantities.curve.prior import PRIOR
from ib_bench.quantities.curve.success_curve import Floats

MAX_STEPS = 1000
"""Budget of a run, in optimizer steps."""

_SUCCESS_SHARE = 0.2  # of the budget that a success takes: median
_SUCCESS_SIGMA = 0.4  # standard deviation of its logarithm
_DECLINE_AFTER = 4.0  # octaves above the location
_DECLINE_SPREAD = 0.5
_NUM_SIZES = 4001  # at which N50 is looked for


@dataclass(frozen=True)
class Learner:
    """A success curve, which need not be of the family that the estimator assumes.

    Attributes:
        location: mu, in octaves.
        spread: s, in octaves.
        ceiling: c.
        luck: share of runs that succeed at any size.
        decline: share of the successes that is lost again four octaves above the location.
    """

    location: float
    spread: float
    ceiling: float = 1.0
    luck: float = 0.0
    decline: float = 0.0

    def chance(self, size: float) -> float:
        """Probability that one run succeeds."""
        return float(self._chances(np.array(math.log2(size))))

    def _chances(self, log2_sizes: Floats) -> Floats:
        octaves = log2_sizes - self.location
        learned = self.ceiling * expit(octaves / self.spread)
        kept = 1 - self.decline * expit((octaves - _DECLINE_AFTER) / _DECLINE_SPREAD)
        chances: Floats = self.luck + (1 - self.luck) * learned * kept
        return chances

    def train(self, size: int, generator: torch.Generator, luck: float | None = None) -> tuple[bool, int]:
        """Whether a run succeeds, and its optimizer steps.

        Args:
            size: number of training sequences.
            generator: of what is random in it.
            luck: in 0..1, small is good; None draws it.
        """
        if (uniform(generator) if luck is None else luck) >= self.chance(size):
            return False, MAX_STEPS
        factor = math.exp(_SUCCESS_SIGMA * float(torch.randn((), generator=generator)))
        return True, min(MAX_STEPS, math.ceil(_SUCCESS_SHARE * factor * MAX_STEPS))

    def n50(self, max_size: int) -> float:
        """The smallest size with an even chance; 1 if one sequence has it, infinite if none up to ``max_size`` has."""
        log2_sizes = np.linspace(0, math.log2(max_size), _NUM_SIZES)
        suffices = self._chances(log2_sizes) >= 0.5
        return float(2 ** log2_sizes[np.argmax(suffices)]) if suffices.any() else math.inf


Family = Callable[[torch.Generator, int], Learner]
"""Draws a learner, given the largest size."""


def from_prior(generator: torch.Generator, max_size: int) -> Learner:
    """As the estimator expects, with continuous parameters."""
    location = _between(-PRIOR.octaves_below, math.log2(max_size) + PRIOR.octaves_above, generator)
    spread = math.exp(_between(math.log(PRIOR.min_spread), math.log(PRIOR.max_spread), generator))
    is_high = uniform(generator) < PRIOR.high_probability
    if is_high:
        ceiling = _between(PRIOR.high_ceiling, 1, generator)
    else:
        ceiling = math.sqrt(_between(0, PRIOR.high_ceiling**2, generator))
    return Learner(location, spread, ceiling)


def fixed(spread: float, ceiling: float = 1.0, luck: float = 0.0, decline: float = 0.0) -> Family:
    """Only the location varies: from 4 sequences to a sixteenth of the largest size."""

    def draw(generator: torch.Generator, max_size: int) -> Learner:
        return Learner(_between(2, math.log2(max_size) - 4, generator), spread, ceiling, luck, decline)

    return draw


FAMILIES: dict[str, Family] = {
    "sharp": fixed(spread=0.15),
    "middling": fixed(spread=0.5),
    "shallow": fixed(spread=1.2),
    "ceiling 0.8": fixed(spread=0.5, ceiling=0.8),
    "ceiling 0.6": fixed(spread=0.5, ceiling=0.6),
    "ceiling 0.3": fixed(spread=0.5, ceiling=0.3),
    "non-monotone": fixed(spread=0.4, decline=0.6),
    "one lucky seed in twenty": fixed(spread=0.4, luck=0.05),
}
"""Made-up learners, by name."""


def uniform(generator: torch.Generator) -> float:
    """A number in 0..1."""
    return float(torch.rand((), generator=generator, dtype=torch.float64))


def _between(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * uniform(generator)
