r"""Navigation on a cycle: stay, step forward, step back; :math:`s_k = s_{k-1} + (0, 1, -1)_{x_k} \bmod n`."""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.tasks.finite_state_machine import MAX_STATES, Example, FiniteStateMachine


class CycleNavigation(FiniteStateMachine):
    """Position on a cycle after steps that stay (symbol 0), go forward (1) or back (2).

    Args:
        num_positions: on the cycle, in 3..32,768.

    Raises:
        InvalidOptionError: ``num_positions`` lies outside 3..32,768.

    Reference: *Neural Networks and the Chomsky Hierarchy* (Deletang et al., arXiv 2207.02098).

    Example:
        >>> CycleNavigation(num_positions=5).trajectory(torch.tensor([[2, 2, 0, 1]]))
        tensor([[4, 3, 3, 4]])
    """

    def __init__(self, num_positions: int = 5) -> None:
        require(3 <= num_positions <= MAX_STATES, "num_positions", num_positions, f"an integer in 3..{MAX_STATES:,}")
        self.num_positions = num_positions
        self.num_symbols = 3
        self.num_states = num_positions

    def _build_transition(self) -> Tensor:
        return (torch.arange(self.num_states)[:, None] + torch.tensor([0, 1, -1])) % self.num_states

    @classmethod
    def examples(cls) -> list[Example]:
        """Once past the start, backwards."""
        return [Example(cls(num_positions=5), symbols=[2, 2, 0, 1], states=[4, 3, 3, 4])]
