"""A memory of one value: the last one that was written."""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine

_MAX_VALUES = 5_000  # its table has 25 million entries


class FlipFlop(FiniteStateMachine):
    """The value written last: symbol 0 leaves it as it is, symbol v + 1 writes v; it starts as 0.

    Args:
        num_values: that can be written, in 2..5,000.

    Raises:
        InvalidOptionError: ``num_values`` lies outside 2..5,000.

    Reference: *Exposing Attention Glitches with Flip-Flop Language Modeling* (Liu et al., arXiv 2306.00946).

    Example:
        >>> FlipFlop(num_values=2).trajectory(torch.tensor([[2, 0, 0, 1]]))
        tensor([[1, 1, 1, 0]])
    """

    def __init__(self, num_values: int = 2) -> None:
        require(2 <= num_values <= _MAX_VALUES, "num_values", num_values, f"an integer in 2..{_MAX_VALUES:,}")
        self.num_values = num_values
        self.num_states = num_values
        self.num_symbols = num_values + 1

    def _build_transition(self) -> Tensor:
        values = torch.arange(self.num_states)
        return torch.cat([values[:, None], values.expand(self.num_states, -1)], dim=1)

    @classmethod
    def examples(cls) -> list[Example]:
        """One is written, kept twice, and overwritten."""
        return [Example(cls(num_values=2), symbols=[2, 0, 0, 1], states=[1, 1, 1, 0])]
