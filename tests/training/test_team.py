"""Two processes that train one model together do what one does."""

from __future__ import annotations

import gc
import multiprocessing
import os
import weakref
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch

from ib_bench.errors import LostProcessError
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training.team import Team
from ib_bench.training.trial import run_trial

pytestmark = pytest.mark.system

TWO_PROCESSES = {"accelerator": "cpu", "strategy": "ddp", "devices": 2}

ALIKE = ClassSpec("watchful_models.Alike", {"hidden_size": 16})
DROPPING = ClassSpec("ib_bench.models.Transformer", {"hidden_size": 16, "num_heads": 2})
DENSE = ClassSpec("ib_bench.models.DenseSSM", {"hidden_size": 16})


def trial(model: Json, trainer: Json | None = None, **data: Any) -> TrialConfig:
    """61 sequences in batches of 15: there are steps whose one sequence is for one rank alone."""
    init_args = {"modulus": 3, "max_length": 4, "batch_size": 15, **data}
    spec = DataSpec("ib_bench.data.ModularAddition", init_args)
    return TrialConfig(Experiment(model, spec, trainer or {}), 61, 1e-2, 10, 1e-9, 60, 20, 1)


CASES = {
    "outcome": trial(ALIKE, supervision="outcome"),
    "chain_of_thought": trial(ALIKE, supervision="chain_of_thought"),
    "clipping, step by step": trial(ALIKE, {"gradient_clip_val": 0.1}),
    "accumulation": trial(ALIKE, {"accumulate_grad_batches": 2}),
    "bf16-mixed": trial(ALIKE, {"precision": "bf16-mixed"}),
    "one held-out sequence": replace(trial(ALIKE, modulus=2, max_length=3), num_train_sequences=2),
    "success": replace(trial(DENSE), threshold=0.1, max_steps=600),
    "dropout": trial(DROPPING),
}

TWICE = ("outcome", "clipping, step by step", "dropout")


class Results(NamedTuple):
    """Of all cases by one process and by two, of some by the same two once more, and of one that must fail."""

    alone: dict[str, TrialRecord]
    together: dict[str, TrialRecord]
    again: dict[str, TrialRecord]
    error: BaseException


@pytest.fixture(scope="module")
def results() -> Results:
    alone = {name: run_trial(config) for name, config in CASES.items()}
    with Team(TWO_PROCESSES) as team:
        together = {name: team.train(config).record for name, config in CASES.items()}
        again = {name: team.train(CASES[name]).record for name in TWICE}
        with pytest.raises(ValueError, match="hidden_size") as raised:
            team.train(trial(ClassSpec("ib_bench.models.LSTM", {"hidden_size": 0})))
    return Results(alone, together, again, raised.value)


@pytest.mark.parametrize("name", CASES)
def test_two_processes_do_what_one_does(results: Results, name: str) -> None:
    alone, together = results.alone[name], results.together[name]
    assert together.key == alone.key
    assert together.status == alone.status
    assert together.num_steps == alone.num_steps
    assert [step for step, _ in together.val_curve] == [step for step, _ in alone.val_curve]
    tolerance = {"bf16-mixed": 0.05, "dropout": 0.5}.get(name, 1e-4)
    losses, expected = ([loss for _, loss in record.val_curve] for record in (together, alone))
    assert losses == pytest.approx(expected, rel=tolerance)
    if tolerance == 1e-4:
        assert together.metrics == pytest.approx(alone.metrics, rel=tolerance)
    assert together.environment["num_processes"] == "2"
    assert "num_processes" not in alone.environment


def test_the_cases_are_what_they_are_for(results: Results) -> None:
    alone, together = results.alone["success"], results.together["success"]
    assert alone.status == "succeeded"
    assert alone.confirmation is not None and together.confirmation is not None
    assert together.confirmation.loss == pytest.approx(alone.confirmation.loss, rel=1e-4)
    assert together.val_accuracies == alone.val_accuracies
    assert results.alone["dropout"].val_curve != results.together["dropout"].val_curve, "the masks are others"


@pytest.mark.parametrize("name", TWICE)
def test_twice_the_same_is_the_same_bit_for_bit(results: Results, name: str) -> None:
    assert results.again[name].val_curve == results.together[name].val_curve


def test_what_goes_wrong_in_all_is_raised_once_and_leaves_no_process(results: Results) -> None:
    assert "hidden_size must be" in str(results.error)
    assert not multiprocessing.active_children()
    assert not torch.distributed.is_initialized()
    assert "LOCAL_RANK" not in os.environ and "MASTER_PORT" not in os.environ


@pytest.mark.slow
def test_a_batch_script_of_slurm_around_it_changes_nothing(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    """The script has one task; left to itself, Lightning would take the variables for those of srun."""
    script = {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "4242", "SLURM_JOB_NAME": "train", "SLURM_NODELIST": "localhost"}
    for variable, value in script.items():
        monkeypatch.setenv(variable, value)
    with Team(TWO_PROCESSES) as team:
        again = team.train(CASES["outcome"]).record
    assert again.val_curve == results.together["outcome"].val_curve


@pytest.mark.slow  # it hung once, when gloo waited for the lost process as its group was deleted
def test_a_lost_follower_ends_the_training_with_a_sentence() -> None:
    groups = []

    def kill(num_steps: int, loss: float) -> None:
        groups.append(weakref.ref(torch.distributed.group.WORLD))
        (follower,) = multiprocessing.active_children()
        follower.kill()

    words = r"of the 2 processes that train one model together, rank 1 \(exit code -9\) has ended"
    with pytest.raises(LostProcessError, match=words), Team(TWO_PROCESSES) as team:
        team.train(CASES["outcome"], on_validation=kill)
    assert not multiprocessing.active_children()
    assert not torch.distributed.is_initialized()
    gc.collect()
    assert groups[0]() is not None, "its destructor may wait for the process that is gone"
