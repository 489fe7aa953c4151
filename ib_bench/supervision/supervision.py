"""The base class of supervision regimes: the vocabulary, and the form of a batch.

Tokens ``0..num_symbols-1`` are the symbols. A regime that writes states down gives them tokens too: the symbols' own
where the task says that a state *is* a symbol (as in a group), further ones otherwise. The separator, where there is
one, is the last token. Sequences are padded on the right with token 0; the models are causal, so padding reaches no
supervised position.

A task may hide its states behind answers. A regime that writes states down still asks for the states, as each is
needed to find the next one. All others ask for the answers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor

from ib_bench.tasks.finite_state_machine import FiniteStateMachine

IGNORE_INDEX = -100
"""The target of a position that is not supervised (the default of ``torch.nn.functional.cross_entropy``)."""


class Batch(NamedTuple):
    """Token sequences and what is to be predicted in them.

    Attributes:
        tokens: int64 ``(batch, width)``, values in ``[0, vocab_size)``.
        targets: int64 ``(batch, width)``, a state or an answer in ``[0, num_classes)``, ``IGNORE_INDEX`` where nothing
            is asked.
    """

    tokens: Tensor
    targets: Tensor

    @property
    def mask(self) -> Tensor:
        """Supervised positions, bool ``(batch, width)``."""
        return self.targets != IGNORE_INDEX


class Supervision(ABC):
    """Turns a run of a machine into tokens and targets.

    Args:
        task: the machine; only its numbers of symbols, states and answers are used.
        separator: whether one ``=`` token follows the input; None takes the regime's own default.

    Attributes:
        vocab_size: number of different tokens a model reads.
        num_classes: number of different answers: the task's states if the regime writes states down, or its answers.
        separator_token: the ``=`` token's number, or None.
    """

    default_separator: bool
    writes_states: bool = False

    def __init__(self, task: FiniteStateMachine, separator: bool | None = None) -> None:
        self.num_classes = task.num_states if self.writes_states else task.num_answers
        self.vocab_size = self.first_state_token = task.num_symbols
        if self.writes_states:
            self.first_state_token = 0 if task.states_are_symbols else task.num_symbols
            self.vocab_size = max(task.num_symbols, self.first_state_token + task.num_states)
        self.separator_token: int | None = None
        if self.default_separator if separator is None else separator:
            self.separator_token = self.vocab_size
            self.vocab_size += 1

    @property
    def separators(self) -> list[int]:
        """The ``=`` token, or nothing."""
        return [] if self.separator_token is None else [self.separator_token]

    @property
    def num_separators(self) -> int:
        """1 with a separator, 0 without."""
        return int(self.separator_token is not None)

    @property
    def complete(self) -> Supervision:
        """The regime under which a trained model is evaluated at other lengths; it asks for as much in each run."""
        return self

    @abstractmethod
    def num_tokens(self, length: int) -> int:
        """Number of tokens a model reads for an input of ``length`` symbols."""

    @abstractmethod
    def encode_naively(self, symbols: list[int], states: list[int]) -> list[tuple[int, int]]:
        """The definition of the regime in plain Python, for one run; :meth:`encode` must do the same.

        Args:
            symbols: the input, at least one.
            states: those visited (or the answers in them), as many as symbols.

        Returns:
            ``num_tokens(len(symbols))`` pairs of a token and its target, ``IGNORE_INDEX`` where nothing is asked.
        """

    @abstractmethod
    def encode(self, symbols: Tensor, states: Tensor, lengths: Tensor) -> Batch:
        """Write runs down.

        Args:
            symbols: integers ``(batch, length)``; what lies beyond a row's own length is ignored.
            states: int64 ``(batch, length)``, the states visited (or the answers in them).
            lengths: int64 ``(batch,)``, each row's number of symbols, in ``[1, length]``.

        Returns:
            A batch of width ``num_tokens(length)``.
        """
