"""Kappa from success curves, by sampling their posteriors.

The posteriors are independent, as no two curves share a trial. So kappa's distribution is that of samples, one of each
posterior. Where a sampled N50 lies above the largest size, nothing is known but that; the sample of kappa is then an
interval. The 90 % interval goes from the 5 % point of the samples' lower ends to the 95 % point of their upper ends.
There is a median where the medians of lower and of upper ends differ by at most a tenth: their geometric mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.curve.success_curve import Observation, Outcomes, SuccessCurve
from ib_bench.quantities.sharing.curves import FactorEstimate

_NUM_SAMPLES = 20_000
_TAIL = 0.05  # on each side of a 90 % interval
_MAX_MEDIAN_FACTOR = 1.1  # between the median of upper and of lower ends, for a median to be given


def sampled_factor(joint: CurveRecord, parts: Sequence[CurveRecord]) -> FactorEstimate:
    """Kappa; the same curves give the same numbers.

    Args:
        joint: at all lengths together, finished.
        parts: at each length alone, finished, at least one.
    """
    generator = torch.Generator().manual_seed(int(joint.key[:8], 16))
    joint_ends = _sampled_n50(joint, generator)
    part_ends = [_sampled_n50(part, generator) for part in parts]
    lows = torch.stack([low for low, _ in part_ends]).sum(dim=0) / joint_ends[1]
    highs = torch.stack([high for _, high in part_ends]).sum(dim=0) / joint_ends[0]
    lows, highs = lows.sort().values, highs.sort().values
    medians = lows[_NUM_SAMPLES // 2].item(), highs[_NUM_SAMPLES // 2].item()
    is_known = medians[1] <= _MAX_MEDIAN_FACTOR * medians[0]
    return FactorEstimate(
        low=lows[math.floor(_TAIL * _NUM_SAMPLES)].item(),
        median=math.sqrt(medians[0] * medians[1]) if is_known else None,
        high=highs[math.ceil((1 - _TAIL) * _NUM_SAMPLES) - 1].item(),
    )


def _sampled_n50(record: CurveRecord, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Samples of N50, each as the interval in which it lies.

    Args:
        record: finished.
        generator: where the randomness comes from.

    Returns:
        Lower and upper ends, float64 ``(num_samples,)``, at least 1; equal where N50 is not above the largest size.
    """
    if record.max_size == 0:
        return torch.ones(_NUM_SAMPLES, dtype=torch.float64), torch.full((_NUM_SAMPLES,), math.inf, dtype=torch.float64)
    runs = [Observation(trial.size, trial.succeeded, trial.num_steps) for trial in record.curve_trials]
    curve = SuccessCurve(record.max_size, record.config.prior)
    cumulative = torch.from_numpy(curve.posterior(Outcomes.of(runs)).weights).cumsum(dim=0)
    picks = torch.rand(_NUM_SAMPLES, generator=generator, dtype=torch.float64) * cumulative[-1]
    sizes = torch.from_numpy(curve.log2_n50)[torch.searchsorted(cumulative, picks)].exp2()
    return torch.where(sizes.isinf(), float(record.max_size), sizes), sizes
