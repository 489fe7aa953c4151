"""Long validation curves with few points, for figures and pages."""

from __future__ import annotations

from collections.abc import Sequence

MAX_POINTS = 60
"""Validations of a trial that a figure shows and a page holds."""


def fewer_points(curve: Sequence[tuple[int, float | None]]) -> list[tuple[int, float | None]]:
    """About so few of the validations, evenly spread, the last and the best among them.

    Args:
        curve: steps with their validation losses.
    """
    stride = -(-len(curve) // MAX_POINTS)
    if stride <= 1:
        return list(curve)
    best = min(range(len(curve)), key=lambda place: (curve[place][1] is None, curve[place][1] or 0.0))
    return [curve[place] for place in range(len(curve)) if place % stride == 0 or place in (best, len(curve) - 1)]
