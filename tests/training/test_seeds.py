"""What the seed of a trial moves, and what it does not where data or model have a seed of their own."""

from __future__ import annotations

import pytest
import torch

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.results.records import Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.trial import TrainedTrial, train_trial

pytestmark = pytest.mark.system

TINY = 1e-30
"""A learning rate that leaves the weights as they were initialised."""


def trained(experiment: Experiment, seed: int, rate: float = TINY, **options: int) -> TrainedTrial:
    return train_trial(config(experiment, seed, rate, **options))


def config(experiment: Experiment, seed: int, rate: float = TINY, **options: int) -> TrialConfig:
    return TrialConfig(experiment, 40, rate, seed, 1e-9, 8, 4, 1, dict(options))


def same_weights(one: TrainedTrial, other: TrainedTrial) -> bool:
    return all(torch.equal(value, other.weights[name]) for name, value in one.weights.items())


def same_data(one: TrainedTrial, other: TrainedTrial) -> bool:
    loaders = []
    for trial in (one, other):
        assert isinstance(trial.data, StateTrackingData)
        batches = [*trial.data.train_dataloader(), *trial.data.val_dataloader()]
        loaders.append(torch.cat([batch.tokens.flatten() for batch in batches]))
    return torch.equal(*loaders)


def test_held_data_leave_the_weights_to_the_seed(experiment: Experiment) -> None:
    plain, free, held = (trained(experiment, 1), trained(experiment, 2), trained(experiment, 2, data_seed=1))
    assert not same_data(plain, free) and not same_weights(plain, free)
    assert same_data(plain, held) and same_weights(free, held)
    assert len({one.record.key for one in (plain, free, held)}) == 3


def test_held_weights_leave_the_data_to_the_seed(experiment: Experiment) -> None:
    plain, free, held = (trained(experiment, 1), trained(experiment, 2), trained(experiment, 2, model_seed=1))
    assert same_weights(plain, held) and same_data(free, held)
    assert plain.record.val_curve != held.record.val_curve
