"""Against the textbook form, which builds the map of every token from its embedding."""

from __future__ import annotations

import pytest
import torch

from ib_bench.errors import InvalidOptionError
from ib_bench.models import DenseSSM


def textbook(model: DenseSSM, tokens: torch.Tensor) -> torch.Tensor:
    def normalize(state: torch.Tensor) -> torch.Tensor:
        if model.normalization == "rms":
            return state / state.square().mean(dim=-1, keepdim=True).sqrt()
        return state / state.norm(dim=-1, keepdim=True) if model.normalization == "unit" else state

    logits = []
    for row in tokens:
        state, of_row = normalize(model.initial_state), []
        for token in row:
            transition = sum(e * weight for e, weight in zip(model.embedding.weight[token], model.weight, strict=True))
            state = state @ transition
            if model.write is not None:
                state = state + model.write.weight @ model.embedding.weight[token] + model.write.bias
            state = normalize(state)
            of_row.append(model.head(state))
        logits.append(torch.stack(of_row))
    return torch.stack(logits)


@pytest.mark.parametrize("write_term", [False, True])
@pytest.mark.parametrize("normalization", ["rms", "unit", "none"])
@pytest.mark.parametrize("vocab_size", [3, 40], ids=["few symbols", "many symbols"])
def test_same_logits_and_gradients_as_the_textbook(vocab_size: int, normalization: str, write_term: bool) -> None:
    model = DenseSSM(
        vocab_size,
        num_classes=4,
        hidden_size=12,
        embedding_size=5,
        normalization=normalization,
        write_term=write_term,
    ).double()
    tokens = torch.randint(vocab_size, (3, 6), generator=torch.Generator().manual_seed(0))
    ours, theirs = model(tokens), textbook(model, tokens)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    parameters = list(model.parameters())
    for one, other in zip(
        torch.autograd.grad((ours * weights).sum(), parameters),
        torch.autograd.grad((theirs * weights).sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_states_neither_vanish_nor_explode_with_rms_normalisation() -> None:
    model = DenseSSM(vocab_size=3, num_classes=4, hidden_size=64)
    tokens = torch.randint(3, (2, 500), generator=torch.Generator().manual_seed(0))
    assert model(tokens).isfinite().all()


def test_unknown_normalization() -> None:
    with pytest.raises(InvalidOptionError, match="normalization must be one of rms, unit, none, got 'batch'"):
        DenseSSM(3, 2, normalization="batch")
