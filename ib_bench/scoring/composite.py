r"""One number from the success curves of many cells: pure rules, without stores or models.

*The composite.* A model's score is the geometric mean of N50 over the cells of a protocol, *restricted* at the largest
size:

.. math:: \log_2 S = \frac{1}{K} \sum_{k=1}^{K} \min(\log_2 N_{50,k}, \log_2 N_{\max,k}).

An N50 above the largest size is unknown, so the mean of all N50 is not identified. The restricted mean is, as the
restricted mean survival time is in studies that end before all have died: it needs no guess of what was not seen, and
it does not depend on which other models take part, as a mean of ranks does. A mean of logarithms, because sizes are
compared by their ratio. What it says is limited to these cells and this largest size: two models that fail everywhere
are equal.

*Its interval.* Each cell has a posterior of N50 (:mod:`ib_bench.quantities.known_size`). No two cells share a trial, so
a draw of the score takes one draw of each. A cell that was not measured may have any value from 1 to the largest size:
the draw is then an interval, and the 90 % interval goes from the 5 % point of the lower ends to the 95 % point of the
upper ends. So an incomplete score is a wide one, and not a better one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ib_bench.quantities.known_size import Floats, KnownSize, even_places, interval_of
from ib_bench.scoring.ranking import Estimate

_MAX_MEDIAN_FACTOR = 1.1  # between the medians of upper and lower ends, for a median to be given


def restricted_mean(sizes: Sequence[KnownSize | None], limits: Sequence[float]) -> Estimate:
    """The geometric mean of sizes, each at most its largest.

    Args:
        sizes: of the cells; None where a cell was not measured, or no size could be tried.
        limits: logarithm to base 2 of the largest size of each cell, by its protocol.

    Returns:
        In sequences, with its draws. There is no median where cells that were not measured leave it open by more than
        a tenth.

    Example:
        >>> from ib_bench.quantities.known_size import of_interval
        >>> sizes = [of_interval(4 - 1e-6, 4 + 1e-6, limit=12), of_interval(12, math.inf, limit=12)]
        >>> round(restricted_mean(sizes, [12, 12]).median)
        256
        >>> restricted_mean([sizes[0], None], [12, 12]).median
    """
    places = even_places(len(sizes))
    lows, highs = np.zeros(len(places)), np.zeros(len(places))
    for size, limit, own in zip(sizes, limits, places.T, strict=True):
        low, high = _restricted(size, limit, own)
        lows, highs = lows + low / len(sizes), highs + high / len(sizes)
    low, high = (2.0**end for end in interval_of(lows, highs))
    middle_low, middle_high = (2.0 ** float(np.median(ends)) for ends in (lows, highs))
    is_known = middle_high <= _MAX_MEDIAN_FACTOR * middle_low
    median = math.sqrt(middle_low * middle_high) if is_known else None
    draws = [tuple(np.sort(np.exp2(ends)).tolist()) for ends in (lows, highs)]
    return Estimate(low, median, high, *draws)


def probability_less(one: Estimate, other: Estimate) -> float | None:
    """The probability that one number is smaller than another, independent one; equal ones count half.

    Args:
        one: with draws, or not.
        other: likewise.

    Returns:
        None where one of them has no draws, or where cells that were not measured leave it open.
    """
    if not one.lows or not other.lows or one.lows != one.highs or other.lows != other.highs:
        return None
    own, theirs = np.array(one.lows), np.array(other.lows)
    below, upto = (np.searchsorted(own, theirs, side=side).mean() for side in ("left", "right"))
    return float(below + upto) / 2 / len(own)


def _restricted(size: KnownSize | None, limit: float, places: Floats) -> tuple[Floats, Floats]:
    """What the logarithm of a size is at least and at most in each draw, neither above the largest size.

    That is the protocol's, or all training sequences that exist, if they are fewer and there are any.
    """
    if size is None:
        return np.zeros(len(places)), np.full(len(places), limit)
    most = min(size.limit, limit) if size.is_exhausted and size.limit > 0 else limit
    lows, highs = size.draws(places, exhausted_low=size.limit)
    return np.minimum(lows, most), np.minimum(highs, most)
