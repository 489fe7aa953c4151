"""Aligned chain of thought: name every state as soon as its symbol has been read.

    reads    x_1  x_2  x_3
    emits    s_1  s_2  s_3

This is what a recurrent model does by itself, one state after the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch, Supervision
from ib_bench.tasks.finite_state_machine import FiniteStateMachine


class AlignedChainOfThought(Supervision):
    """State s_i is asked for at the position of symbol x_i; there is no separator.

    Raises:
        InvalidOptionError: ``separator`` is true; there is no end of input that could be marked.

    Reference: arXiv 2602.18333, section 2.
    """

    default_separator = False

    def __init__(self, task: FiniteStateMachine, separator: bool | None = None) -> None:
        require(not separator, "separator", separator, "false or null with aligned_chain_of_thought")
        super().__init__(task, separator)

    def num_tokens(self, length: int) -> int:
        """The input and nothing else."""
        return length

    def encode_naively(self, symbols: list[int], states: list[int]) -> list[tuple[int, int]]:
        """See :meth:`Supervision.encode_naively`."""
        return list(zip(symbols, states, strict=True))

    def encode(self, symbols: Tensor, states: Tensor, lengths: Tensor) -> Batch:
        """Write as many targets as symbols, each in its symbol's place."""
        inside = torch.arange(symbols.shape[1]) < lengths[:, None]
        return Batch(torch.where(inside, symbols.long(), 0), torch.where(inside, states, IGNORE_INDEX))
