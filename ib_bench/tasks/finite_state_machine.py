r"""State tracking is running a finite-state machine.

A machine reads symbols :math:`x_1, x_2, \dots` and moves through states

.. math:: s_k = \delta(s_{k-1}, x_k), \qquad s_0 = \text{initial state}.

A model that names :math:`s_n` after :math:`x_1 \dots x_n` tracks the state. A task is such a machine and nothing else:
how its run is written down for a model is :mod:`ib_bench.supervision`'s business.

Some machines hide their state: the *answer* after k symbols is then a function of the state, :math:`o(s_k)`, such as
whether a word belongs to a language. Some machines do not take every symbol in every state, as there is no closing
bracket where nothing is open; data hold only sequences that they take.

Reference: arXiv 2602.18333, section 2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ib_bench.errors import InvalidTaskError, SymbolRangeError
from ib_bench.tasks.reachability import is_strongly_connected, num_distinguishable

MAX_STATES = 2**15
"""Of a shipped machine: each state may be an answer, and a model computes a number for each answer at each token."""

_MAX_EXAMINED, _MAX_EXAMINED_STATES = 2**20, 2**12
"""Tables with more entries or states are not examined for people: it would take seconds, and gigabytes."""

_MAX_ENTRIES = 2**28
"""Of a table; while it is built, an entry may take 8 bytes."""


class Example(NamedTuple):
    """A run worked out by hand: symbols read and states visited after each of them."""

    task: FiniteStateMachine
    symbols: list[int]
    states: list[int]


class FiniteStateMachine(ABC):
    """A deterministic automaton over symbols ``0..num_symbols-1`` and states ``0..num_states-1``.

    Attributes:
        num_symbols: size of the alphabet.
        num_states: number of states.
        initial_state: the state before the first symbol.
        states_are_symbols: state ``s`` and symbol ``s`` are the same thing (a group acting on itself), and are written
            with the same token.
        answer_of_state: integers ``(num_states,)``, what is to be answered in each state; None: the state itself.
        allowed: bool ``(num_states, num_symbols)``, which symbols may follow in each state; None: all.
        files: that the machine was read from. Their contents are part of every key.
    """

    num_symbols: int
    num_states: int
    initial_state: int = 0
    states_are_symbols: bool = False
    answer_of_state: Tensor | None = None
    allowed: Tensor | None = None
    files: Sequence[Path] = ()

    @cached_property
    def transition(self) -> Tensor:
        r"""The table :math:`\delta`: integers ``(num_states, num_symbols)``, values in ``[0, num_states)``.

        Raises:
            InvalidTaskError: it is too large, or what the class builds has another shape, type or range.
        """
        if self.num_states * self.num_symbols > _MAX_ENTRIES:
            sizes = f"{self.num_states:,} states times {self.num_symbols:,} symbols"
            raise InvalidTaskError(
                type(self).__name__, f"must have at most {_MAX_ENTRIES:,} entries in its transition, got {sizes}"
            )
        table = self._build_transition()
        self._check_table("transition", table, (self.num_states, self.num_symbols), self.num_states)
        return table.to(smallest_int_dtype(self.num_states))

    @property
    def num_answers(self) -> int:
        """Number of different answers."""
        return self.num_states if self.answer_of_state is None else int(self.answer_of_state.max()) + 1

    def answers(self, states: Tensor) -> Tensor:
        """The answers in states.

        Args:
            states: int64 of any shape, values in ``[0, num_states)``.

        Returns:
            int64 of the same shape, values in ``[0, num_answers)``.
        """
        if self.answer_of_state is None:
            return states
        return self.answer_of_state.to(states.device).long()[states]

    def properties(self) -> dict[str, int | bool]:
        """The properties of the machine, by name."""
        facts = {"states": self.num_states, "symbols": self.num_symbols}
        if self.answer_of_state is not None:
            facts["answers"] = self.num_answers
        if self.num_states <= _MAX_EXAMINED_STATES and self.num_states * self.num_symbols <= _MAX_EXAMINED:
            facts["strongly_connected"] = is_strongly_connected(self.transition.long())
            table, answers = self._completed()
            facts["minimal"] = num_distinguishable(table, answers, self.initial_state) == len(table)
        return facts

    def _completed(self) -> tuple[Tensor, Tensor]:
        """Table and answers with a further state, if any symbol may not follow, which such symbols lead to."""
        table, answers = self.transition.long(), self.answers(torch.arange(self.num_states))
        if self.allowed is None or bool(self.allowed.all()):
            return table, answers
        table = torch.where(self.allowed, table, self.num_states)
        nowhere = torch.full((1, self.num_symbols), self.num_states)
        return torch.cat([table, nowhere]), torch.cat([answers, torch.tensor([self.num_answers])])

    def __repr__(self) -> str:
        unset = {"num_answers"} if self.answer_of_state is None else set()  # there as a property: the number of states
        names = [name for name in signature(type(self)).parameters if getattr(self, name, None) is not None]
        names = [name for name in names if name not in unset]
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

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

    def _check_table(self, name: str, table: object, shape: tuple[int, ...], num_values: int) -> None:
        """Raise :class:`InvalidTaskError` unless a table holds integers ``0..num_values-1`` in the given shape."""
        task = type(self).__name__
        if not isinstance(table, Tensor):
            raise InvalidTaskError(task, f"must build its {name} as a torch tensor, got {type(table).__name__}")
        if table.shape != shape:
            sizes = "(num_states, num_symbols)" if len(shape) == 2 else "(num_states,)"
            raise InvalidTaskError(task, f"must have {name} of shape {sizes}, here {shape}, got {tuple(table.shape)}")
        if table.dtype == torch.bool or table.is_floating_point() or table.is_complex():
            kind = str(table.dtype).removeprefix("torch.")
            raise InvalidTaskError(task, f"must have integers in its {name}, got numbers of type {kind}")
        if table.numel() and not 0 <= int(table.min()) <= int(table.max()) < num_values:
            found = f"{int(table.min())}..{int(table.max())}"
            raise InvalidTaskError(task, f"must have values in 0..{num_values - 1} in its {name}, got {found}")

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
