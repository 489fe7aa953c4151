r"""State tracking is running a finite-state machine.

A machine reads symbols :math:`x_1, x_2, \dots` and moves through states

.. math:: s_k = \delta(s_{k-1}, x_k), \qquad s_0 = \text{initial state}.

Whoever can name :math:`s_n` after :math:`x_1 \dots x_n` tracks the state. A task is such a machine and nothing else:
how its run is written down for a model is :mod:`ib_bench.supervision`'s business.

Reference: arXiv 2602.18333, section 2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from ib_bench.errors import SymbolRangeError


class Example(NamedTuple):
    """A run worked out by hand: symbols read and states visited after each of them."""

    task: FiniteStateMachine
    symbols: list[int]
    states: list[int]


class FiniteStateMachine(ABC):
    """A deterministic automaton over symbols ``0..num_symbols-1`` and states ``0..num_states-1``.

    Attributes:
        num_symbols: size of the alphabet.
        num_states: number of states, the number of possible answers.
        initial_state: the state before the first symbol.
        states_are_symbols: state ``s`` and symbol ``s`` are the same thing (a group acting on itself), and are written
            with the same token.
    """

    num_symbols: int
    num_states: int
    initial_state: int = 0
    states_are_symbols: bool = False

    @cached_property
    def transition(self) -> Tensor:
        r"""The table :math:`\delta`: integers ``(num_states, num_symbols)``, values in ``[0, num_states)``."""
        return self._build_transition().to(smallest_int_dtype(self.num_states))

    @abstractmethod
    def _build_transition(self) -> Tensor:
        """The transition table, of any integer type."""

    def trajectory(self, symbols: Tensor) -> Tensor:
        r"""States visited, :math:`s_k = \delta(s_{k-1}, x_k)`, without the initial state.

        Args:
            symbols: integers ``(batch, length)``, values in ``[0, num_symbols)``.

        Returns:
            int64 ``(batch, length)``, values in ``[0, num_states)``.

        Raises:
            SymbolRangeError: a symbol lies outside the alphabet.

        Reference: arXiv 2602.18333, section 2.

        Example:
            >>> from ib_bench.tasks import ModularAddition
            >>> ModularAddition(modulus=5).trajectory(torch.tensor([[3, 4]]))
            tensor([[3, 2]])
        """
        self._check_range(symbols)
        return self._run(symbols)

    def _run(self, symbols: Tensor) -> Tensor:
        table = self.transition.to(symbols.device).flatten()
        states = torch.empty(symbols.shape, dtype=torch.int64, device=symbols.device)
        state = torch.full(symbols.shape[:1], self.initial_state, dtype=torch.int64, device=symbols.device)
        for k in range(symbols.shape[1]):
            state = table[state * self.num_symbols + symbols[:, k]].long()
            states[:, k] = state
        return states

    def _check_range(self, symbols: Tensor) -> None:
        if symbols.numel() and not 0 <= int(symbols.min()) <= int(symbols.max()) < self.num_symbols:
            raise SymbolRangeError(
                f"symbols must be in 0..{self.num_symbols - 1}, got {int(symbols.min())}..{int(symbols.max())}"
            )

    @classmethod
    @abstractmethod
    def examples(cls) -> list[Example]:
        """Runs worked out by hand, for the documentation and the tests."""


def smallest_int_dtype(num_values: int) -> torch.dtype:
    """The smallest integer type that holds ``0..num_values-1``.

    Example:
        >>> smallest_int_dtype(120), smallest_int_dtype(5040)
        (torch.uint8, torch.int16)
    """
    if num_values <= 2**8:
        return torch.uint8
    return torch.int16 if num_values <= 2**15 else torch.int32
