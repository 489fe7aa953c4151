from __future__ import annotations

import pytest

from ib_bench.training.validation_cadence import MIN_INTERVAL, validation_interval


@pytest.mark.parametrize("num_val_tokens", [10, 2_000, 20_000, 120_000])
@pytest.mark.parametrize("num_tokens_per_step", [5, 640, 3840])
@pytest.mark.parametrize("max_steps", [1, 9, 2_500, 250_000])
def test_validation_costs_at_most_a_tenth(num_val_tokens: int, num_tokens_per_step: int, max_steps: int) -> None:
    interval = validation_interval(num_val_tokens, num_tokens_per_step, max_steps)
    assert 1 <= interval <= max_steps
    forward_share = 1 / 3  # of a training step's cost per token
    cost = forward_share * num_val_tokens / (interval * num_tokens_per_step)
    assert cost <= 0.1 or interval == max_steps
    assert interval >= min(MIN_INTERVAL, max_steps)
