"""One batch split between the processes that train one model.

Every process reads the whole batch and takes the rows that are its own, so that data need not know of processes. A rank
is a process's number, from 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ib_bench.supervision.supervision import Batch

_SEED_STEP = 0x9E3779B97F4A7C15  # odd, so that no two ranks have one seed; far from what users count seeds by


def share_of(batch: Batch, rank: int, num_ranks: int) -> tuple[Batch, int]:
    """A rank's rows of a batch, every ``num_ranks``-th.

    Args:
        batch: of at least one row.
        rank: in ``[0, num_ranks)``.
        num_ranks: at least 1.

    Returns:
        The rows, and how many of them are the rank's own. A rank for which there is none is lent the first row, so that
        it has something to take part with.
    """
    own = Batch(batch.tokens[rank::num_ranks], batch.targets[rank::num_ranks])
    if len(own.tokens):
        return own, len(own.tokens)
    return Batch(batch.tokens[:1], batch.targets[:1]), 0


class RankRandomness:
    """A rank's own stream of random numbers, beside the one that all ranks have alike.

    That one gives all ranks the same weights and the same order of the data; with it alone they would also share the
    masks of dropout.

    Args:
        rank: whose stream it is.
    """

    def __init__(self, rank: int) -> None:
        self._rank = rank
        self._state: Tensor | None = None

    @contextmanager
    def own(self, device: torch.device) -> Iterator[None]:
        """Draw from the own stream of a device; the common one goes on afterwards where it was."""
        common = _state(device)
        if self._state is None:
            seed = (torch.initial_seed() + (self._rank + 1) * _SEED_STEP) % 2**63
            self._state = torch.Generator(device).manual_seed(seed).get_state()
        _set_state(self._state, device)
        try:
            yield
        finally:
            self._state = _state(device)
            _set_state(common, device)


def _state(device: torch.device) -> Tensor:
    if device.type == "cpu":
        return torch.get_rng_state()
    state: Tensor = torch.get_device_module(device).get_rng_state(device)
    return state


def _set_state(state: Tensor, device: torch.device) -> None:
    if device.type == "cpu":
        torch.set_rng_state(state)
    else:
        torch.get_device_module(device).set_rng_state(state, device)
