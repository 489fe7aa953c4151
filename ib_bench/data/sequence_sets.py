r"""Sets of sequences, counted exactly and shuffled: all of them, or those that a partial machine accepts.

A machine that does not take every symbol in every state, or whose transitions are kept out of training, accepts only
some of the :math:`m^n` sequences of n symbols. How many of them go on from a node of the machine to its end is

.. math:: c_r(v) = \sum_x c_{r-1}(\delta(v, x)), \qquad c_0(v) = 1 \text{ if } v \text{ accepts},

with r symbols left. So sequence number i is found symbol by symbol: the counts of the symbols before it are subtracted
until what is left fits. Numbers are exact, of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ib_bench.data.shuffled_sequences import ShuffledSequences
from ib_bench.errors import require
from ib_bench.tasks.finite_state_machine import FiniteStateMachine, smallest_int_dtype

_BLOCK = 2**12  # rows at a time: each needs a count for every symbol

Step = tuple[int, int]
"""A state and a symbol, or two consecutive symbols."""


class Deck(Protocol):
    """The sequences of one length, shuffled."""

    length: int

    @property
    def num_sequences(self) -> int:
        """Number of sequences, exactly."""

    def take(self, start: int, stop: int) -> Tensor:
        """Cards ``start..stop-1``, the smallest fitting integer type ``(stop - start, length)``."""

    def take_last(self, num: int) -> Tensor:
        """The last ``num`` cards, the very last one first, ``(num, length)``."""


class SequenceSet(Protocol):
    """Sequences of any length over one alphabet."""

    num_symbols: int

    def count(self, length: int) -> int:
        """Number of sequences of a length, exactly."""

    def deck(self, length: int, generator: torch.Generator) -> Deck:
        """The sequences of a length, shuffled."""


class AllSequences:
    """All sequences over an alphabet.

    Args:
        num_symbols: size of the alphabet.
    """

    def __init__(self, num_symbols: int) -> None:
        self.num_symbols = num_symbols

    def count(self, length: int) -> int:
        """Number of sequences of a length, exactly."""
        return int(self.num_symbols**length)

    def deck(self, length: int, generator: torch.Generator) -> ShuffledSequences:
        """The sequences of a length, shuffled."""
        return ShuffledSequences(self.num_symbols, length, generator)


class AcceptedSequences:
    """The sequences that a partial machine accepts.

    Args:
        following: int64 ``(num_nodes, num_symbols)``, where each symbol leads; -1 where it may not follow.
        accepting: bool ``(num_nodes,)``, where a sequence may end.
        start: the first node.
    """

    def __init__(self, following: NDArray[np.int64], accepting: NDArray[np.bool_], start: int) -> None:
        dead = np.full((1, following.shape[1]), -1)  # a last node, which -1 stands for too
        self.num_symbols = following.shape[1]
        self.following = np.concatenate([following, dead])
        self.start = start
        self._accepting = np.append(accepting, False)

    def count(self, length: int) -> int:
        """Number of sequences of a length, exactly."""
        return int(self.completions(length)[length][self.start])

    def completions(self, length: int) -> list[NDArray[Any]]:
        """For r = 0..length, the number of ways to go on from each node by r symbols: uint64, or Python's integers."""
        fits = self.num_symbols**length < 2**63
        counts = [self._accepting.astype(np.uint64).astype(np.uint64 if fits else object)]
        for _ in range(length):
            counts.append(counts[-1][self.following].sum(axis=1))
        if not fits and max(number for of_nodes in counts for number in of_nodes) < 2**63:
            return [of_nodes.astype(np.uint64) for of_nodes in counts]  # most sequences are not accepted
        return counts

    def deck(self, length: int, generator: torch.Generator) -> ShuffledAcceptedSequences:
        """The sequences of a length, shuffled."""
        return ShuffledAcceptedSequences(self, length, generator)


