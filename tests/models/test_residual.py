"""What the models of one scaffold share."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from own_mixers import RunningMean
from torch import Tensor

from ib_bench import catalogue, models
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.mixer import StepMixer
from ib_bench.models.packing import PackedBatch
from ib_bench.models.residual import ResidualModel
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch

SHIPPED = [entry.load() for entry in catalogue.entries(catalogue.MODELS)]
MODELS = [model_class for model_class in SHIPPED if issubclass(model_class, ResidualModel)]

of_every_model = pytest.mark.parametrize("model_class", MODELS, ids=lambda model_class: model_class.__name__)


def build(model_class: type[ResidualModel]) -> ResidualModel:
    mixer = {"mixer": RunningMean} if model_class.__name__ == "MixerModel" else {}
    return model_class(7, 5, hidden_size=16, **mixer)  # type: ignore[call-arg]


@of_every_model
@pytest.mark.parametrize("precision", ["bf16-mixed", "bf16-true"])
def test_it_trains_and_reads_on_in_half_precision(model_class: type[ResidualModel], precision: str) -> None:
    model, tokens = build(model_class), torch.randint(7, (4, 20), generator=torch.Generator().manual_seed(0))
    mixed = precision == "bf16-mixed"
    model = model if mixed else model.bfloat16()
    with torch.autocast("cpu", torch.bfloat16) if mixed else nullcontext():
        logits = model(tokens)
        first, state = model.decode(tokens[:, :12])
        assert model.decode(tokens[:, 12:], state)[0].isfinite().all() and first.isfinite().all()
    cross_entropy(logits.float(), tokens % 5).backward()  # type: ignore[no-untyped-call]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())


@of_every_model
def test_long_sequences_stay_finite(model_class: type[ResidualModel]) -> None:
    """As extrapolation reads them, with weights as they are before training."""
    tokens = torch.randint(7, (2, 300), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert build(model_class)(tokens).isfinite().all()


@pytest.mark.parametrize("model_class", [models.SDSSM, models.PDSSM])
@pytest.mark.parametrize("num_layers", [1, 2])
def test_the_first_block_projects_every_word_once(
    model_class: type[ResidualModel], num_layers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Losses and gradients are those of a projection of every token, with padding and without."""
    model = model_class(7, 5, hidden_size=12, num_layers=num_layers).double()  # type: ignore[call-arg]
    tokens = torch.randint(7, (9, 8), generator=torch.Generator().manual_seed(0))
    asked = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(1)) < 0.5
    batch = Batch(tokens, (tokens % 5).masked_fill(~asked, IGNORE_INDEX))
    mixer = model.blocks[0].mixer
    assert isinstance(mixer, StepMixer)
    projected, project = [], mixer.project

    def spy(hidden: Tensor) -> tuple[Tensor, ...]:
        projected.append(hidden[..., 0].numel())
        return project(hidden)

    monkeypatch.setattr(mixer, "project", spy)
    packed = PackedBatch(batch)
    losses = []
    for once in (True, False):
        monkeypatch.setattr(mixer, "projects_words", once)
        losses.append(cross_entropy(model(tokens), batch.targets))
        losses.append(cross_entropy(model.packed_forward(packed), packed.targets))
    assert projected == [7, 7, tokens.numel(), len(packed.tokens)]
    expected = torch.autograd.grad(losses[-1], list(model.parameters()))
    for loss in losses[:-1]:
        torch.testing.assert_close(loss, losses[-1])
        torch.testing.assert_close(torch.autograd.grad(loss, list(model.parameters())), expected)


def test_a_few_tokens_are_projected_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    model, projected = models.SDSSM(70, 5, hidden_size=8), []
    mixer = model.blocks[0].mixer
    assert isinstance(mixer, StepMixer)
    project = mixer.project
    monkeypatch.setattr(mixer, "project", lambda hidden: projected.append(hidden.shape) or project(hidden))
    model(torch.arange(70).reshape(10, 7))
    assert projected == [(10, 7, 8)]
