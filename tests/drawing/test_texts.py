from __future__ import annotations

import math

import pytest

from ib_bench.drawing.texts import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(6.6, "7s"), (126, "2m 06s"), (3900, "1h 05m"), (-3, "0s"), (-0.2, "0s"), (math.inf, "?"), (math.nan, "?")],
)
def test_durations_are_never_negative_and_may_be_unknown(seconds: float, text: str) -> None:
    assert duration(seconds) == text
