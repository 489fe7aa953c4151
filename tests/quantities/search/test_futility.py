"""The futility rule on made-up curves, and what it would have cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_records import ACOT, Point, search, trial

from ib_bench.quantities.search.futility import back_test
from ib_bench.results.archive import Records
from ib_bench.training.judgement import is_hopeless, judged

STANDSTILL = [(10, 1.0), (20, 0.99), (30, 1.01), (40, 0.98)]
PROGRESS = [(10, 1.0), (20, 0.9), (30, 0.8), (40, 0.7)]


def test_standstill_is_hopeless_and_progress_is_not() -> None:
    assert is_hopeless(STANDSTILL) and not is_hopeless(PROGRESS)
    assert not is_hopeless(STANDSTILL[:1])  # nothing to compare with


@pytest.mark.parametrize(
    ("curve", "futile_after", "judgement"),
    [
        ([*STANDSTILL, (50, 0.01)], 0, "succeeded"),
        ([*STANDSTILL, (50, float("nan"))], 0, "diverged"),
        ([*STANDSTILL, (50, float("-inf"))], 0, "diverged"),
        (STANDSTILL, 40, "futile"),
        (STANDSTILL, 41, None),
        (PROGRESS, 0, None),
    ],
)
def test_judgements(curve: list[tuple[int, float]], futile_after: float, judgement: str | None) -> None:
    assert judged(curve, 0.1, futile_after) == judgement


def test_the_back_test_counts_lost_successes_verdicts_and_steps() -> None:
    late = [(25, 1.0), (50, 1.0), (75, 1.0), (100, 0.00001)]
    base = trial(Point("LSTM", ACOT), 4096)
    config = replace(base.config, max_steps=100)
    best = {"best_val_loss": 0.00001, "best_step": 100}
    lost = replace(base, status="succeeded", num_steps=100, val_curve=late, config=config, **best)
    standstill = {"best_val_loss": 1.0, "best_step": 25, "val_curve": [*late[:3], (100, 1.0)]}
    hopeless = replace(lost, key="hopeless", status="failed", **standstill)
    easy = replace(lost, key="easy", num_steps=25, best_step=25, val_curve=[(25, 0.00001)])
    records = Records.of_all([lost, hopeless, easy, search(Point("LSTM", ACOT), 4096)])
    cost = back_test(records, 0.5)
    assert (cost.num_trials, cost.num_successes, cost.num_lost) == (3, 2, 1)
    assert (cost.num_searches, cost.num_changed) == (1, 1)
    assert cost.share_saved == pytest.approx((50 + 50) / 225)
    assert "ends 1 of 2 training runs that succeed (50.0 %)" in str(cost)
    assert back_test(records, 0.99).num_lost == 0
    assert back_test(Records(), 0.5).share_saved == 0
