"""A success is looked at once more, on sequences of which nothing was decided."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.models.metrics import cross_entropy
from ib_bench.results.codec import UnreadableRecordError, decode, encode, to_plain
from ib_bench.results.records import Experiment
from ib_bench.results.trial_record import Confirmation, TrialConfig, TrialRecord
from ib_bench.training.trial import TrainedTrial, train_trial


@pytest.fixture
def config(experiment: Experiment) -> TrialConfig:
    """Of 117 sequences, 22 are for validation, so a training set of up to 73 leaves as many for the second set."""
    return TrialConfig(experiment, 64, 1e-2, 10, 0.05, max_steps=600, val_check_interval=None, num_threads=1)


def loss_on_the_test_set(trial: TrainedTrial) -> float:
    assert isinstance(trial.data, StateTrackingData)
    with torch.no_grad():
        logits, targets = zip(
            *((trial.model.eval()(batch.tokens), batch.targets) for batch in trial.data.test_dataloader()), strict=True
        )
        return float(cross_entropy(torch.cat(logits), torch.cat(targets)))


@pytest.mark.system
def test_a_success_is_confirmed_at_its_weights(config: TrialConfig) -> None:
    trial = train_trial(config)
    assert trial.record.confirmation is not None
    assert trial.record.confirmation.num_sequences == 95 - 64
    assert trial.record.confirmation.loss == pytest.approx(loss_on_the_test_set(trial), rel=1e-5)
    assert trial.record.confirmed is (loss_on_the_test_set(trial) < config.threshold)
    assert trial.record.metrics["loss"] == trial.record.val_curve[-1][1], "these stay those of the validation set"


@pytest.mark.system
@pytest.mark.parametrize("size", [73, 74, 95])
def test_a_second_set_is_as_large_as_the_first_or_there_is_none(config: TrialConfig, size: int) -> None:
    record = train_trial(replace(config, num_train_sequences=size)).record
    assert record.succeeded
    assert (record.confirmation is None) == (size > 73)


@pytest.mark.system
def test_a_failure_is_not_confirmed(config: TrialConfig) -> None:
    record = train_trial(replace(config, max_steps=3)).record
    assert (record.status, record.confirmation, record.confirmed) == ("failed", None, None)


@pytest.mark.system
def test_accuracies_belong_to_the_validation_curve(config: TrialConfig) -> None:
    record = train_trial(replace(config, val_check_interval=1)).record
    assert len(record.val_accuracies) == len(record.val_curve) > 3
    assert record.val_accuracies[-1] == record.metrics["final_state_accuracy"]
    first, last = record.val_accuracies[0], record.val_accuracies[-1]
    assert first is not None and last is not None and first < last


def made_up(config: TrialConfig, loss: float | None, confirmation: Confirmation | None) -> TrialRecord:
    status = "succeeded" if loss is not None and loss < config.threshold else "failed"
    curve = [(5, loss)]
    return TrialRecord(
        config.key, config, status, 5, loss, 5, 5, curve, {}, "1", 1.0, 1.0, {}, {}, "now", confirmation, [0.5]
    )


@pytest.mark.parametrize(("loss", "confirmed"), [(0.049, True), (0.05, False), (None, False)])
def test_confirmed_is_a_loss_below_the_same_threshold(config: TrialConfig, loss: float | None, confirmed: bool) -> None:
    record = made_up(config, 0.01, Confirmation(loss, 500))
    assert record.confirmed is confirmed
    assert decode(TrialRecord, encode(record).encode()) == record


def test_records_of_earlier_versions_are_read(config: TrialConfig) -> None:
    record = made_up(config, 0.01, Confirmation(0.02, 500))
    plain = to_plain(record)
    del plain["confirmation"], plain["val_accuracies"]
    old = decode(TrialRecord, json.dumps(plain).encode())
    assert old == replace(record, confirmation=None, val_accuracies=[])
    assert old.confirmed is None


def test_contradictions_are_refused(config: TrialConfig) -> None:
    with pytest.raises(ValueError, match="a trial that has failed cannot be confirmed"):
        made_up(config, 1.0, Confirmation(0.02, 500))
    with pytest.raises(ValueError, match="2 accuracies belong to 1 validations"):
        replace(made_up(config, 1.0, None), val_accuracies=[0.5, 0.6])
    text = encode(made_up(config, 0.01, Confirmation(0.02, 500))).replace('"num_sequences": 500', '"num_sequences": -1')
    with pytest.raises(UnreadableRecordError):
        decode(TrialRecord, text.encode())