class ShuffledAcceptedSequences:
    """The sequences of one length that a partial machine accepts, in an order that looks random.

    Their numbers are those below ``num_sequences`` in a shuffled deck of all numbers of as many bits: at least half of
    that deck. So the first N cards cost O(N), never repeat, and are a prefix of the first N' > N.

    Args:
        accepted: the set.
        length: number of symbols in each sequence, at least 1.
        generator: where the shuffle's randomness comes from.
    """

    def __init__(self, accepted: AcceptedSequences, length: int, generator: torch.Generator) -> None:
        self.accepted = accepted
        self.length = length
        self._counts = accepted.completions(length)
        self.num_sequences = int(self._counts[length][accepted.start])
        num_bits = max(1, (self.num_sequences - 1).bit_length())
        self._numbers = ShuffledSequences(2, num_bits, generator)

    def take(self, start: int, stop: int) -> Tensor:
        """Cards ``start..stop-1`` of the deck.

        Args:
            start: first card, at least 0.
            stop: one past the last card, at most ``num_sequences``.

        Returns:
            The smallest fitting integer type ``(stop - start, length)``, values in ``[0, num_symbols)``.
        """
        return self._sequences(self._first(stop, from_end=False)[start:])

    def take_last(self, num: int) -> Tensor:
        """The last ``num`` cards of the deck, the very last one first: a prefix of a larger ``num``'s.

        Args:
            num: in ``0..num_sequences``.

        Returns:
            The smallest fitting integer type ``(num, length)``, values in ``[0, num_symbols)``.
        """
        return self._sequences(self._first(num, from_end=True))

    def _first(self, num: int, from_end: bool) -> NDArray[Any]:
        """The numbers of the first or last ``num`` sequences."""
        total = self._numbers.num_sequences
        num_cards = min(total, 2 * num + 64)
        while True:
            cards = self._numbers.take_last(num_cards) if from_end else self._numbers.take(0, num_cards)
            numbers = _as_numbers(cards.numpy(), self._counts[0].dtype)
            found = numbers[numbers < self.num_sequences]
            if len(found) >= num:
                return found[:num]
            num_cards = min(total, 2 * num_cards)

    def _sequences(self, numbers: NDArray[Any]) -> Tensor:
        cards = torch.empty(len(numbers), self.length, dtype=smallest_int_dtype(self.accepted.num_symbols))
        for first in range(0, len(numbers), _BLOCK):
            block = numbers[first : first + _BLOCK]
            self._write(block, cards[first : first + len(block)].numpy())
        return cards

    def _write(self, numbers: NDArray[Any], cards: NDArray[Any]) -> None:
        """Write the sequences of the given numbers into ``cards``, symbol by symbol."""
        rows, rest = np.arange(len(numbers)), numbers.copy()
        node = np.full(len(numbers), self.accepted.start)
        for column in range(self.length):
            following = self.accepted.following[node]
            num = self._counts[self.length - 1 - column][following]
            up_to = num.cumsum(axis=1)
            symbol = (up_to <= rest[:, None]).sum(axis=1)
            rest = rest - (up_to[rows, symbol] - num[rows, symbol])
            cards[:, column] = symbol
            node = following[rows, symbol]


