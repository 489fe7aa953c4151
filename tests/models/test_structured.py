"""RWKV-7, SLiCE, SD-SSM and PD-SSM against the recurrences of their docstrings, with transitions written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ib_bench.errors import InvalidOptionError
from ib_bench.models import SLiCE
from ib_bench.models.mixer import Mixer
from ib_bench.models.pd_ssm import PDSSMMixer, sums_in_order
from ib_bench.models.rwkv7 import RWKV7Mixer
from ib_bench.models.sd_ssm import SDSSMMixer
from ib_bench.models.slice import SLiCEMixer


def drawn(length: int = 7, width: int = 6) -> Tensor:
    return torch.randn(2, length, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def assert_same(mixer: Mixer, hidden: Tensor, expected: Tensor) -> None:
    """At once, and in two pieces."""
    torch.testing.assert_close(mixer(hidden), expected)
    first, state = mixer.decode(hidden[:, :3])
    torch.testing.assert_close(torch.cat([first, mixer.decode(hidden[:, 3:], state)[0]], dim=1), expected)


@pytest.mark.parametrize("length", [7, 70])
def test_rwkv7(length: int) -> None:
    """70 tokens are several chunks."""
    mixer = RWKV7Mixer(6, num_heads=2).double()
    with torch.no_grad():
        mixer.bonus.uniform_(-1, 1)
        mixer.shift.uniform_(0, 1)
    hidden, expected = drawn(length), []
    state, before = torch.zeros(2, 2, 3, 3, dtype=torch.float64), torch.zeros(2, 6, dtype=torch.float64)
    for x in hidden.unbind(dim=1):
        r, k, v, w, a, g = (x * (1 - share) + before * share for share in mixer.shift)
        r, k, v, g = mixer.receptance(r), mixer.key(k), mixer.value(v), mixer.gate(g).sigmoid()
        w, a = (-math.exp(-0.5) * mixer.decay(w).sigmoid()).exp(), mixer.rate(a).sigmoid()
        removed = functional.normalize((k * mixer.removal).view(2, 2, 3), dim=-1)
        k = (k * (1 + (a - 1) * mixer.replacement)).view(2, 2, 3)
        r, v, w, a = (one.view(2, 2, 3) for one in (r, v, w, a))
        transition = w.diag_embed() - (a * removed)[..., :, None] * removed[..., None, :]
        state = transition @ state + k[..., :, None] * v[..., None, :]
        seen = mixer.output_norm(torch.einsum("bhkv,bhk->bhv", state, r))
        seen = seen + (r * mixer.bonus.view(2, 3) * k).sum(dim=-1, keepdim=True) * v
        expected.append(mixer.out(seen.flatten(1) * g))
        before = x
    assert_same(mixer, hidden, torch.stack(expected, dim=1))


@pytest.mark.parametrize("write_term", [False, True])
@pytest.mark.parametrize("block_size", [1, 3, 6])
def test_slice(block_size: int, write_term: bool) -> None:
    mixer, hidden, expected = SLiCEMixer(6, block_size, write_term).double(), drawn(), []
    state = mixer.initial_state.expand(2, -1)
    for x in hidden.unbind(dim=1):
        blocks = (x @ mixer.transition.T).view(2, -1, block_size, block_size)
        change = torch.stack([torch.block_diag(*of_row) for of_row in blocks])
        state = state + torch.einsum("bij,bj->bi", change, state)
        if mixer.write is not None:
            state = state + mixer.write(x)
        expected.append(mixer.out(mixer.norm(state)))
    assert_same(mixer, hidden, torch.stack(expected, dim=1))


def test_sd_ssm() -> None:
    mixer, hidden, expected = SDSSMMixer(6, dictionary_size=3).double(), drawn(), []
    state = mixer.first_state.expand(2, -1)
    for x in hidden.unbind(dim=1):
        weights = mixer.choice(x).softmax(dim=-1)
        transition = sum(weights[:, k, None, None] * mixer.dictionary[k] for k in range(3))
        transition = transition / transition.abs().pow(1.2).sum(dim=1, keepdim=True).pow(1 / 1.2)
        state = torch.einsum("bij,bj->bi", transition, state) + mixer.write(x)
        expected.append(mixer.out(mixer.norm(state)))
    assert_same(mixer, hidden, torch.stack(expected, dim=1))


def pd_transitions(mixer: PDSSMMixer, x: Tensor) -> tuple[Tensor, Tensor]:
    """P with a softmax in place of the hardmax, and P D."""
    mixed = torch.einsum("bk,kij->bij", mixer.choice(x).softmax(dim=-1), mixer.dictionary)
    magnitude, phase = mixer.diagonal(x).sigmoid().chunk(2, dim=-1)
    hard = functional.one_hot(mixed.argmax(dim=1), mixed.shape[1]).mT
    return mixed.softmax(dim=1), hard * torch.polar(magnitude, 2 * torch.pi * phase)[:, None]


def test_pd_ssm() -> None:
    mixer, hidden, expected = PDSSMMixer(6, state_size=5, dictionary_size=3).double(), drawn(), []
    state = torch.view_as_complex(mixer.first_state).expand(2, -1)
    for x in hidden.unbind(dim=1):
        written = torch.view_as_complex(mixer.write(x).view(2, 5, 2))
        state = torch.einsum("bij,bj->bi", pd_transitions(mixer, x)[1], state) + written
        expected.append(mixer.out(mixer.norm(mixer.read(torch.view_as_real(state).flatten(1)))))
    assert_same(mixer, hidden, torch.stack(expected, dim=1))


def test_the_gradient_of_pd_ssms_hardmax_is_that_of_the_softmax() -> None:
    mixer, hidden = PDSSMMixer(6, state_size=5, dictionary_size=3).double(), drawn()[:, 0]
    weights = torch.rand((2, 5, 2), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    own, _ = mixer.step(mixer.project(hidden), mixer.initial_state(2, hidden))
    soft, transition = pd_transitions(mixer, hidden)
    hard = (transition.detach() != 0).double()
    real, imaginary = mixer.first_state.unbind(dim=-1)
    _, _, of_own, of_other, written = mixer.project(hidden)
    cos, sin = of_own[..., 0], of_other[..., 1]
    turned = torch.stack([cos * real - sin * imaginary, sin * real + cos * imaginary])
    expected = torch.einsum("bij,cbj->bic", hard + soft - soft.detach(), turned) + written
    torch.testing.assert_close(own, expected)
    gradients = [torch.autograd.grad((one * weights).sum(), list(mixer.parameters())[:6]) for one in (own, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_pd_ssm_adds_up_on_a_gpu_as_scatter_add_does(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    values = torch.randint(-9, 10, (3, 5, 2), generator=generator).to(dtype)  # small integers: their sums are exact
    rows = torch.randint(5, (3, 5), generator=generator)
    index = rows[..., None].expand_as(values)
    own = sums_in_order(values, rows)
    assert own.dtype == dtype
    torch.testing.assert_close(own, torch.zeros_like(values).scatter_add_(1, index, values), rtol=0, atol=0)


def test_pd_ssm_can_be_any_automaton() -> None:
    """Of 5 states, with a map that merges states: exact over 1,000 symbols."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randint(5, (3, 5), generator=generator)  # [symbol, from]
    mixer = PDSSMMixer(3, state_size=5, dictionary_size=3)
    with torch.no_grad():
        mixer.choice.weight.copy_(50 * torch.eye(3))
        mixer.choice.bias.zero_()
        mixer.dictionary.copy_(20 * functional.one_hot(table, 5).mT)
        mixer.diagonal.weight.zero_()
        mixer.diagonal.bias.copy_(torch.tensor([50.0] * 5 + [-50.0] * 5))  # D = 1
        mixer.write.weight.zero_()
        mixer.first_state.copy_(torch.tensor([[1.0, 0.0]] + [[0.0, 0.0]] * 4))
        symbols = torch.randint(3, (1, 1000), generator=generator)
        _, (last,) = mixer.decode(functional.one_hot(symbols, 3).float())
    state = 0
    for symbol in symbols[0].tolist():
        state = int(table[symbol, state])
    assert last[0, :, 0].argmax() == state


def test_bad_block_size() -> None:
    with pytest.raises(InvalidOptionError, match="block_size must be a divisor of hidden_size, which is 64, got 5"):
        SLiCE(3, 2, block_size=5)
