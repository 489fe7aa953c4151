r"""Which sizes to try next, and when to stop: Bayesian adaptive estimation of a success curve, with costs.

The next size has the largest expected information about log N50 per expected optimizer step,

.. math:: \frac{H(y) - E\,[H(y \mid \log N_{50})]}{p\,t_{success} + (1 - p)\,t_{budget}}

where y says whether a run at that size succeeds, p is its posterior probability, and H is the entropy. A failure costs
the budget; a success costs what successes have cost so far. QUEST+ (Watson, 2017) is the case of equal costs in which
all parameters matter.

The runs of a batch are chosen one after the other. Each is chosen as if those before it had already ended with their
expected outcome: p of a success and 1 - p of a failure. So a batch is a function of the observations alone, however
many workers run it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ib_bench.quantities.curve.record import CONFIDENCE
from ib_bench.quantities.curve.success_curve import Floats, Observation, Outcomes, Posterior, SuccessCurve

Ended = Literal["narrow", "above", "one", "max_trials"]

_BINS_PER_OCTAVE = 4
_GUESSED_SHARE = 0.25  # assumed share of the budget that a success takes, before the first one
_TINY = 1e-12
_DIGITS = 6  # two gains that differ by less are equal, so that rounding errors of a machine never choose a size


@dataclass(frozen=True)
class SequentialDesign:
    """The rule by which sizes are chosen.

    Attributes:
        curve: the sizes, and the curves that the prior allows.
        max_steps: budget of a run, in optimizer steps, at least 1.
        batch: runs that are chosen together, at least 1.
        interval_factor: stop once the upper end of the interval of N50 is at most this many times the lower end;
            above 1.
        max_trials: stop after this many runs, at least 1.

    Example:
        >>> design = SequentialDesign(SuccessCurve(max_size=1024), max_steps=1000)
        >>> observations: list[Observation] = []
        >>> while design.ended(observations) is None:
        ...     for size in design.next_sizes(observations):
        ...         observations.append(Observation(size, size >= 100, 1000 if size < 100 else 200))
        >>> [size for size, _, _ in observations[:6]]
        [64, 512, 181, 45, 128, 91]
        >>> design.ended(observations), len(observations)
        ('narrow', 12)
        >>> [round(size) for size in design.posterior(observations).n50]
        [73, 104, 135]
    """

    curve: SuccessCurve
    max_steps: int
    batch: int = 1
    interval_factor: float = 2.0
    max_trials: int = 50

    def posterior(self, observations: Sequence[Observation]) -> Posterior:
        """The posterior given the observations."""
        return self.curve.posterior(Outcomes.of(observations))

    def ended(self, observations: Sequence[Observation]) -> Ended | None:
        """Why no more runs are needed.

        Args:
            observations: all runs so far.

        Returns:
            ``above``: N50 lies above the largest size with a probability of 95 %. ``narrow``: the interval of N50 is
            narrow enough. ``one``: so it is, and it begins at one sequence, below which there is nothing to try.
            ``max_trials``: none of these after the largest number of runs. None: it goes on.
        """
        posterior = self.posterior(observations)
        if posterior.probability_above >= CONFIDENCE:
            return "above"
        if posterior.n50.factor <= self.interval_factor:
            return "one" if posterior.n50.low == 1 else "narrow"
        return "max_trials" if len(observations) >= self.max_trials else None

    def next_sizes(self, observations: Sequence[Observation]) -> list[int]:
        """The sizes of the next batch.

        Args:
            observations: all runs so far.

        Returns:
            ``batch`` sizes in the order in which they were chosen, fewer where ``max_trials`` leaves no room for more.
        """
        outcomes = Outcomes.of(observations)
        sizes = []
        for _ in range(min(self.batch, self.max_trials - len(observations))):
            weights = self.curve.posterior(outcomes).weights
            information, expected = self._information(weights)
            gain = information / self._expected_steps(expected, observations)
            chosen = int(np.argmax(np.round(gain / gain.max(), _DIGITS)))
            sizes.append(self.curve.sizes[chosen])
            outcomes.add(sizes[-1], float(expected[chosen]))
        return sizes

    @cached_property
    def _chances(self) -> Floats:
        """Probability of success, float64 ``(num_sizes, num_points)``."""
        return np.stack([self.curve.chances(size) for size in self.curve.sizes])

    @cached_property
    def _bin_starts(self) -> NDArray[np.intp]:
        """Where the bins of log N50 begin among the points; those of "at most 1" and "above" have one each."""
        log2_n50 = self.curve.log2_n50
        bins = np.ceil(log2_n50 * _BINS_PER_OCTAVE)
        return np.flatnonzero(np.concatenate([[True], bins[1:] != bins[:-1]]))

    def _information(self, weights: Floats) -> tuple[Floats, Floats]:
        """What one more run at each size is expected to tell.

        Args:
            weights: probability of each point, float64 ``(num_points,)``.

        Returns:
            Expected information about log N50 in nats, and probability of success, float64 ``(num_sizes,)`` each.
        """
        bin_weights = np.add.reduceat(weights, self._bin_starts)
        successes = np.add.reduceat(self._chances * weights, self._bin_starts, axis=1)
        bin_chances = successes / np.maximum(bin_weights, np.finfo(np.float64).tiny)
        expected = successes.sum(axis=1)
        return _entropy(expected) - _entropy(bin_chances) @ bin_weights, expected

    def _expected_steps(self, expected: Floats, observations: Sequence[Observation]) -> Floats:
        """Optimizer steps of one more run at each size; the guess of what a success takes counts as one success."""
        seen = [num_steps for _, succeeded, num_steps in observations if succeeded]
        steps_of_success = (_GUESSED_SHARE * self.max_steps + sum(seen)) / (1 + len(seen))
        return expected * steps_of_success + (1 - expected) * self.max_steps


def _entropy(chances: Floats) -> Floats:
    """Of events with two outcomes, in nats."""
    inside = np.clip(chances, _TINY, 1 - _TINY)
    entropy: Floats = -inside * np.log(inside) - (1 - inside) * np.log1p(-inside)
    return entropy
