r"""Addition in the cyclic group :math:`\mathbb{Z}_m`: :math:`s_k = (x_1 + \dots + x_k) \bmod m`."""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.tasks.finite_state_machine import MAX_STATES, Example, FiniteStateMachine


class ModularAddition(FiniteStateMachine):
    r"""Sum of the integers read so far, modulo m; m = 2 is parity.

    Args:
        modulus: m, in 2..32,768.

    Raises:
        InvalidOptionError: ``modulus`` lies outside 2..32,768.

    Reference: arXiv 2602.18333, section 2.

    Example:
        >>> ModularAddition(modulus=3).trajectory(torch.tensor([[2, 2, 2]]))
        tensor([[2, 1, 0]])
    """

    states_are_symbols = True

    def __init__(self, modulus: int = 5) -> None:
        require(2 <= modulus <= MAX_STATES, "modulus", modulus, f"an integer in 2..{MAX_STATES:,}")
        self.modulus = modulus
        self.num_symbols = modulus
        self.num_states = modulus

    def _build_transition(self) -> Tensor:
        residues = torch.arange(self.modulus)
        return (residues[:, None] + residues) % self.modulus

    def _run(self, symbols: Tensor) -> Tensor:
        return symbols.cumsum(dim=1, dtype=torch.int64) % self.modulus

    @classmethod
    def examples(cls) -> list[Example]:
        """Two sums."""
        return [
            Example(cls(modulus=5), symbols=[3, 4, 0, 4], states=[3, 2, 2, 1]),
            Example(cls(modulus=2), symbols=[1, 1, 1], states=[1, 0, 1]),
        ]
