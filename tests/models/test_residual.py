"""What the models of one scaffold share."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from own_mixers import RunningMean

from ib_bench import catalogue
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.residual import ResidualModel

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
