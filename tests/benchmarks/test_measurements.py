"""The benchmarks work; what they measure is no matter of a test, but for what does not depend on the machine."""

from __future__ import annotations

import pytest
import torch

from benchmarks.dense_ssm import TextbookDenseSSM, dense_ssm
from benchmarks.measurement import Measurement
from benchmarks.naive_search import searches
from benchmarks.reference import futility
from benchmarks.scans import scans
from benchmarks.training_step import training_steps
from benchmarks.words import words
from ib_bench.models import DenseSSM


def quiet(what: str) -> None:
    """Nobody watches."""


def test_targets_are_limits_from_above_or_below() -> None:
    assert Measurement("a", "b", 1.0, "x").reached is None
    assert Measurement("a", "b", 1.0, "x", target=1.05).reached
    assert not Measurement("a", "b", 7.0, "x", target=8.0, at_least=True).reached


def test_the_textbook_form_has_the_same_logits() -> None:
    ours, textbook = DenseSSM(10, 10, hidden_size=16), TextbookDenseSSM(10, 10, hidden_size=16)
    textbook.load_state_dict(ours.state_dict())
    tokens = torch.randint(10, (4, 7), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(textbook(tokens), ours(tokens), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.system
def test_every_benchmark_gives_figures() -> None:
    steps = training_steps(num_steps=2, num_rounds=1, on_round=quiet)
    assert len(steps) == 35 and all(measurement.value > 0 for measurement in steps)
    assert len(dense_ssm(1, quiet)) == 3
    assert [measurement.same for measurement in scans(1, quiet)] == [True] * 8
    assert all(measurement.value > 0 for measurement in searches(2, quiet))


def test_projecting_words_changes_no_loss() -> None:
    assert [measurement.same for measurement in words(1, quiet)] == [True] * 4


@pytest.mark.slow
def test_what_the_reference_results_say_of_the_futility_rule() -> None:
    assert [measurement.unit for measurement in futility()] == ["%"] * 6
