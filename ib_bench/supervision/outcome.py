"""Outcome supervision: read everything, then name the final state.

    reads    x_1  x_2  x_3  =
    emits     .    .    .   s_3

The separator ``=`` says that the input has ended.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.supervision.supervision import IGNORE_INDEX, Batch, Supervision


class Outcome(Supervision):
    """Only the final state is asked for, after the whole input.

    Reference: arXiv 2602.18333, section 2.
    """

    default_separator = True

    def num_tokens(self, length: int) -> int:
        """The input, and the separator if there is one."""
        return length + self.num_separators

    def encode_naively(self, symbols: list[int], states: list[int]) -> list[tuple[int, int]]:
        """See :meth:`Supervision.encode_naively`."""
        tokens = symbols + self.separators
        targets = [IGNORE_INDEX] * (len(tokens) - 1) + [states[-1]]
        return list(zip(tokens, targets, strict=True))

    def encode(self, symbols: Tensor, states: Tensor, lengths: Tensor) -> Batch:
        """One target a row: the final state, at the separator (or at the last symbol if there is none)."""
        position = torch.arange(self.num_tokens(symbols.shape[1]))
        last = (lengths - 1)[:, None]
        tokens = torch.nn.functional.pad(symbols.long(), (0, self.num_separators))
        tokens = torch.where(position <= last, tokens, 0)
        if self.separator_token is not None:
            tokens[position == lengths[:, None]] = self.separator_token
        targets = torch.full_like(tokens, IGNORE_INDEX)
        targets.scatter_(1, last + self.num_separators, states.gather(1, last))
        return Batch(tokens, targets)
