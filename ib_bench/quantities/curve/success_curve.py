r"""The success curve of a cell, estimated from training runs that succeeded or failed.

One run with N training sequences succeeds with probability

.. math:: p(N) = c \cdot \mathrm{logistic}\left(\frac{\log_2 N - \mu}{s}\right)

with location :math:`\mu` in octaves, spread :math:`s` in octaves and ceiling :math:`c` in (0, 1]. From 12 % to 88 % of
its ceiling the curve takes :math:`4 s` octaves. N50 is the size with :math:`p = 1/2`; it is infinite where
:math:`c \le 1/2`. N90 is the size with :math:`p = 0.9`. The best of k runs succeeds with probability 1/2 where
:math:`1 - (1 - p)^k = 1/2`; for the paper's grid of 15 that is :math:`p = 4.5\,\%`.

The posterior is computed on a grid over :math:`(\mu, \log s, c)`, exactly, without sampling. This module knows nothing
of training.

References: Watson, "QUEST+", Journal of Vision 17(3):10, 2017; Schütt, Harmeling, Macke & Wichmann, "Painfree and
accurate Bayesian estimation of psychometric functions", Vision Research 122, 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ib_bench.errors import require
from ib_bench.quantities.curve.prior import PRIOR, CurvePrior

Floats = NDArray[np.float64]

_TAIL = 0.05  # probability on each side of a 90 % interval
_RESOLUTION = 1e-9  # no curve on the grid makes an outcome impossible
_STEPS_PER_OCTAVE = 2  # of the sizes that may be tried


class Observation(NamedTuple):
    """One training run.

    Attributes:
        size: number of training sequences, at least 1.
        succeeded: whether it got below the threshold within its budget.
        num_steps: optimizer steps it took.
    """

    size: int
    succeeded: bool
    num_steps: int


class Interval(NamedTuple):
    """A 90 % posterior interval and the posterior median.

    A size is between 1 and the largest size; infinity says that it lies above the largest size, or does not exist.
    """

    low: float
    median: float
    high: float

    @property
    def factor(self) -> float:
        """Upper over lower end; infinite where the upper end is."""
        return self.high / self.low if math.isfinite(self.high) else math.inf


class Outcomes(dict[int, tuple[float, float]]):
    """Numbers of successes and failures by size; an outcome that is only expected counts in parts."""

    @classmethod
    def of(cls, observations: Sequence[Observation]) -> Outcomes:
        """Count observations."""
        outcomes = cls()
        for size, succeeded, _ in observations:
            outcomes.add(size, float(succeeded))
        return outcomes

    def add(self, size: int, chance: float) -> None:
        """Count one run that succeeds with a probability, 0 or 1 where the outcome is known."""
        successes, failures = self.get(size, (0.0, 0.0))
        self[size] = successes + chance, failures + 1 - chance


class SuccessCurve:
    r"""The curves that the prior allows, on a grid of ``num_points`` points.

    Args:
        max_size: largest training set that can be tried, at least 1.
        prior: over location, spread and ceiling.

    Attributes:
        sizes: that may be tried: from 1 to ``max_size``, two in an octave, rounded, none twice.
        points: :math:`(\mu, s, c)` of the grid, float64 ``(3, num_points)``, in ascending order of N50.
        prior_weights: prior probability of each point, float64 ``(num_points,)``.
        log2_n50: of each point, float64 ``(num_points,)``, in ``[0, log2 max_size]`` or infinite.

    Raises:
        InvalidOptionError: ``max_size`` is below 1.

    Example:
        >>> curve = SuccessCurve(max_size=100)
        >>> curve.sizes
        (1, 2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 100)
        >>> runs = [Observation(4, False, 100), Observation(6, False, 100), Observation(11, True, 20)] * 5
        >>> [round(size, 1) for size in curve.posterior(Outcomes.of(runs)).n50]
        [6.8, 8.2, 10.6]
    """

    def __init__(self, max_size: int, prior: CurvePrior = PRIOR) -> None:
        require(max_size >= 1, "max_size", max_size, "an integer of at least 1")
        self.max_size = max_size
        self.prior = prior
        num_steps = math.floor(_STEPS_PER_OCTAVE * math.log2(max_size))
        geometric = {round(2 ** (step / _STEPS_PER_OCTAVE)) for step in range(num_steps + 1)}
        self.sizes = tuple(sorted({size for size in geometric if size < max_size} | {max_size}))
        ceiling_values, probabilities = ceilings(prior)
        axes = np.meshgrid(locations(prior, max_size), spreads(prior), ceiling_values, indexing="ij")
        points = np.stack([axis.ravel() for axis in axes])
        weights = np.broadcast_to(probabilities, axes[0].shape).ravel()
        order = np.argsort(self._log2_sizes(points, 0.5), kind="stable")
        self.points = points[:, order]
        self.prior_weights = weights[order] / weights.sum()
        self.log2_n50 = self.log2_sizes(0.5)
        self._log_prior = np.log(self.prior_weights)
        self._log_chances: dict[int, tuple[Floats, Floats]] = {}

    def chances(self, size: int) -> Floats:
        """Probability of success at a size, for each point.

        Args:
            size: at least 1.

        Returns:
            float64 ``(num_points,)``, above 0 and below 1.
        """
        location, spread, ceiling = self.points
        slope = (location - math.log2(size)) / spread
        return np.clip(ceiling / (1 + np.exp(np.minimum(slope, 700))), _RESOLUTION, 1 - _RESOLUTION)

    def log2_sizes(self, chance: float) -> Floats:
        """Logarithm of the size at which a run succeeds with a probability, for each point.

        Args:
            chance: in (0, 1).

        Returns:
            float64 ``(num_points,)``, in ``[0, log2 max_size]`` or infinite.
        """
        return self._log2_sizes(self.points, chance)

    def posterior(self, outcomes: Outcomes) -> Posterior:
        """The posterior given the outcomes of runs.

        Args:
            outcomes: at sizes of at least 1, on the grid of sizes or not.
        """
        log_weights = self._log_prior.copy()
        for size, (successes, failures) in outcomes.items():
            log_chances, log_complements = self._logs(size)
            log_weights += successes * log_chances + failures * log_complements
        weights = np.exp(log_weights - log_weights.max())
        return Posterior(self, weights / weights.sum())

    def _log2_sizes(self, points: Floats, chance: float) -> Floats:
        location, spread, ceiling = points
        reached = ceiling > chance
        log_odds = np.full(ceiling.shape, np.inf)
        log_odds[reached] = np.log(chance / (ceiling[reached] - chance))
        sizes = location + spread * log_odds
        return np.where(sizes > math.log2(self.max_size), np.inf, np.maximum(sizes, 0))

    def _logs(self, size: int) -> tuple[Floats, Floats]:
        if size not in self._log_chances:
            chances = self.chances(size)
            self._log_chances[size] = np.log(chances), np.log1p(-chances)
        return self._log_chances[size]


@dataclass(frozen=True)
class Posterior:
    """A distribution over the curves of a grid.

    Attributes:
        curve: the grid.
        weights: probability of each point, float64 ``(num_points,)``.
    """

    curve: SuccessCurve
    weights: Floats

    @property
    def n50(self) -> Interval:
        """The size at which half of the runs succeed."""
        return self._size(self.curve.log2_n50)

    @property
    def n90(self) -> Interval:
        """The size with which 9 of 10 runs succeed."""
        return self.size(0.9)

    def best_of(self, num_runs: int) -> Interval:
        """The size at which the best of several runs succeeds with probability 1/2.

        Args:
            num_runs: k, at least 1.
        """
        return self.size(1 - 2 ** (-1 / num_runs))

    def size(self, chance: float) -> Interval:
        """The size with which a run succeeds with a probability.

        Args:
            chance: in (0, 1).
        """
        return self._size(self.curve.log2_sizes(chance))

    @property
    def spread(self) -> Interval:
        """In octaves."""
        return Interval(*_quantiles(self.curve.points[1], self.weights).tolist())

    @property
    def ceiling(self) -> Interval:
        """Probability of success with unlimited data."""
        return Interval(*_quantiles(self.curve.points[2], self.weights).tolist())

    def chance(self, size: int) -> Interval:
        """Probability of success at a size: the band of the curve.

        Args:
            size: at least 1.
        """
        return Interval(*_quantiles(self.curve.chances(size), self.weights).tolist())

    def _size(self, log2_sizes: Floats) -> Interval:
        return Interval(*np.exp2(_quantiles(log2_sizes, self.weights)).tolist())

    @property
    def probability_above(self) -> float:
        """The probability that N50 lies above the largest size, or is infinite."""
        return float(self.weights[np.isinf(self.curve.log2_n50)].sum())


def locations(prior: CurvePrior, max_size: int) -> Floats:
    """The grid's locations, all equally likely, in octaves."""
    end = math.log2(max_size) + prior.octaves_above
    return _midpoints(-prior.octaves_below, end, math.ceil((end + prior.octaves_below) / prior.location_step))


