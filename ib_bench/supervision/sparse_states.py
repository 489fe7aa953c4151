"""Sparse states: some states are named as soon as their symbol has been read, the others never.

    reads    x_1  x_2  x_3  x_4
    emits     .   s_2   .   s_4

The last state is always asked for, each of the others with the same probability: with 0 this is outcome supervision
without a separator, with 1 it is aligned chain of thought.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch, Supervision
from ib_bench.tasks.finite_state_machine import FiniteStateMachine

_STEP = 0x9E3779B97F4A7C15
_FACTORS = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
_WORD = 2**64


class SparseStates(Supervision):
    """Each state is asked for with a probability, at its symbol, and the last one always.

    Which ones is a function of the whole sequence and the seed: a sequence is written down in the same way each time.

    Args:
        task: see :class:`~ib_bench.supervision.supervision.Supervision`.
        separator: false or null.
        revealed: probability with which a state is asked for, in 0..1.
        seed: decides which states are.

    Raises:
        InvalidOptionError: a value outside its range.

    Reference: *Learning State Tracking from Code* (arXiv 2602.14814), where states are revealed sparsely.
    """

    default_separator = False

    def __init__(
        self, task: FiniteStateMachine, separator: bool | None = None, revealed: float = 0.5, seed: int = 0
    ) -> None:
        require(not separator, "separator", separator, "false or null with sparse_states")
        require(0 <= revealed <= 1, "revealed", revealed, "a probability, in 0..1")
        super().__init__(task, separator)
        self.task = task
        self.revealed = revealed
        self.seed = seed

    @property
    def complete(self) -> Supervision:
        """All states are asked for."""
        return SparseStates(self.task, revealed=1.0)

    def num_tokens(self, length: int) -> int:
        """The input and nothing else."""
        return length

    def encode_naively(self, symbols: list[int], states: list[int]) -> list[tuple[int, int]]:
        """See :meth:`Supervision.encode_naively`."""
        digest = _mix_one(self.seed)
        for symbol in symbols:
            digest = _mix_one(digest ^ symbol)
        asked = [_mix_one((digest + place) % _WORD) >> 11 < self.revealed * 2**53 for place in range(len(symbols))]
        asked[-1] = True
        return [(x, s if is_asked else IGNORE_INDEX) for x, s, is_asked in zip(symbols, states, asked, strict=True)]

    def encode(self, symbols: Tensor, states: Tensor, lengths: Tensor) -> Batch:
        """A hash of a row's symbols, and then of it and the place, decides whether a state is asked for."""
        inside = torch.arange(symbols.shape[1]) < lengths[:, None]
        digest = np.full(len(symbols), _mix_one(self.seed), dtype=np.uint64)
        for column, within in zip(symbols.numpy().T.astype(np.uint64), inside.numpy().T, strict=True):
            digest = np.where(within, _mix(digest ^ column), digest)
        places = np.arange(symbols.shape[1], dtype=np.uint64)
        asked = _mix(digest[:, None] + places) >> np.uint64(11) < np.float64(self.revealed * 2**53)
        is_last = torch.arange(symbols.shape[1]) == lengths[:, None] - 1
        is_asked = inside & (torch.from_numpy(asked) | is_last)
        return Batch(torch.where(inside, symbols.long(), 0), torch.where(is_asked, states, IGNORE_INDEX))


def _mix_one(x: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea & Flood, 2014), of one number of 64 bits."""
    x = (x + _STEP) % _WORD
    x = (x ^ x >> 30) * _FACTORS[0] % _WORD
    x = (x ^ x >> 27) * _FACTORS[1] % _WORD
    return x ^ x >> 31


def _mix(x: np.ndarray) -> np.ndarray:
    """:func:`_mix_one` of each number of an array of type uint64."""
    x = x + np.uint64(_STEP)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_FACTORS[0])
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_FACTORS[1])
    return np.bitwise_xor(x, x >> np.uint64(31))
