"""Kappa from success curves, by drawing from their posteriors.

No two curves share a trial, so their posteriors are taken for independent, although trials of one seed share initial
weights and the order of sequences. Kappa's distribution is then that of draws, one of each posterior. Where a drawn N50
lies above the largest size, nothing is known but that; the draw of kappa is then an interval. The 90 % interval goes
from the 5 % point of the draws' lower ends to the 95 % point of their upper ends. There is a median where the medians
of lower and of upper ends differ by at most a tenth: their geometric mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ib_bench.quantities.known_size import Floats, KnownSize, even_places, interval_of
from ib_bench.quantities.sharing.curves import FactorEstimate

_MAX_MEDIAN_FACTOR = 1.1  # between the median of upper and of lower ends, for a median to be given


def sampled_factor(joint: KnownSize | None, parts: Sequence[KnownSize | None]) -> FactorEstimate:
    """Kappa; the same sizes give the same numbers.

    Args:
        joint: N50 at all lengths together; None where nothing can be held out, so that it may be anything.
        parts: N50 at each length alone, at least one; None likewise.
    """
    places = even_places(len(parts) + 1)
    joint_lows, joint_highs = _ends(joint, places[:, 0])
    ends = [_ends(part, own) for part, own in zip(parts, places.T[1:], strict=True)]
    lows, highs = (np.sum(own, axis=0) for own in zip(*ends, strict=True))
    lows, highs = lows / joint_highs, highs / joint_lows
    low, high = interval_of(lows, highs)
    medians = float(np.median(lows)), float(np.median(highs))
    is_known = medians[1] <= _MAX_MEDIAN_FACTOR * medians[0]
    return FactorEstimate(low, math.sqrt(medians[0] * medians[1]) if is_known else None, high)


def _ends(size: KnownSize | None, places: Floats) -> tuple[Floats, Floats]:
    """What N50 is at least and at most in each draw, in sequences, float64 ``(num_draws,)`` each."""
    if size is None:
        return np.ones(len(places)), np.full(len(places), math.inf)
    lows, highs = size.draws(places, exhausted_low=size.limit)
    return np.exp2(lows), np.exp2(highs)
