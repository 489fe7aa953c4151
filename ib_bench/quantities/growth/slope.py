r"""How a size grows: slopes of its logarithm, with intervals, from sizes of which only intervals are known.

With x the maximal length L or the number of states, a series of cells follows

.. math::
    \log_2 N = a + b \log_2 x + \sigma \epsilon \quad\text{(power law)},\qquad
    \log_2 N = a + b x + \sigma \epsilon \quad\text{(exponential)},

with standard normal :math:`\epsilon`. The likelihood of one cell is the probability that :math:`\log_2 N` lies in the
interval that was found, weighted over intervals where a success curve leaves several. So a bracket, "above the largest
size" and "one sequence suffices" all count as what they are. Several series may share b; each has its own a.

*Prior.* Both laws are written by their level in the middle of a series and by their change from the smallest x to the
largest, in octaves. The level is uniform. The change is uniform within :data:`MAX_CHANGE` octaves up or down. The
scatter sigma is log-uniform from 0.15 to 4 octaves; it holds the spread between seeds. Without censoring, and with many
points, intervals are those of ordinary least squares.

*Comparison.* The laws have as many parameters each, with the same prior, so the Bayes factor, the ratio of their
evidences, compares them as it is. AICc would only compare best fits, and with four points to three parameters its
correction is infinite. Below a factor of 3 either way the comparison is undecided.

This module knows nothing of training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.special import ndtr

from ib_bench.quantities.growth.record import MIN_PLACES
from ib_bench.quantities.known_size import Floats, KnownSize

Singles = NDArray[np.float32]
"""Likelihoods: a report fits a thousand series in half the time of float64, and slopes differ in the sixth digit."""

MAX_CHANGE = 24.0
"""Octaves by which a size may change over its series: from one sequence to 16 million."""

DECISIVE = 3.0
"""Bayes factor from which one law is preferred."""

Better = Literal["power law", "exponential", "undecided"]

_TAIL = 0.05  # probability on each side of a 90 % interval
_LEVELS_PER_OCTAVE = 8
_LEVELS = np.arange(-48 * _LEVELS_PER_OCTAVE, 72 * _LEVELS_PER_OCTAVE + 1) / _LEVELS_PER_OCTAVE
_MARGIN = int(MAX_CHANGE * _LEVELS_PER_OCTAVE) + 2
"""Levels at each end of a table that only changes lead to."""

_SCATTERS = np.exp(np.linspace(math.log(0.15), math.log(4.0), 8))
_NUM_COARSE = 41  # changes of the first grid
_NUM_CHANGES = 81  # of the finer ones
_NUM_FINE = 2001
_COARSE = 4  # levels from one to the next of the first grid
_NUM_ZOOMS = 2
_NEGLIGIBLE = 1e-6
_IMPOSSIBLE = 1e-300


class Point(NamedTuple):
    """A cell of a series.

    Attributes:
        x: maximal length or number of states, above 0.
        size: what is known of N* or N50 there.
    """

    x: float
    size: KnownSize


@dataclass(frozen=True)
class Slope:
    """A 90 % interval and the median. None: both ends are unknown.

    Attributes:
        low: lower end.
        median: of the posterior.
        high: upper end.
    """

    low: float | None
    median: float
    high: float | None

    def scaled(self, factor: float) -> Slope:
        """The slope in other units.

        Args:
            factor: above 0.
        """
        low, high = (None if end is None else end * factor for end in (self.low, self.high))
        return Slope(low, self.median * factor, high)


@dataclass(frozen=True)
class Fit:
    """Both laws, fitted to one or more series with a slope in common.

    Attributes:
        change: of log2 N from the smallest x to the largest, by the power law, in octaves.
        exponent: of the power law: N grows as x to the power of it.
        rate: of the exponential law, in octaves per unit of x: N doubles every 1 / rate.
        log_bayes_factor: natural logarithm of the evidence of the exponential law over that of the power law.
    """

    change: Slope
    exponent: Slope
    rate: Slope
    log_bayes_factor: float

    @property
    def better(self) -> Better:
        """The law that is preferred."""
        if abs(self.log_bayes_factor) < math.log(DECISIVE):
            return "undecided"
        return "exponential" if self.log_bayes_factor > 0 else "power law"


def fit(series: Sequence[Sequence[Point]]) -> Fit | None:
    """Fit both laws.

    Args:
        series: that share a slope.

    Returns:
        None for too few sizes. One series needs 3 different x that say how much data is needed, 2 of them measured
        between two sizes. Of several, at least one is such a series; the others count if they have 2 x.

    Example:
        >>> from ib_bench.quantities.known_size import of_interval
        >>> exact = lambda size: of_interval(math.log2(size) - 0.01, math.log2(size) + 0.01, limit=20)
        >>> found = fit([[Point(x, exact(5 * x**2)) for x in (2, 4, 8, 16, 32)]])
        >>> round(found.exponent.median, 2), found.better
        (2.0, 'power law')
    """
    known = [[point for point in points if point.size.is_informative] for points in series]
    known = [points for points in known if len({point.x for point in points}) > 1]
    if not any(_is_enough(points) for points in known):
        return None
    everything = [point.x for points in known for point in points]
    smallest, largest = min(everything), max(everything)
    octaves = math.log2(largest / smallest)
    tables = [[_log_likelihoods(point.size) for point in points] for points in known]
    power, power_evidence = _law(_placed(tables, [[math.log2(point.x) / octaves for point in own] for own in known]))
    span = largest - smallest
    exponential, evidence = _law(_placed(tables, [[point.x / span for point in own] for own in known]))
    return Fit(power, power.scaled(1 / octaves), exponential.scaled(1 / span), evidence - power_evidence)


class _Tables(NamedTuple):
    """The cells of one series.

    Attributes:
        tables: logarithm of each cell's likelihood, float32 ``(num_levels, num_scatters)``.
        places: of each cell, in parts of the whole range of x, with mean 0.
    """

    tables: Sequence[Singles]
    places: Sequence[float]


def _placed(tables: Sequence[Sequence[Singles]], places: Sequence[Sequence[float]]) -> list[_Tables]:
    """Series with their places, which are moved such that their mean is 0."""
    centred = [[place - sum(own) / len(own) for place in own] for own in places]
    return [_Tables(own, own_places) for own, own_places in zip(tables, centred, strict=True)]


def _is_enough(points: Sequence[Point]) -> bool:
    measured = {point.x for point in points if point.size.is_measured}
    return len({point.x for point in points}) >= MIN_PLACES and len(measured) > 1


def _law(series: Sequence[_Tables]) -> tuple[Slope, float]:
    """The change of one law, and the logarithm of its evidence up to what both laws share.

    A coarse grid over all changes and levels finds where the posterior is, a finer one follows it. That is repeated
    where the posterior fills less than half of the finer grid.

    Args:
        series: with the places of their cells, such that the change is the slope over them.
    """
    changes = np.linspace(-MAX_CHANGE, MAX_CHANGE, _NUM_COARSE)
    levels = [np.arange(_MARGIN, len(_LEVELS) - _MARGIN, _COARSE) for _ in series]
    logs, of_levels = _log_densities(changes, series, levels, is_coarse=True)
    first, last = _likely(logs)
    for _ in range(_NUM_ZOOMS):
        changes = np.linspace(changes[first], changes[last], _NUM_CHANGES)
        levels = [_window(own, own_logs) for own, own_logs in zip(levels, of_levels, strict=True)]
        logs, of_levels = _log_densities(changes, series, levels)
        first, last = _likely(logs)
        if last - first > _NUM_CHANGES // 2:
            break
    fine = np.linspace(changes[0], changes[-1], _NUM_FINE)
    logs, changes = CubicSpline(changes, logs)(fine), fine
    peak = float(logs.max())
    densities = np.exp(logs - peak)
    below = np.concatenate([[0], np.cumsum((densities[1:] + densities[:-1]) / 2)])
    low, median, high = np.interp([_TAIL, 0.5, 1 - _TAIL], below / below[-1], changes).tolist()
    edge = 0.95 * MAX_CHANGE
    slope = Slope(None if low < -edge else low, median, None if high > edge else high)
    return slope, peak + math.log(below[-1] * (changes[1] - changes[0]))


def _log_densities(
    changes: Floats, series: Sequence[_Tables], levels: Sequence[NDArray[np.int64]], is_coarse: bool = False
) -> tuple[Floats, list[Singles]]:
    """Logarithm of the posterior density, up to a constant: by change, and for each series by level.

    Args:
        changes: in octaves, float64 ``(num_changes,)``.
        series: with the places of their cells.
        levels: that each series may have, as indices of a table's rows, int64 ``(num_levels,)``.
        is_coarse: take the nearest row of a table, where the levels are far apart, instead of the mean of two.

    Returns:
        By change, float64 ``(num_changes,)``: levels and scatter are summed out. By level, float32 ``(num_levels,)``
        for each series: of that series alone.
    """
    of_scatter = np.zeros((len(changes), len(_SCATTERS)))
    of_levels = []
    for (tables, places), own in zip(series, levels, strict=True):
        shape = (len(changes), len(own), len(_SCATTERS))
        total, here, beyond = (np.zeros(shape, dtype=np.float32) for _ in range(3))
        for table, place in zip(tables, places, strict=True):
            steps = changes * place * _LEVELS_PER_OCTAVE
            whole = (np.rint if is_coarse else np.floor)(steps).astype(np.int64)
            rows = own + whole[:, None]
            total += table.take(rows, axis=0, out=here, mode="clip")  # no row is outside: see _MARGIN
            if not is_coarse:
                table.take(rows + 1, axis=0, out=beyond, mode="clip")
                beyond -= here
                beyond *= (steps - whole)[:, None, None].astype(np.float32)
                total += beyond
        of_levels.append(total.max(axis=0).max(axis=1))
        of_scatter += _log_sum(total, axis=1)
    return _log_sum(of_scatter, axis=1), of_levels


def _likely(logs: Floats | Singles) -> tuple[int, int]:
    """The first and last index that matter, and one more on each side."""
    matter = np.flatnonzero(logs > logs.max() + math.log(_NEGLIGIBLE))
    return max(int(matter[0]) - 1, 0), min(int(matter[-1]) + 1, len(logs) - 1)


def _window(levels: NDArray[np.int64], logs: Singles) -> NDArray[np.int64]:
    """The levels that matter, as finely as a table has them."""
    first, last = _likely(logs)
    return np.arange(levels[first], levels[last] + 1)


def _log_likelihoods(size: KnownSize) -> Singles:
    """Logarithm of a cell's likelihood by level and scatter, float32 ``(num_levels, num_scatters)``."""
    lows, highs, likelihoods = (
        np.asarray(one, dtype=np.float64).tobytes() for one in (size.lows, size.highs, size.likelihoods)
    )
    return _table(lows, highs, likelihoods)


@lru_cache(maxsize=512)  # a cell is part of several series, and many searches end in the same bracket
def _table(lows: bytes, highs: bytes, likelihoods: bytes) -> Singles:
    """The same, of arrays as bytes, which can be keys of a cache."""
    first, last, weights = (np.frombuffer(one) for one in (lows, highs, likelihoods))
    levels, scatters = _LEVELS[:, None, None], _SCATTERS[None, :, None]
    with np.errstate(under="ignore"):
        chances = ndtr((last - levels) / scatters) - ndtr((first - levels) / scatters)
        return np.log(np.maximum((chances * weights).sum(axis=2), _IMPOSSIBLE)).astype(np.float32)


def _log_sum(logs: NDArray[Any], axis: int) -> Floats:
    """Logarithm of the sum of exponentials along an axis; the logarithms are used up."""
    peak = logs.max(axis=axis, keepdims=True)
    logs -= peak
    return np.asarray(np.log(np.exp(logs, out=logs).sum(axis=axis)) + peak.squeeze(axis))
