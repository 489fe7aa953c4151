"""The parallel forms of linear recurrences, against the loops that define them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.measurement import Measurement, OnRound, timed_in_turns
from ib_bench.models.scan import affine_doubling, affine_steps, key_value_scan
from ib_bench.training.global_state import one_thread

_LENGTHS = (32, 256)
_BATCH_SIZE, _WIDTH, _NUM_HEADS, _BLOCK_SIZE = 64, 64, 4, 4


def key_value_loop(
    query: Tensor, key: Tensor, value: Tensor, log_decay: Tensor, state: Tensor, erase: Tensor | None
) -> Tensor:
    """:func:`key_value_scan` with one substep for each token, step by step; the outputs alone."""
    outputs = []
    for step in range(query.shape[-2]):
        state = log_decay[..., step, :, None].exp() * state
        written = value[..., step, None, :]
        if erase is not None:
            written = written - erase[..., step, None, :] @ state
        state = state + key[..., step, :, None] * written
        outputs.append(query[..., step, None, :] @ state)
    return torch.cat(outputs, dim=-2)


def scans(num_rounds: int, on_round: OnRound) -> list[Measurement]:
    """Time forward and backward pass of both, on one CPU thread, for several recurrences and lengths.

    Args:
        num_rounds: timings of each, in turns.
        on_round: receives what is timed, before each round.
    """
    with one_thread():
        return [_measure(name, length, num_rounds, on_round) for name in _CASES for length in _LENGTHS]


def _diagonal(length: int) -> tuple[list[Tensor], Callable[..., Tensor], Callable[..., Tensor]]:
    inputs = [_drawn(length, _WIDTH).sigmoid(), _drawn(length, _WIDTH), torch.zeros(_BATCH_SIZE, _WIDTH)]
    return inputs, affine_doubling, affine_steps


def _blocks(length: int) -> tuple[list[Tensor], Callable[..., Tensor], Callable[..., Tensor]]:
    num = _WIDTH // _BLOCK_SIZE
    transition = torch.linalg.qr(_drawn(length, num, _BLOCK_SIZE, _BLOCK_SIZE))[0]
    state = torch.zeros(_BATCH_SIZE, num, _BLOCK_SIZE)
    return [transition, _drawn(length, num, _BLOCK_SIZE), state], affine_doubling, affine_steps


def _decaying(length: int) -> tuple[list[Tensor], Callable[..., Tensor], Callable[..., Tensor]]:
    size = _WIDTH // _NUM_HEADS
    query, key, value = (_drawn(_NUM_HEADS, length, size, seed=seed) for seed in range(3))
    log_decay = -_drawn(_NUM_HEADS, length, 1).sigmoid()
    state = torch.zeros(_BATCH_SIZE, _NUM_HEADS, size, size)
    return (
        [query, key, value, log_decay, state],
        lambda q, k, v, decay, matrix: key_value_scan(q, k, v, decay, matrix)[0],
        lambda q, k, v, decay, matrix: key_value_loop(q, k, v, decay, matrix, erase=None),
    )


def _delta_rule(length: int) -> tuple[list[Tensor], Callable[..., Tensor], Callable[..., Tensor]]:
    (query, key, value, log_decay, state), _, _ = _decaying(length)
    key = torch.nn.functional.normalize(key, dim=-1)
    return (
        [query, key, value, log_decay, state],
        lambda q, k, v, decay, matrix: key_value_scan(q, k, v, decay, matrix, erase=k)[0],
        lambda q, k, v, decay, matrix: key_value_loop(q, k, v, decay, matrix, erase=k),
    )


_CASES = {
    "diagonal (minGRU)": _diagonal,
    "blocks of 4 (SLiCE)": _blocks,
    "scalar decay (Mamba-2)": _decaying,
    "delta rule (DeltaNet)": _delta_rule,
}


def _drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(_BATCH_SIZE, *shape, generator=torch.Generator().manual_seed(seed))


def _measure(name: str, length: int, num_rounds: int, on_round: OnRound) -> Measurement:
    inputs, scan, loop = _CASES[name](length)
    leaves = [values.detach().requires_grad_() for values in inputs]
    difference = float((scan(*inputs) - loop(*inputs)).abs().max())

    def step(recurrence: Callable[..., Tensor]) -> None:
        recurrence(*leaves).square().mean().backward()  # type: ignore[no-untyped-call]

    contestants = [lambda form=form: step(form) for form in (scan, loop)]
    scan_s, loop_s = timed_in_turns(contestants, num_rounds, lambda: on_round(f"{name}, length {length}"))
    note = f"{1000 * loop_s:.1f} against {1000 * scan_s:.1f} ms, outputs differ by {difference:.0e}"
    what = f"{name}, length {length}: loop against scan"
    return Measurement("scans", what, loop_s / scan_s, "x", note=note, same=difference < 1e-3)
