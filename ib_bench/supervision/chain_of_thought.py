"""Chain of thought: read everything, then write the states down one after the other.

    reads    x_1  x_2  x_3   =   s_1  s_2
    emits     .    .    .   s_1  s_2  s_3

In training and validation the states that are read are the true ones (teacher forcing).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.supervision.supervision import IGNORE_INDEX, Batch, Supervision


class ChainOfThought(Supervision):
    """All states are asked for, after the whole input, and each is read before the next.

    Reference: arXiv 2602.18333, section 2.
    """

    default_separator = True
    writes_states = True

    def num_tokens(self, length: int) -> int:
        """The input, the separator if there is one, and all states but the last."""
        return 2 * length - 1 + self.num_separators

    def encode_naively(self, symbols: list[int], states: list[int]) -> list[tuple[int, int]]:
        """See :meth:`Supervision.encode_naively`."""
        tokens = symbols + self.separators + [self.first_state_token + state for state in states[:-1]]
        targets = [IGNORE_INDEX] * (len(tokens) - len(states)) + states
        return list(zip(tokens, targets, strict=True))

    def encode(self, symbols: Tensor, states: Tensor, lengths: Tensor) -> Batch:
        """Write as many targets as symbols, starting at the separator (or at the last symbol if there is none)."""
        max_length = symbols.shape[1]
        position = torch.arange(self.num_tokens(max_length))
        length = lengths[:, None]
        thought = position - (length - 1 + self.num_separators)  # s_1 is predicted at thought 0, s_2 at 1, ...
        answered = states.gather(1, thought.clamp(0, max_length - 1))
        targets = torch.where((thought >= 0) & (thought < length), answered, IGNORE_INDEX)

        written = states.gather(1, (thought - 1).clamp(0, max_length - 1)) + self.first_state_token
        tokens = torch.nn.functional.pad(symbols.long(), (0, len(position) - max_length))
        tokens = torch.where(position < length, tokens, torch.where((thought >= 1) & (thought < length), written, 0))
        if self.separator_token is not None:
            tokens[position == length] = self.separator_token
        return Batch(tokens, targets)
