"""Against Hugging Face's Mamba-2 with the same weights, and the options against their recurrence."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import Mamba2Config
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer as HuggingFaceMixer

from ib_bench.errors import InvalidOptionError
from ib_bench.models import Mamba2
from ib_bench.models.mamba2 import Mamba2Mixer


def inputs(width: int, length: int = 9) -> Tensor:
    return torch.randn(2, length, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_same_as_hugging_face() -> None:
    ours = Mamba2Mixer(8, state_size=6, num_heads=4, expand=2)
    config = Mamba2Config(
        num_heads=4, head_dim=4, hidden_size=8, state_size=6, expand=2, n_groups=1, conv_kernel=4, chunk_size=4
    )
    theirs = HuggingFaceMixer(config, layer_idx=0).eval()
    with torch.no_grad():
        theirs.in_proj.weight.copy_(torch.cat([ours.gate.weight, ours.value_key_query.weight, ours.step.weight]))
        theirs.conv1d.weight.copy_(ours.convolution.weight.T[:, None])
        theirs.conv1d.bias.copy_(ours.convolution.bias)
        theirs.A_log.copy_(ours.log_rate)
        theirs.dt_bias.copy_(ours.step_bias)
        theirs.D.copy_(ours.skip)
        theirs.out_proj.weight.copy_(ours.out.weight)
        hidden = inputs(8).float()
        torch.testing.assert_close(ours(hidden), theirs(hidden), rtol=1e-4, atol=1e-5)


def step_by_step(mixer: Mamba2Mixer, hidden: Tensor) -> Tensor:
    """With the transition of each token written out as a matrix; without the convolution."""
    inner, size, _ = mixer._widths
    heads = mixer.num_heads
    state = torch.zeros(len(hidden), heads, size, inner // heads, dtype=hidden.dtype)
    outputs = []
    for x in hidden.unbind(dim=1):
        value, key, query = functional.silu(mixer.value_key_query(x)).split([inner, size, size], dim=-1)
        value = value.view(len(x), heads, -1)
        step = functional.softplus(mixer.step(x) + mixer.step_bias)
        rate = mixer.log_rate.exp() if mixer.rate_and_angle is None else functional.softplus(mixer.rate_and_angle(x))
        alpha = (-rate[..., :heads] * step).exp()
        transition = (2 * alpha - 1 if mixer.negative_eigenvalues else alpha)[..., None, None] * torch.eye(size)
        if mixer.rate_and_angle is not None:
            angle = step[..., None] * torch.pi * mixer.rate_and_angle(x)[:, None, heads:].tanh()
            cos, sin = angle.cos().diag_embed(), angle.sin().diag_embed()
            transition = transition @ torch.cat([torch.cat([cos, -sin], -1), torch.cat([sin, cos], -1)], dim=-2)
        state = transition @ state + torch.einsum("bh,bn,bhp->bhnp", step, key, value)
        seen = torch.einsum("bhnp,bn->bhp", state, query) + mixer.skip[:, None] * value
        outputs.append(mixer.out(mixer.output_norm(seen.flatten(1) * functional.silu(mixer.gate(x)))))
    return torch.stack(outputs, dim=1)


@pytest.mark.parametrize("rotation", [False, True])
@pytest.mark.parametrize("negative_eigenvalues", [False, True])
def test_the_recurrence_of_the_docstring(negative_eigenvalues: bool, rotation: bool) -> None:
    mixer = Mamba2Mixer(
        8, state_size=6, num_heads=2, negative_eigenvalues=negative_eigenvalues, rotation=rotation, conv_size=0
    ).double()
    with torch.no_grad():  # transitions of both signs, and large angles
        mixer.step.weight.mul_(3)
        mixer.step_bias.fill_(0.5)
    hidden = inputs(8)
    expected = step_by_step(mixer, hidden)
    torch.testing.assert_close(mixer(hidden), expected)
    first, state = mixer.decode(hidden[:, :4])
    torch.testing.assert_close(torch.cat([first, mixer.decode(hidden[:, 4:], state)[0]], dim=1), expected)
    parameters = list(mixer.parameters())
    for own, other in zip(
        torch.autograd.grad(mixer(hidden).square().sum(), parameters),
        torch.autograd.grad(expected.square().sum(), parameters),
        strict=True,
    ):
        torch.testing.assert_close(own, other, rtol=1e-5, atol=1e-8)


def test_rotation_needs_pairs() -> None:
    with pytest.raises(InvalidOptionError, match="state_size must be even with rotation, got 5"):
        Mamba2(3, 2, state_size=5, rotation=True)


@pytest.mark.parametrize("option", ["rotation", "negative_eigenvalues"])
def test_parity(option: str) -> None:
    """What the first symbol wrote changes its sign with every 1, at any length: by a turn of pi, or by alpha = -1."""
    mixer = Mamba2Mixer(3, state_size=2, num_heads=1, expand=2, conv_size=0, **{option: True})
    with torch.no_grad():
        for parameter in mixer.parameters():
            parameter.zero_()
        mixer.value_key_query.weight[0, 2] = 1  # only the start symbol writes, all read
        mixer.value_key_query.weight[[6, 8]] = 1
        if option == "rotation":
            mixer.step_bias.fill_(math.log(math.e - 1))  # a step of 1
            mixer.rate_and_angle.bias[0] = -50  # no decay
            mixer.rate_and_angle.weight[1, 1] = 50
        else:
            mixer.step.weight.copy_(torch.tensor([[-50.0, 50.0, 50.0]]))
        mixer.output_norm.weight.fill_(1)
        mixer.gate.weight.fill_(1)
        mixer.out.weight[0, 0] = 1
        bits = torch.randint(2, (4, 300), generator=torch.Generator().manual_seed(0))
        symbols = torch.cat([torch.full((4, 1), 2), bits], dim=1)
        sign = mixer(functional.one_hot(symbols, 3).float())[:, 1:, 0].sign()
    assert torch.equal(sign, 1 - 2.0 * (bits.cumsum(dim=1) % 2))