def spreads(prior: CurvePrior) -> Floats:
    """The grid's spreads, all equally likely, in octaves."""
    return np.exp(_midpoints(math.log(prior.min_spread), math.log(prior.max_spread), prior.num_spreads))


def ceilings(prior: CurvePrior) -> tuple[Floats, Floats]:
    """The grid's ceilings, and their prior probabilities."""
    low = np.sqrt(_midpoints(0, prior.high_ceiling**2, prior.num_low_ceilings))
    high = _midpoints(prior.high_ceiling, 1, prior.num_high_ceilings)
    low_probabilities = np.full(len(low), (1 - prior.high_probability) / len(low))
    high_probabilities = np.full(len(high), prior.high_probability / len(high))
    return np.concatenate([low, high]), np.concatenate([low_probabilities, high_probabilities])


def _midpoints(low: float, high: float, number: int) -> Floats:
    """The middles of ``number`` equal parts of a range."""
    return low + (np.arange(number) + 0.5) * (high - low) / number


def _quantiles(values: Floats, weights: Floats) -> Floats:
    """The 5 %, 50 % and 95 % points of a weighted sample.

    Args:
        values: float64 ``(num_points,)``; infinity is allowed.
        weights: float64 ``(num_points,)``, with sum 1.

    Returns:
        float64 ``(3,)``.
    """
    order = np.argsort(values, kind="stable")  # fast where they are sorted already, as N50 is
    indices = np.searchsorted(np.cumsum(weights[order]), [_TAIL, 0.5, 1 - _TAIL])
    return values[order[np.minimum(indices, len(values) - 1)]]
