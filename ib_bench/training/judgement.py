"""When a trial is over before its budget is spent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Judgement = Literal["succeeded", "diverged", "futile"]

_LOWER = 0.95


def judged(curve: Sequence[tuple[int, float]], threshold: float, futile_after: float = math.inf) -> Judgement | None:
    """The outcome of a trial after its newest validation; None if it continues.

    Args:
        curve: pairs of optimizer steps and validation loss, up to the newest.
        threshold: epsilon, in nats.
        futile_after: optimizer steps from which on a trial without progress is futile.
    """
    num_steps, loss = curve[-1]
    if not math.isfinite(loss):  # minus infinity would be below any threshold
        return "diverged"
    if loss < threshold:
        return "succeeded"
    return "futile" if num_steps >= futile_after and is_hopeless(curve) else None


def is_hopeless(curve: Sequence[tuple[int, float]]) -> bool:
    """Whether the second half of the steps brought no loss that is 5 % below the best of the first half.

    Some training runs succeed after a long plateau, so this loses successes. ``make bench NAMES=futility`` counts them
    on recorded curves.

    Args:
        curve: pairs of optimizer steps and validation loss, up to the newest.
    """
    half = curve[-1][0] / 2
    first = [loss for step, loss in curve if step <= half]
    second = [loss for step, loss in curve if step > half]
    return bool(first) and min(second) > _LOWER * min(first)
