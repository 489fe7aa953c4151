r"""Composition in the symmetric group :math:`S_n`, the newest permutation applied last.

Each of the n! permutations is one symbol, numbered in lexicographic order of its one-line notation, so that the
identity is 0. The state after k symbols is

.. math:: s_k = x_k \circ s_{k-1} = x_k \circ \dots \circ x_1, \qquad (p \circ q)(i) = p(q(i)).

From n = 5 on the group is not solvable, and the task is as hard as any in :math:`\mathrm{NC}^1` (Barrington, 1989).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine

_MAX_ELEMENTS = 7
_STATES_AT_ONCE = 64  # S_7 has 25 million entries


class PermutationComposition(FiniteStateMachine):
    """Product of the permutations read so far, in the symmetric group.

    Args:
        num_elements: how many things are permuted, in 2..7; there are ``num_elements!`` symbols and as many states.

    Raises:
        InvalidOptionError: ``num_elements`` lies outside 2..7 (the table of S_8 would have 1.6e9 entries).

    Reference: arXiv 2602.18333, section 2.

    Example:
        >>> PermutationComposition(num_elements=3).trajectory(torch.tensor([[1, 2]]))
        tensor([[1, 3]])
    """

    states_are_symbols = True

    def __init__(self, num_elements: int = 5) -> None:
        allowed = f"an integer in 2..{_MAX_ELEMENTS}"
        require(2 <= num_elements <= _MAX_ELEMENTS, "num_elements", num_elements, allowed)
        self.num_elements = num_elements
        self.num_symbols = math.factorial(num_elements)
        self.num_states = self.num_symbols

    def symbol_to_permutation(self, symbols: Tensor) -> Tensor:
        """The permutations that symbols (or states) number.

        Args:
            symbols: integers of any shape, values in ``[0, num_elements!)``.

        Returns:
            int64 ``(*shape, num_elements)``, one-line notation: entry i is where i goes.

        Raises:
            SymbolRangeError: a symbol lies outside the alphabet.

        Example:
            >>> PermutationComposition(num_elements=3).symbol_to_permutation(torch.tensor([0, 3, 5]))
            tensor([[0, 1, 2],
                    [1, 2, 0],
                    [2, 1, 0]])
        """
        self._check_range(symbols)
        remainder = symbols.long()
        lehmer = []
        for i in reversed(range(self.num_elements)):
            lehmer.append(remainder // math.factorial(i))
            remainder = remainder % math.factorial(i)
        # Right to left, an entry makes room for itself among the later ones: those not below it move up by one.
        permutation = torch.stack(lehmer, dim=-1)
        for i in reversed(range(self.num_elements)):
            later = permutation[..., i + 1 :]
            later += later >= permutation[..., i : i + 1]
        return permutation

    def permutation_to_symbol(self, permutations: Tensor) -> Tensor:
        """Lexicographic number of permutations; the inverse of :meth:`symbol_to_permutation`.

        Args:
            permutations: integers ``(*shape, num_elements)``, one-line notation.

        Returns:
            int64 ``(*shape)``, values in ``[0, num_elements!)``.

        Example:
            >>> PermutationComposition(num_elements=3).permutation_to_symbol(torch.tensor([[1, 2, 0]]))
            tensor([3])
        """
        symbol = torch.zeros(permutations.shape[:-1], dtype=torch.int64, device=permutations.device)
        for i in range(self.num_elements):
            num_smaller_later = (permutations[..., i + 1 :] < permutations[..., i : i + 1]).sum(dim=-1)
            symbol += num_smaller_later * math.factorial(self.num_elements - 1 - i)
        return symbol

    def _build_transition(self) -> Tensor:
        elements = self.symbol_to_permutation(torch.arange(self.num_symbols))
        powers = self.num_elements ** torch.arange(self.num_elements)
        symbol_of_digits = torch.empty(self.num_elements**self.num_elements, dtype=torch.int16)
        symbol_of_digits[elements @ powers] = torch.arange(self.num_symbols, dtype=torch.int16)
        # A product's entry i is the symbol's entry at the state's entry i, so that its digits are a dot product.
        weights = torch.empty_like(elements).scatter_(1, elements, powers.expand_as(elements))
        table = torch.empty(self.num_states, self.num_symbols, dtype=torch.int16)
        for first in range(0, self.num_states, _STATES_AT_ONCE):
            states = slice(first, first + _STATES_AT_ONCE)
            table[states] = symbol_of_digits[weights[states] @ elements.T]
        return table

    @classmethod
    def examples(cls) -> list[Example]:
        """Two transpositions of S_3 in both orders: (1 2), then (0 1), and the other way round."""
        return [
            Example(cls(num_elements=3), symbols=[1, 2], states=[1, 3]),
            Example(cls(num_elements=3), symbols=[2, 1], states=[2, 4]),
        ]
