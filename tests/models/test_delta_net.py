"""Against the recurrence of the docstring, and against Hugging Face's Gated DeltaNet."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers.models.qwen3_next.modeling_qwen3_next import torch_recurrent_gated_delta_rule

from ib_bench.errors import InvalidOptionError
from ib_bench.models import DeltaNet
from ib_bench.models.delta_net import DeltaMixer
from ib_bench.models.scan import key_value_scan

OPTIONS = [
    {"num_householders": num, "negative_eigenvalues": negative, "gate": gate, "write_term": write, "conv_size": conv}
    for num, conv in ((1, 0), (1, 4), (3, 4))
    for negative, gate, write in itertools.product((False, True), repeat=3)
]
OPTIONS += [{**options, "exact_reflections": True} for options in OPTIONS if options["negative_eigenvalues"]]


def step_by_step(mixer: DeltaMixer, hidden: Tensor) -> Tensor:
    """One row, head by head, with matrices I - beta k k^T written out."""
    heads, num, head_size = mixer.num_heads, mixer.num_householders, mixer.output_norm.normalized_shape[0]
    projected = mixer.query_key_value(hidden)
    if mixer.convolution is not None:
        weight, padded = mixer.convolution.weight, functional.pad(projected, (0, 0, 3, 0))
        projected = torch.stack([(weight * padded[t : t + 4]).sum(dim=0) for t in range(len(hidden))])
    outputs = []
    state = mixer.initial_state
    state = torch.zeros(heads, head_size, head_size, dtype=hidden.dtype) if state is None else state
    for x, vectors in zip(hidden, functional.silu(projected), strict=True):
        query, *others = vectors.view(-1, heads, head_size)
        beta = torch.full((num, heads), 2.0, dtype=x.dtype)
        if mixer.beta is not None:
            beta = (mixer.beta(x).sigmoid() * mixer.max_beta).view(num, heads)
        alpha = torch.ones(heads) if mixer.decay is None else mixer.decay(x[None])[0].exp()
        of_heads, states = [], []
        for head in range(heads):
            matrix = alpha[head] * state[head]
            for j in range(num):
                key = functional.normalize(others[j][head], dim=0)
                matrix = matrix - beta[j, head] * torch.outer(key, key) @ matrix
                if mixer.initial_state is None:
                    matrix = matrix + beta[j, head] * torch.outer(key, others[num + j][head])
            states.append(matrix)
            of_heads.append(mixer.output_norm(functional.normalize(query[head], dim=0) / head_size**0.5 @ matrix))
        state = torch.stack(states)
        outputs.append(mixer.out(torch.cat(of_heads)))
    return torch.stack(outputs)


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_the_recurrence_of_the_docstring(options: dict[str, object]) -> None:
    mixer = DeltaMixer(6, num_heads=2, **options).double()  # type: ignore[arg-type]
    hidden = torch.randn(2, 7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.stack([step_by_step(mixer, row) for row in hidden])
    torch.testing.assert_close(mixer(hidden), expected)
    first, state = mixer.decode(hidden[:, :3])
    torch.testing.assert_close(torch.cat([first, mixer.decode(hidden[:, 3:], state)[0]], dim=1), expected)


def test_exact_reflections_keep_lengths() -> None:
    mixer = DeltaMixer(8, 2, 3, negative_eigenvalues=True, exact_reflections=True, write_term=False).double()
    hidden = torch.randn(2, 500, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    _, (_, matrix) = mixer.decode(hidden)
    assert mixer.initial_state is not None
    torch.testing.assert_close(matrix.norm(dim=2), mixer.initial_state.norm(dim=1).expand(2, -1, -1))


def test_the_gated_delta_rule_of_hugging_face() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(2, 9, 3, 4, generator=generator) for _ in range(3))
    log_decay, beta = (torch.rand(2, 9, 3, generator=generator) for _ in range(2))
    theirs, last = torch_recurrent_gated_delta_rule(
        query, key, value, -log_decay, 2 * beta, output_final_state=True, use_qk_l2norm_in_kernel=True
    )
    query, key, value = (values.transpose(1, 2) for values in (query, key, value))
    log_decay, beta = (values.transpose(1, 2)[..., None] for values in (log_decay, beta))
    query, key = functional.normalize(query, dim=-1) / 2, functional.normalize(key, dim=-1)
    ours, matrix = key_value_scan(query, 2 * beta * key, value, -log_decay, torch.zeros(2, 3, 4, 4), erase=key)
    torch.testing.assert_close(ours.transpose(1, 2), theirs, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(matrix, last, rtol=1e-4, atol=1e-5)


def test_one_reflection_is_parity() -> None:
    """Without a write term, a state that every 1 reflects has the sign of the parity, at any length."""
    mixer = DeltaMixer(2, num_heads=1, negative_eigenvalues=True, write_term=False, conv_size=0)
    with torch.no_grad():
        mixer.query_key_value.weight.copy_(torch.tensor([[9.0, 9.0], [0, 0], [9, 9], [0, 0]]))
        mixer.beta.weight.copy_(torch.tensor([[-50.0, 50.0]]))
        mixer.beta.bias.zero_()
        mixer.initial_state.fill_(1.0)
        mixer.out.weight.copy_(torch.eye(2))
        bits = torch.randint(2, (4, 300), generator=torch.Generator().manual_seed(0))
        sign = mixer(functional.one_hot(bits, 2).float())[..., 0].sign()
    assert torch.equal(sign, 1 - 2.0 * (bits.cumsum(dim=1) % 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_heads": 5}, "num_heads must be a divisor"),
        ({"num_householders": 0}, "num_householders must be an integer of at least 1"),
        ({"conv_size": -1}, "conv_size must be an integer of at least 0"),
        ({"num_layers": 0}, "num_layers must be an integer of at least 1"),
        ({"mlp_factor": -1}, "mlp_factor must be an integer of at least 0"),
        ({"exact_reflections": True}, "exact_reflections must be false without negative_eigenvalues"),
    ],
)
def test_bad_sizes(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        DeltaNet(3, 2, **arguments)  # type: ignore[arg-type]
