r"""Modular arithmetic without brackets: +, - and * with the usual precedence.

The state after k symbols is a pair: the sum of all finished terms, and the product that is still growing. A further
factor changes the product; a plus or minus adds it to the sum and starts another one. The answer is the value of the
expression so far, sum plus product.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine

_MAX_MODULUS = 181  # the table has 18 million entries, for 32,761 states


class ModularArithmetic(FiniteStateMachine):
    """Value of 0 followed by signed and multiplied numbers, modulo m, with the usual precedence.

    A symbol is an operator and its number, so that every sequence is an expression: symbol d is ``+ d``, symbol m + d
    is ``- d`` and symbol 2 m + d is ``* d``.

    Args:
        modulus: m, in 2..181.

    Raises:
        InvalidOptionError: ``modulus`` lies outside 2..181 (the table has 3 m^3 entries).

    Reference: *Neural Networks and the Chomsky Hierarchy* (Deletang et al., arXiv 2207.02098), where an operator and
    its number are two symbols.

    Example:
        >>> task = ModularArithmetic(modulus=5)
        >>> states = task.trajectory(torch.tensor([[2, 3, 14]]))  # 0 + 2 + 3 * 4
        >>> task.answers(states)
        tensor([[2, 0, 4]])
    """

    def __init__(self, modulus: int = 5) -> None:
        require(2 <= modulus <= _MAX_MODULUS, "modulus", modulus, f"an integer in 2..{_MAX_MODULUS}")
        self.modulus = modulus
        self.num_states = modulus**2
        self.num_symbols = 3 * modulus
        total, term = self._parts()
        self.answer_of_state = (total + term) % modulus

    def _parts(self) -> tuple[Tensor, Tensor]:
        """Sum and product of each state, int64 ``(num_states,)``."""
        states = torch.arange(self.num_states)
        return states // self.modulus, states % self.modulus

    def _build_transition(self) -> Tensor:
        total, term = (part[:, None] for part in self._parts())
        number = torch.arange(self.modulus)
        value = (total + term) % self.modulus * self.modulus
        plus, minus = value + number, value + -number % self.modulus
        times = total * self.modulus + term * number % self.modulus
        return torch.cat([plus, minus, times], dim=1)

    @classmethod
    def examples(cls) -> list[Example]:
        """2 + 3 * 4 = 14, which is 4 modulo 5; 0 - 1 * 2 = -2, which is 1 modulo 3."""
        return [
            Example(cls(modulus=5), symbols=[2, 3, 14], states=[2, 13, 12]),
            Example(cls(modulus=3), symbols=[4, 8], states=[2, 1]),
        ]
