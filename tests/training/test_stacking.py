"""A grid trained as one gives what its members would give alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ib_bench import models
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch
from ib_bench.training.fitting import is_stackable
from ib_bench.training.stacking import side_by_side
from ib_bench.training.trial import TrainedTrial, train_stack, train_trial

SIZES: dict[str, Json] = {
    "LSTM": {"hidden_size": 12, "num_layers": 2},
    "DenseSSM": {"hidden_size": 8},
    "Transformer": {"hidden_size": 8, "num_layers": 2, "num_heads": 2, "dropout": 0.0},
}
RATES = {"LSTM": (0.01, 0.003), "DenseSSM": (0.01, 0.003), "Transformer": (0.001, 0.0003)}
"""At larger ones rounding errors grow, in the transformer to 1 % of the loss within 100 steps."""

NUM_STEPS = 200


def grid_of(
    model: str, supervision: str, lengths: str = "uniform", threshold: float = 1e-9, **changes: object
) -> list[TrialConfig]:
    arguments = {"modulus": 3, "supervision": supervision, "length_distribution": lengths, "max_length": 5}
    experiment = Experiment(
        model=ClassSpec(f"ib_bench.models.{model}", SIZES[model]),
        data=DataSpec("ib_bench.data.ModularAddition", {**arguments, "batch_size": 16}),
        trainer={"precision": "64-true"},
    )
    first = TrialConfig(experiment, 50, 0.01, 1, threshold, NUM_STEPS, 40, 1)
    return [replace(first, learning_rate=rate, seed=seed, **changes) for rate in RATES[model] for seed in (1, 2)]


@pytest.mark.system
@pytest.mark.parametrize(
    ("model", "supervision", "lengths"),
    [
        ("LSTM", "outcome", "uniform"),
        ("DenseSSM", "aligned_chain_of_thought", "short_to_long"),
        ("Transformer", "chain_of_thought", "uniform"),
    ],
)
def test_every_member_is_trained_as_it_would_be_alone(model: str, supervision: str, lengths: str) -> None:
    grid = grid_of(model, supervision, lengths)
    stacked = train_stack(grid, exhaustive=True)
    assert [trial.record.key for trial in stacked] == [config.key for config in grid]
    for config, trial in zip(grid, stacked, strict=True):
        alone = train_trial(config)
        assert trial.record.status == alone.record.status
        steps, losses = zip(*trial.record.val_curve, strict=True)
        other_steps, other_losses = zip(*alone.record.val_curve, strict=True)
        assert steps == other_steps == (40, 80, 120, 160, 200)
        assert losses == pytest.approx(other_losses, rel=1e-5)
        assert trial.record.metrics == pytest.approx(alone.record.metrics, rel=1e-5)
        assert val_loss(trial) == pytest.approx(losses[-1], rel=1e-5)  # the model is the trained one


def val_loss(trial: TrainedTrial) -> float:
    (batch,) = trial.data.val_dataloader()
    with torch.no_grad():
        return float(cross_entropy(trial.model.eval()(batch.tokens), batch.targets))


@pytest.mark.system
def test_the_first_success_ends_all_and_only_ended_trials_count() -> None:
    easy = grid_of("DenseSSM", "aligned_chain_of_thought", threshold=0.1)
    alone = [train_trial(config).record for config in easy]
    first = min(trial.num_steps for trial in alone if trial.succeeded)
    ended = {trial.key: trial for trial in alone if trial.num_steps == first}
    stacked = [trial.record for trial in train_stack(easy, exhaustive=False)]
    assert {trial.key for trial in stacked} == set(ended)
    assert all(trial.succeeded and trial.num_steps == first for trial in stacked)


@pytest.mark.system
def test_exhaustive_trains_all_to_their_end() -> None:
    easy = grid_of("DenseSSM", "aligned_chain_of_thought", threshold=0.1)
    alone = {trial.key: trial for trial in (train_trial(config).record for config in easy)}
    stacked = [trial.record for trial in train_stack(easy, exhaustive=True)]
    assert {trial.key: (trial.status, trial.num_steps) for trial in stacked} == {
        key: (trial.status, trial.num_steps) for key, trial in alone.items()
    }


@pytest.mark.system
def test_a_member_that_diverges_leaves_the_others_alone() -> None:
    grid = grid_of("DenseSSM", "outcome")
    wild = [replace(config, learning_rate=1e200) if config.learning_rate == 0.01 else config for config in grid]
    calm = {trial.record.key: trial.record for trial in train_stack(grid[2:], exhaustive=True)}
    trials = [trial.record for trial in train_stack(wild, exhaustive=True)]
    assert [trial.status for trial in trials] == ["diverged", "diverged", "failed", "failed"]
    for trial in trials[2:]:
        assert trial.best_val_loss == pytest.approx(calm[trial.key].best_val_loss, rel=1e-5)


class Derived(models.LSTM):
    """Whose forward may be another."""


class Hooked(models.LSTM):
    """That wants to see every step."""

    stackable = True

    def on_train_batch_end(self, *arguments: object) -> None:
        """Look."""


class Frozen(models.LSTM):
    """Part of which is not trained."""

    stackable = True

    def __init__(self, vocab_size: int, num_classes: int, hidden_size: int) -> None:
        super().__init__(vocab_size, num_classes, hidden_size)
        self.embedding.requires_grad_(False)


class Buffered(models.LSTM):
    """With a buffer, of which a stack would take the first member's."""

    stackable = True

    def __init__(self, vocab_size: int, num_classes: int, hidden_size: int) -> None:
        super().__init__(vocab_size, num_classes, hidden_size)
        self.register_buffer("scale", torch.ones(1))


class OwnLoss(models.LSTM):
    """With another loss."""

    stackable = True

    def loss(self, batch: Batch) -> Tensor:
        return 2 * super().loss(batch)


class Unbatchable(models.LSTM):
    """Whose operations have no batching rule."""

    stackable = True

    def stackable_forward(self, tokens: Tensor) -> Tensor:
        return self(tokens)


def test_what_is_stackable() -> None:
    for name, sizes in SIZES.items():
        assert is_stackable(getattr(models, name)(4, 3, **sizes), {})
    assert not is_stackable(models.LSTM(4, 3, hidden_size=4), {"gradient_clip_val": 1.0})
    assert not is_stackable(models.LSTM(4, 3, hidden_size=4), {"precision": "16-mixed"})  # one scaler for all members
    for cls in (Derived, Hooked, Frozen, Buffered, OwnLoss, Unbatchable):
        assert not is_stackable(cls(4, 3, hidden_size=4), {}), cls
    assert not SequenceModel.stackable


def test_batches_side_by_side_are_padded_to_one_width() -> None:
    def batch(width: int) -> Batch:
        tokens: Tensor = torch.ones(2, width, dtype=torch.long)
        return Batch(tokens, tokens)

    both = side_by_side([batch(2), batch(3)])
    assert both.tokens.tolist() == [[[1, 1, 0]] * 2, [[1, 1, 1]] * 2]
    assert both.targets.tolist() == [[[1, 1, IGNORE_INDEX]] * 2, [[1, 1, 1]] * 2]