def _as_numbers(bits: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Rows of bits, the lowest first, as numbers: uint64, or Python's integers."""
    packed = np.packbits(bits, axis=1, bitorder="little")
    if dtype == np.uint64:
        padded = np.pad(packed, ((0, 0), (0, 8 - packed.shape[1])))
        return padded.view("<u8")[:, 0].astype(np.uint64)
    numbers = np.empty(len(packed), dtype=object)
    numbers[:] = [int.from_bytes(row.tobytes(), "little") for row in packed]
    return numbers


class SequenceSpace(NamedTuple):
    """The sequences that there are.

    Attributes:
        trained: those that training sets are drawn from.
        asked: those that validation and test sets are drawn from; None takes what training sets leave over.
    """

    trained: SequenceSet
    asked: SequenceSet | None = None

    @property
    def evaluated(self) -> SequenceSet:
        """The sequences on which a trained model is evaluated at other lengths."""
        return self.trained if self.asked is None else self.asked


def all_of(task: FiniteStateMachine) -> SequenceSet:
    """The sequences that a machine takes: all, unless it says which symbols may follow in a state."""
    return AllSequences(task.num_symbols) if task.allowed is None else _accepted(task, (), (), None)


def sequence_space(
    task: FiniteStateMachine, held_out_transitions: Sequence[Step] = (), held_out_pairs: Sequence[Step] = ()
) -> SequenceSpace:
    """The sequences of a task, some of whose steps are kept out of training.

    Args:
        task: the machine.
        held_out_transitions: pairs of a state and a symbol that is read in it.
        held_out_pairs: ordered pairs of consecutive symbols.

    Returns:
        A training set without any such step; each sequence that is asked for has at least one.
    """
    if not held_out_transitions and not held_out_pairs:
        return SequenceSpace(all_of(task))
    without, with_any = (_accepted(task, held_out_transitions, held_out_pairs, asked) for asked in (False, True))
    return SequenceSpace(without, with_any)


def _accepted(
    task: FiniteStateMachine, transitions: Sequence[Step], pairs: Sequence[Step], asked: bool | None
) -> AcceptedSequences:
    """The sequences without held-out steps, or those with at least one (``asked``), or all (None).

    A node is the state of the machine, where that matters; whether the last symbol is the first one of a held-out
    pair, and of which; and whether a held-out step has been taken.
    """
    needs_states = bool(transitions) or task.allowed is not None
    table = task.transition.numpy().astype(np.int64) if needs_states else np.zeros((1, task.num_symbols), np.int64)
    firsts = [None, *dict.fromkeys(first for first, _ in pairs)]
    num_states, num_firsts, num_symbols = len(table), len(firsts), task.num_symbols
    last = np.array([firsts.index(symbol) if symbol in firsts else 0 for symbol in range(num_symbols)])

    held_out = np.zeros((num_states, num_firsts, num_symbols), dtype=bool)
    for state, symbol in transitions:
        held_out[state, :, symbol] = True
    for first, second in pairs:
        held_out[:, firsts.index(first), second] = True
    node = np.broadcast_to(table[:, None] * num_firsts + last, held_out.shape).copy()
    if task.allowed is not None:
        forbidden = np.broadcast_to(~task.allowed.numpy()[:, None], held_out.shape)
        node[forbidden], held_out = -1, held_out & ~forbidden
    start = (task.initial_state if needs_states else 0) * num_firsts
    following, is_held_out = node.reshape(-1, num_symbols), held_out.reshape(-1, num_symbols)
    if asked:
        after = np.where(following < 0, -1, following + len(following))  # the second half: one has been taken
        both = np.concatenate([np.where(is_held_out, after, following), after])
        return AcceptedSequences(both, np.arange(len(both)) >= len(following), start)
    if asked is False:
        following = np.where(is_held_out, -1, following)
    return AcceptedSequences(following, np.ones(len(following), dtype=bool), start)


def checked_steps(option: str, given: object, sizes: tuple[int, int], names: tuple[str, str]) -> list[Step]:
    """The steps that an option names.

    Args:
        option: its name.
        given: its value.
        sizes: how many values the first and the second number of a step may have.
        names: of the two numbers.

    Raises:
        InvalidOptionError: it names none, or something else.
    """
    ranges = [f"{name} in 0..{size - 1}" for name, size in zip(names, sizes, strict=True)]
    allowed = f"null or a list of pairs of a {ranges[0]} and a {ranges[1]}"
    is_list = isinstance(given, list) and bool(given) and all(isinstance(step, list) for step in given)
    require(is_list, option, given, allowed)
    assert isinstance(given, list)
    require(all(len(step) == 2 for step in given), option, given, allowed)
    steps = [(first, second) for first, second in given]
    in_range = all(0 <= first < sizes[0] and 0 <= second < sizes[1] for first, second in steps)
    require(in_range, option, given, allowed)
    return steps
