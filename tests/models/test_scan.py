"""Parallel forms against the recurrences that define them, step by step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ib_bench.models.scan import affine_doubling, affine_scan, affine_steps, key_value_scan


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype).requires_grad_()


def gradients(results: list[Tensor], weights: list[Tensor], inputs: list[Tensor]) -> tuple[Tensor, ...]:
    total = sum((one * weight).sum() for one, weight in zip(results, weights, strict=True))
    return torch.autograd.grad(total, inputs, retain_graph=True)


def assert_same(ours: list[Tensor], theirs: list[Tensor], inputs: list[Tensor]) -> None:
    """Values and gradients are the same."""
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)
    weights = [drawn(*one.shape, seed=9).detach() for one in ours]
    own, expected = (gradients(results, weights, inputs) for results in (ours, theirs))
    for one, other in zip(own, expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("length", [1, 2, 7, 8, 33])
@pytest.mark.parametrize("is_diagonal", [True, False], ids=["diagonal", "matrix"])
def test_affine_scan(is_diagonal: bool, length: int) -> None:
    transition = drawn(2, length, 3, 4) if is_diagonal else drawn(2, length, 3, 4, 4)
    inputs, state = drawn(2, length, 3, 4, seed=1), drawn(2, 3, 4, seed=2)
    expected, hidden = [], state
    for step in range(length):
        if is_diagonal:
            hidden = transition[:, step] * hidden + inputs[:, step]
        else:
            hidden = torch.einsum("bnij,bnj->bni", transition[:, step], hidden) + inputs[:, step]
        expected.append(hidden)
    for scan in (affine_scan, affine_steps, affine_doubling):
        ours = scan(transition, inputs, state)
        assert_same([ours], [torch.stack(expected, dim=1)], [transition, inputs, state])


@pytest.mark.parametrize("is_diagonal", [True, False], ids=["diagonal", "matrix"])
def test_complex_transitions(is_diagonal: bool) -> None:
    """The states of the same recurrence in real numbers, from real inputs."""
    transition = drawn(2, 5, 3, dtype=torch.complex64) if is_diagonal else drawn(2, 5, 3, 3, dtype=torch.complex64)
    inputs, state = drawn(2, 5, 3, seed=1, dtype=torch.float32), drawn(2, 3, seed=2, dtype=torch.float32)
    matrix = torch.diag_embed(transition) if is_diagonal else transition
    real = torch.cat([torch.cat([matrix.real, -matrix.imag], -1), torch.cat([matrix.imag, matrix.real], -1)], -2)
    zeros = torch.zeros_like(inputs)
    expected = affine_scan(real, torch.cat([inputs, zeros], -1), torch.cat([state, zeros[:, 0]], -1))
    states = affine_scan(transition, inputs, state)
    assert states.dtype == torch.complex64
    assert_same([torch.cat([states.real, states.imag], -1)], [expected], [inputs, state])
    torch.testing.assert_close(affine_doubling(transition, inputs + 0j, state + 0j), states)
    assert affine_scan(transition, inputs, state.double()).dtype == torch.complex128


def test_complex_keys_and_values() -> None:
    query, key = (drawn(2, 20, 3, seed=seed, dtype=torch.complex64) for seed in (0, 1))
    value, state = drawn(2, 20, 4, seed=2, dtype=torch.float32), drawn(2, 3, 4, seed=3, dtype=torch.float32)
    expected, matrix = [], state.to(torch.complex64)
    for step in range(20):
        matrix = 0.5 * matrix + key[:, step, :, None] * value[:, step, None]
        expected.append(torch.einsum("bkv,bk->bv", matrix, query[:, step]))
    outputs, last = key_value_scan(query, key, value, torch.full((2, 20, 1), 0.5).log(), state)
    torch.testing.assert_close(outputs, torch.stack(expected, dim=1))
    torch.testing.assert_close(last, matrix)


@pytest.mark.parametrize("num_substeps", [1, 3])
@pytest.mark.parametrize("chunk_size", [1, 6, 64])
@pytest.mark.parametrize("erases", [True, False], ids=["erases", "only writes"])
@pytest.mark.parametrize("decay", ["scalar", "vector"])
def test_key_value_scan(decay: str, erases: bool, chunk_size: int, num_substeps: int) -> None:
    length, num_keys, num_values = 9, 5, 3
    num = length * num_substeps
    query, key, value = drawn(2, length, num_keys), drawn(2, num, num_keys, seed=1), drawn(2, num, num_values, seed=2)
    raw, state = drawn(2, num, num_keys if decay == "vector" else 1, seed=3), drawn(2, num_keys, num_values, seed=4)
    erase = drawn(2, num, num_keys, seed=5)
    log_decay = -raw.sigmoid()
    expected, matrix = [], state
    for step in range(num):
        matrix = log_decay[:, step, :, None].exp() * matrix
        written = value[:, step]
        if erases:
            written = written - torch.einsum("bkv,bk->bv", matrix, erase[:, step])
        matrix = matrix + key[:, step, :, None] * written[:, None]
        if step % num_substeps == num_substeps - 1:
            expected.append(torch.einsum("bkv,bk->bv", matrix, query[:, step // num_substeps]))
    outputs, last = key_value_scan(
        query, key, value, log_decay, state, erase if erases else None, num_substeps, chunk_size
    )
    inputs = [query, key, value, raw, state] + [erase] * erases
    assert_same([outputs, last], [torch.stack(expected, dim=1), matrix], inputs)


@pytest.mark.parametrize("chunk_size", [4, 64])
@pytest.mark.parametrize("erases", [True, False], ids=["erases", "only writes"])
def test_nothing_decays_and_the_first_state_is_zero(erases: bool, chunk_size: int) -> None:
    """None stands for zeros, and what all heads share is not repeated."""
    query, key = drawn(2, 1, 9, 5), drawn(2, 1, 9, 5, seed=1)
    value, erase = drawn(2, 3, 9, 4, seed=2), drawn(2, 1, 9, 5, seed=3) if erases else None
    decay, state = torch.zeros(2, 3, 9, 1, dtype=torch.float64), torch.zeros(2, 3, 5, 4, dtype=torch.float64)
    for has_decay in (False, True):
        ours = key_value_scan(query, key, value, decay if has_decay else None, None, erase, chunk_size=chunk_size)
        expected = key_value_scan(query.expand(-1, 3, -1, -1), key, value, decay, state, erase, chunk_size=chunk_size)
        assert_same(list(ours), list(expected), [query, key, value] + [erase] * erases)


def test_reflections_keep_their_length_over_thousands_of_tokens() -> None:
    """In float32, which a long product of transitions of norm 1 must survive."""
    key = torch.nn.functional.normalize(drawn(1, 2000, 8).detach().float(), dim=-1)
    value, nothing = torch.zeros(1, 2000, 8), torch.zeros(1, 2000, 1)
    _, last = key_value_scan(key, 2 * key, value, nothing, torch.eye(8)[None], erase=key)
    torch.testing.assert_close(last @ last.mT, torch.eye(8)[None], rtol=0, atol=1e-3)


def test_strong_decay_does_not_overflow() -> None:
    inputs = [drawn(1, 200, 4, seed=seed) for seed in range(3)]
    outputs, _ = key_value_scan(*inputs, torch.full((1, 200, 1), -100.0).double(), torch.zeros(1, 4, 4).double())
    expected = (inputs[0] * inputs[1]).sum(dim=-1, keepdim=True) * inputs[2]
    assert_same([outputs], [expected], inputs)


def test_mixed_precision_stays_outside() -> None:
    """Sums of many small numbers, which bfloat16 would lose, and results in the type of the inputs."""
    half, ones = torch.full((1, 300, 1), 2**-8, dtype=torch.bfloat16), torch.ones(1, 300, 1, dtype=torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        states = affine_scan(ones, half, ones[:, 0])
        outputs, _ = key_value_scan(ones, ones, half, torch.zeros(1, 300, 1), torch.ones(1, 1, 1))
    for result in (states, outputs):
        assert result.dtype == torch.bfloat16
        assert result[0, -1, 0] == torch.tensor(1 + 300 / 256, dtype=torch.bfloat16)
