"""Models with one vector or scalar memory per head, against their formulas step by step."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ib_bench import models
from ib_bench.models.min_gru import MinGRUMixer
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.models.slstm import SLSTMMixer


def tokens(vocab_size: int = 7) -> Tensor:
    return torch.randint(vocab_size, (3, 8), generator=torch.Generator().manual_seed(0))


def gru_step(weights: dict[str, Tensor], x: Tensor, h: Tensor) -> Tensor:
    of_x = x @ weights["weight_ih_l0"].T + weights["bias_ih_l0"]
    of_h = h @ weights["weight_hh_l0"].T + weights["bias_hh_l0"]
    (r, z, n), (hr, hz, hn) = of_x.chunk(3, dim=-1), of_h.chunk(3, dim=-1)
    z = (z + hz).sigmoid()
    return (1 - z) * (n + (r + hr).sigmoid() * hn).tanh() + z * h


def rnn_step(weights: dict[str, Tensor], x: Tensor, h: Tensor) -> Tensor:
    bias = weights["bias_ih_l0"] + weights["bias_hh_l0"]
    return (x @ weights["weight_ih_l0"].T + h @ weights["weight_hh_l0"].T + bias).tanh()


@pytest.mark.parametrize(("model_class", "step"), [(models.GRU, gru_step), (models.RNN, rnn_step)])
def test_the_formulas_of_the_docstrings(model_class: type[SequenceModel], step: Callable[..., Tensor]) -> None:
    model = model_class(7, 5, hidden_size=12)  # type: ignore[call-arg]
    weights, hidden, visited = dict(model.layers.named_parameters()), torch.zeros(3, 12), []
    for x in model.embedding(tokens()).unbind(dim=1):
        hidden = step(weights, x, hidden)
        visited.append(hidden)
    torch.testing.assert_close(model(tokens()), model.head(torch.stack(visited, dim=1)))


def test_min_gru() -> None:
    mixer, hidden = MinGRUMixer(6), torch.randn(3, 8, 6, generator=torch.Generator().manual_seed(0))
    state, expected = torch.zeros(3, 6), []
    for x in hidden.unbind(dim=1):
        z, new = mixer.gate_and_candidate(x).split(6, dim=-1)
        state = (1 - z.sigmoid()) * state + z.sigmoid() * new
        expected.append(state)
    torch.testing.assert_close(mixer(hidden), torch.stack(expected, dim=1))


def test_slstm_without_the_stabiliser() -> None:
    """The maximum m only keeps exponentials small: it cancels in c / n."""
    mixer = SLSTMMixer(6, num_heads=2).double()
    hidden = torch.randn(3, 8, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    h = c = n = torch.zeros(3, 2, 3, dtype=torch.float64)
    visited = []
    for x in hidden.unbind(dim=1):
        of_x = mixer.of_input(x).view(3, 2, 12)
        of_h = torch.stack([h[:, head] @ mixer.of_state[head] for head in range(2)], dim=1)
        new, write, keep, show = (of_x + of_h).split(3, dim=-1)
        c = keep.sigmoid() * c + write.exp() * new.tanh()
        n = keep.sigmoid() * n + write.exp()
        h = show.sigmoid() * c / n
        visited.append(h)
    torch.testing.assert_close(mixer(hidden), mixer.readout(torch.stack(visited, dim=1)))


def test_slstm_keeps_its_memory_at_the_start() -> None:
    mixer = SLSTMMixer(16, num_heads=4)
    keep = mixer.of_input.bias.view(4, 4, 4)[:, 2]
    assert keep.min() > 2 and mixer(1e4 * torch.ones(1, 3, 16)).isfinite().all()
