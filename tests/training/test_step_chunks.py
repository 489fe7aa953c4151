"""Chunks of steps change what a step costs, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision

from ib_bench.data import ModularAddition
from ib_bench.models import LSTM
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training import fitting
from ib_bench.training.fitting import has_own_batches, takes_many_steps_at_once
from ib_bench.training.step_chunks import StepChunks
from ib_bench.training.trial import run_trial


@pytest.mark.parametrize(
    ("interval", "num_steps", "sizes", "per_interval"),
    [
        (50, 120, [50, 50, 20], 1),
        (127, 300, [63, 64, 63, 64, 46], 2),
        (1, 3, [1, 1, 1], 1),
        (500, 10, [10], 8),
    ],
)
def test_a_chunk_ends_wherever_a_validation_is_due(
    interval: int, num_steps: int, sizes: list[int], per_interval: int
) -> None:
    batches = ModularAddition(max_length=4, num_train_sequences=100, batch_size=16).train_dataloader()
    chunks = StepChunks(batches, interval, num_steps)
    assert [len(chunk) for chunk in chunks] == sizes
    assert len(chunks) == len(sizes)
    assert chunks.chunks_per_interval == per_interval


def test_the_stream_is_one_epoch_after_the_other() -> None:
    data = ModularAddition(max_length=4, num_train_sequences=100, batch_size=16)
    expected = []
    for epoch in range(3):
        batches = data.train_dataloader()
        batches.sampler.set_epoch(epoch)
        expected += [batch.tokens for batch in batches]
    stream = [batch.tokens for chunk in StepChunks(data.train_dataloader(), 5, 3 * 7) for batch in chunk]
    assert all(torch.equal(one, other) for one, other in zip(stream, expected, strict=True))


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "precision"),
    [("LSTM", "32-true"), ("DenseSSM", "32-true"), ("Transformer", "32-true"), ("DeltaNet", "bf16-mixed")],
)
def test_same_curve_bit_for_bit_as_step_by_step(
    experiment: Experiment, name: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In mixed precision, the gradients of a scan in float32 are in float32 too."""
    arguments: dict[str, Any] = {"hidden_size": 16} | ({"num_heads": 2} if name == "Transformer" else {})
    model = ClassSpec(f"ib_bench.models.{name}", arguments)
    own = replace(experiment, model=model, trainer={"precision": precision})
    config = TrialConfig(own, 70, 1e-2, 10, 1e-9, 47, 10, 1)
    chunked = run_trial(config)
    asked: list[bool] = []
    monkeypatch.setattr(fitting, "takes_many_steps_at_once", lambda *_: asked.append(True))
    step_by_step = run_trial(config)
    assert asked == [True]
    assert chunked.val_curve == step_by_step.val_curve
    assert chunked.num_steps == step_by_step.num_steps == 47


@pytest.mark.system
def test_copies_of_weights_in_mixed_precision_last_for_one_step(
    experiment: Experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some versions of Lightning let autocast keep its copies for as long as a training step lasts, others do not."""

    def with_copies(self: MixedPrecision) -> torch.autocast:
        return torch.autocast("cpu", dtype=torch.bfloat16, cache_enabled=True)

    monkeypatch.setattr(MixedPrecision, "forward_context", with_copies)
    trainer = {"precision": "bf16-mixed"}
    config = TrialConfig(replace(experiment, trainer=trainer), 61, 1e-2, 10, 1e-9, 40, 20, 1)
    chunked = run_trial(config, {"accelerator": "cpu"})
    monkeypatch.setattr(fitting, "takes_many_steps_at_once", lambda *_: False)
    assert run_trial(config, {"accelerator": "cpu"}).val_curve == chunked.val_curve


class Watching(ModularAddition):
    """Data with a hook of Lightning's."""

    num_called = 0

    def on_after_batch_transfer(self, batch: Any, dataloader_idx: int) -> Any:
        Watching.num_called += 1
        return batch


@pytest.mark.system
def test_data_with_hooks_of_their_own_get_single_steps() -> None:
    Watching.num_called = 0
    assert has_own_batches(ModularAddition(max_length=4)) and not has_own_batches(Watching(max_length=4))
    fitting.train(LSTM(3, 3, hidden_size=4), Watching(3, max_length=4), 5, 5, [], accelerator="cpu")
    assert Watching.num_called >= 5


class OwnHook(LSTM):
    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        pass


def test_whoever_watches_single_steps_gets_single_steps() -> None:
    assert takes_many_steps_at_once(LSTM(3, 2, hidden_size=4), {"precision": "bf16-mixed"})
    assert not takes_many_steps_at_once(LSTM(3, 2, hidden_size=4), {"gradient_clip_val": 1.0})
    assert not takes_many_steps_at_once(OwnHook(3, 2, hidden_size=4), {})


class OwnScheduler(LSTM):
    def configure_optimizers(self) -> dict[str, Any]:  # type: ignore[override]
        optimizer = torch.optim.SGD(self.parameters(), lr=self.learning_rate)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class OwnCallbacks(LSTM):
    def configure_callbacks(self) -> list[Any]:
        return []


@pytest.mark.parametrize("model_class", [OwnScheduler, OwnCallbacks])
def test_own_schedulers_and_callbacks_get_single_steps(model_class: type[LSTM]) -> None:
    assert not takes_many_steps_at_once(model_class(3, 2, hidden_size=4), {})


def test_a_scheduler_runs_in_a_trial() -> None:
    data = ModularAddition(max_length=4, num_train_sequences=50)
    model = OwnScheduler(data.vocab_size, data.num_classes, hidden_size=4, learning_rate=1.0)
    fitting.train(model, data, 10, 20, [], accelerator="cpu")
    assert model.optimizers().param_groups[0]["lr"] == pytest.approx(0.5**10)  # type: ignore[union-attr]
