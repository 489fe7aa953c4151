"""What is known of one size, N* or N50: a distribution over intervals of its logarithm.

A search leaves one interval, its bracket. A success curve leaves the posterior of N50, cut into intervals. The first
interval may have no lower end (one sequence suffices), the last no upper end (the largest size fails).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from ib_bench.quantities.curve.prior import CurvePrior
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.curve.success_curve import Outcomes, SuccessCurve
from ib_bench.quantities.search.record import SearchRecord

Floats = NDArray[np.float64]

_BINS_PER_OCTAVE = 8
_LOG2_DRAWS = 12
_TAIL = 0.05  # probability on each side of a 90 % interval
_NEGLIGIBLE = 1e-6
"""Intervals with so small a share of the likelihood of the best are left out."""


@dataclass(frozen=True, eq=False)
class KnownSize:
    """The logarithm of a size to base 2, as far as it is known.

    Attributes:
        lows: lower ends of intervals, ascending, float64 ``(num_intervals,)``; the first may be minus infinity.
        highs: upper ends, likewise; the last may be infinity.
        likelihoods: of what was seen if the size lies there, up to a factor, float64 ``(num_intervals,)``.
        weights: posterior probability of each interval, float64 ``(num_intervals,)``, with sum 1.
        limit: logarithm of the largest size that could be tried.
        is_exhausted: whether that is every training sequence there is, fewer than the settings allow. A size above it
            is no need for more data: there are none.
        most: logarithm of the number of all sequences that exist, held-out ones included, if training on them was seen
            to suffice; infinity otherwise. The size is at most that.
    """

    lows: Floats
    highs: Floats
    likelihoods: Floats
    weights: Floats
    limit: float
    is_exhausted: bool
    most: float = math.inf

    @property
    def is_measured(self) -> bool:
        """Whether the size more likely lies between two others than below the smallest or above the largest."""
        inner = np.isfinite(self.lows) & np.isfinite(self.highs)
        return bool(self.weights[inner].sum() > 0.5)

    @property
    def probability_above(self) -> float:
        """The probability that the size lies above the largest that could be tried."""
        return float(self.weights[np.isinf(self.highs)].sum())

    @property
    def is_above(self) -> bool:
        """Whether the size more likely lies above the largest that could be tried."""
        return self.probability_above > 0.5

    @property
    def is_informative(self) -> bool:
        """Whether it says how much data is needed; sizes above all sequences that exist do not."""
        return not (self.is_exhausted and self.is_above)

    def draws(self, places: Floats, exhausted_low: float) -> tuple[Floats, Floats]:
        """Quantiles of the posterior: what the size is at least, and at most.

        Args:
            places: in [0, 1), float64 ``(num_draws,)``.
            exhausted_low: what a size above all sequences that exist is at least, a logarithm.

        Returns:
            Two logarithms to base 2, float64 ``(num_draws,)`` each. They differ where the size is above the largest.
        """
        ends = np.cumsum(self.weights)
        indices = np.minimum(np.searchsorted(ends, places, side="right"), len(ends) - 1)
        lows, highs = np.maximum(self.lows, 0)[indices], self.highs[indices]
        inside = (places - (ends - self.weights)[indices]) / self.weights[indices]
        is_above = np.isinf(highs)
        values = lows + np.clip(inside, 0, 1) * (np.where(is_above, lows, highs) - lows)
        above_low = exhausted_low if self.is_exhausted else self.limit
        return np.where(is_above, above_low, values), np.where(is_above, self.most, values)


def of_interval(low: float, high: float, limit: float, is_exhausted: bool = False) -> KnownSize:
    """A size of which only one interval is known.

    Args:
        low: logarithm of its lower end; minus infinity if there is none.
        high: logarithm of its upper end, above ``low``; infinity if there is none.
        limit: logarithm of the largest size that could be tried.
        is_exhausted: whether that is every sequence there is.
    """
    one = np.ones(1)
    low_end, high_end = np.array([low], dtype=np.float64), np.array([high], dtype=np.float64)
    return KnownSize(low_end, high_end, one, one, limit, is_exhausted)


def of_search(record: SearchRecord) -> KnownSize | None:
    """N* of a finished search, in its bracket; None where no size could be tried."""
    if not record.max_size:
        return None
    failing, succeeding = record.bracket
    low = math.log2(failing) if failing else -math.inf
    high = math.inf if succeeding is None else math.log2(succeeding)
    return of_interval(low, high, math.log2(record.max_size), record.max_size < record.config.settings.max_size)


def of_curve(record: CurveRecord) -> KnownSize | None:
    """N50 of a finished success curve, by its trials; None where no size could be tried and nothing is known."""
    most = math.log2(record.num_sequences) if record.fits_all and record.num_sequences else math.inf
    if not record.curve_trials:
        return None if math.isinf(most) else replace(of_interval(0, math.inf, 0, is_exhausted=True), most=most)
    outcomes = Counter((trial.size, trial.succeeded) for trial in record.curve_trials)
    counted = tuple(sorted((size, succeeded, number) for (size, succeeded), number in outcomes.items()))
    return replace(_of_outcomes(record.max_size, record.config.prior, counted, record.largest_is_all), most=most)


@lru_cache(maxsize=1024)
def _of_outcomes(
    max_size: int, prior: CurvePrior, outcomes: tuple[tuple[int, bool, int], ...], is_exhausted: bool
) -> KnownSize:
    """N50 by the number of trials of each size and outcome."""
    curve = _curve(max_size, prior)
    counted = Outcomes()
    for size, succeeded, number in outcomes:
        for _ in range(number):
            counted.add(size, float(succeeded))
    posterior = curve.posterior(counted).weights
    limit = math.log2(max_size)
    inner = np.linspace(0, limit, max(1, math.ceil(limit * _BINS_PER_OCTAVE)) + 1)
    edges = np.concatenate([[-np.inf], inner, [np.inf]])
    # The interval below 0 holds the curves for which one sequence suffices: their N50 is set to 1.
    indices = np.searchsorted(inner, curve.log2_n50, side="left")
    prior_weights = np.bincount(indices, curve.prior_weights, len(edges) - 1)
    weights = np.bincount(indices, posterior, len(edges) - 1)
    likelihoods = np.divide(weights, prior_weights, out=np.zeros_like(weights), where=prior_weights > 0)
    kept = (likelihoods > _NEGLIGIBLE * likelihoods.max()) & (weights > 0)
    return KnownSize(
        edges[:-1][kept],
        edges[1:][kept],
        likelihoods[kept] / likelihoods.max(),
        weights[kept] / weights[kept].sum(),
        limit,
        is_exhausted,
    )


@lru_cache(maxsize=64)
def _curve(max_size: int, prior: CurvePrior) -> SuccessCurve:
    return SuccessCurve(max_size, prior)


@lru_cache(maxsize=64)
def even_places(num_sizes: int) -> Floats:
    """Places for :meth:`KnownSize.draws` of several sizes, spread evenly (Sobol), the same every time.

    Args:
        num_sizes: how many sizes are drawn together.

    Returns:
        Above 0 and below 1, float64 ``(num_draws, num_sizes)``.
    """
    points = qmc.Sobol(num_sizes, scramble=False).random_base2(_LOG2_DRAWS)
    return np.asarray(points + 0.5 / 2**_LOG2_DRAWS)


def interval_of(lows: Floats, highs: Floats) -> tuple[float, float]:
    """A 90 % interval: from the 5 % point of what draws are at least to the 95 % point of what they are at most."""
    low = np.quantile(lows, _TAIL, method="lower")
    high = np.quantile(highs, 1 - _TAIL, method="higher")
    return float(low), float(high)
