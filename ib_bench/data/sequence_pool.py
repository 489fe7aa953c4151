"""Which sequences are for validation, which for training and testing, and in which order.

For every length there is one shuffled deck of all sequences. Its first cards are the validation set's, the following
ones the training pool's, so the two are disjoint, and together they are everything there is. A training set of size N
takes the first N sequences of one fixed order: it is a prefix of every larger one. The test set takes the last cards of
each deck, as far as a training set of size N has left them over. A *saturated* pool holds nothing out: training and
validation set are both all sequences.

Where some transitions are kept out of training, the sequences with such a step have decks of their own. Validation
takes their first cards, at most half of each deck, rounded up, and test the last ones.

Reference: arXiv 2602.18333, sections 3 and 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ib_bench.data.length_distributions.length_distribution import LengthDistribution, draw_uniform
from ib_bench.data.sequence_sets import AllSequences, Deck, SequenceSet, SequenceSpace
from ib_bench.errors import BenchError, NothingToTestOnError, PoolExhaustedError, require
from ib_bench.results.records import MIN_LENGTH
from ib_bench.tasks.finite_state_machine import smallest_int_dtype

MAX_VAL_SEQUENCES = 2_000
"""Size of the validation set, where enough sequences exist."""

MAX_TEST_SEQUENCES = 2_000
"""Size of the test set, where the training set leaves as many."""

MIN_CONFIRMING_SEQUENCES = 100
"""A test set smaller than this, and smaller than the validation set, is too small to confirm a success."""

VAL_SHARE = 5
"""At most one in so many of the available sequences, of all and of any one length, is for validation."""

MAX_SATURATED_SEQUENCES = 2**27
"""Size of the largest saturated pool."""

_TEST_STREAM = 2**28


class Sequences(NamedTuple):
    """Sequences of symbols, padded on the right with 0.

    Attributes:
        symbols: smallest fitting integer type ``(num, max_length)``, values in ``[0, num_symbols)``.
        lengths: int16 ``(num,)``.
    """

    symbols: Tensor
    lengths: Tensor

    def select(self, rows: Tensor) -> Sequences:
        """The given rows, no wider than the longest of them needs."""
        lengths = self.lengths[rows]
        return Sequences(self.symbols[rows, : int(lengths.max())], lengths)


class SequencePool:
    """The training, validation and test sequences of one task, length distribution, maximal length and seed.

    Args:
        num_symbols: size of the task's alphabet.
        length_distribution: of the training set; validation and test are uniform over the same support.
        max_length: the longest sequences' number of symbols, at least 2.
        seed: determines everything drawn.
        min_length: shorter lengths of the distribution's support are left out.
        saturated: validate on all sequences, and hold none of them out.
        space: the sequences that there are; None: all over the alphabet.

    Attributes:
        num_val: size of the validation set.
        num_train: size of the training pool, the largest training set there can be.

    Raises:
        InvalidOptionError: a saturated pool would be too large.
    """

    def __init__(
        self,
        num_symbols: int,
        length_distribution: LengthDistribution,
        max_length: int,
        seed: int,
        min_length: int = MIN_LENGTH,
        saturated: bool = False,
        space: SequenceSpace | None = None,
    ) -> None:
        self.num_symbols = num_symbols
        self.space = SequenceSpace(AllSequences(num_symbols)) if space is None else space
        self.length_distribution = length_distribution
        self.seed = seed
        support = [length for length in length_distribution.support(max_length) if length >= min_length]
        total = {length: self.space.trained.count(length) for length in support}
        self._is_saturated = saturated
        if saturated:
            self.num_val = self.num_train = sum(total.values())
            allowed = f"false where more than {MAX_SATURATED_SEQUENCES:,} sequences exist"
            require(self.num_train <= MAX_SATURATED_SEQUENCES, "saturated", saturated, allowed)
            self._val_lengths = _repeated(total)
            self._num_held_out = dict.fromkeys(support, 0)
            self._num_left = total
            return
        asked = self.space.asked
        if asked is None:
            val_limit = {length: count // VAL_SHARE for length, count in total.items()}
            self.num_val = min(MAX_VAL_SEQUENCES, sum(total.values()) // VAL_SHARE, sum(val_limit.values()))
        else:
            askable = {length: asked.count(length) for length in support}
            val_limit = {length: -(-count // 2) for length, count in askable.items()}
            self.num_val = min(MAX_VAL_SEQUENCES, sum(val_limit.values()))
        self._val_lengths = draw_uniform(self.num_val, val_limit, self._generator(0))
        held_out = self._val_lengths.bincount(minlength=max_length + 1).tolist()
        if asked is None:
            self._num_held_out = {length: held_out[length] for length in support}
            self._num_left = {length: total[length] - held_out[length] for length in support}
        else:
            self._num_held_out = dict.fromkeys(support, 0)
            self._num_left = total
            self._num_unasked = {length: askable[length] - held_out[length] for length in support}
        self.num_train = sum(self._num_left.values())

    def validation_set(self) -> Sequences:
        """The ``num_val`` held-out sequences; they do not depend on the training set's size."""
        return self._fill(self._val_lengths, lambda deck, count: deck.take(0, count), self.space.evaluated)

    def unused_of_length(self, length: int, num: int, num_train: int) -> Sequences:
        """Sequences of one length that the first ``num_train`` training sequences do not contain.

        They are the validation set's. Where it has none of this length, as happens with hundreds of lengths, they are
        the last cards of its deck, as far as they are left over.

        Args:
            length: in symbols, one of the distribution's support.
            num: of sequences, at most.
            num_train: size of the training set, in ``1..num_train``.

        Raises:
            PoolExhaustedError: there are not that many training sequences.
        """
        held_out = self.validation_set()
        rows = (held_out.lengths == length).nonzero().squeeze(1)[:num]
        if len(rows):
            return held_out.select(rows)
        deck = self.space.evaluated.deck(length, self._generator(1 + length))
        symbols = deck.take_last(min(num, self._num_unused(num_train)[length]))
        return Sequences(symbols, torch.full((len(symbols),), length, dtype=torch.int16))

    def training_set(self, num: int) -> Sequences:
        """The first ``num`` training sequences.

        Args:
            num: in ``1..num_train``.

        Raises:
            PoolExhaustedError: there are not that many.
        """

        def behind_validation(deck: Deck, count: int) -> Tensor:
            first = self._num_held_out[deck.length]
            return deck.take(first, first + count)

        return self._fill(self._train_lengths(num), behind_validation, self.space.trained)

    def num_test(self, num_train: int) -> int:
        """Size of the test set beside a training set of ``num_train`` sequences; 0 where that leaves none.

        Args, Raises: as :meth:`training_set`.
        """
        self._require(num_train)
        unused = self.num_train - num_train if self.space.asked is None else sum(self._num_unasked.values())
        return min(MAX_TEST_SEQUENCES, unused)

    def num_confirming(self, num_train: int) -> int:
        """Size of the test set, if it is large enough to confirm a success; otherwise 0.

        Large enough are 100 sequences, or as many as the validation set has.

        Args, Raises: as :meth:`training_set`.
        """
        num = self.num_test(num_train)
        return num if num >= min(MIN_CONFIRMING_SEQUENCES, self.num_val) else 0

    def test_set(self, num_train: int) -> Sequences:
        """The sequences that neither validation nor the first ``num_train`` training sequences contain.

        Lengths are uniform over the support, among those of which sequences are left. Wherever enough are left of every
        length, the test set is the same for all training sets.

        Args:
            num_train: size of the training set, in ``1..num_train``.

        Returns:
            ``num_test(num_train)`` sequences.

        Raises:
            PoolExhaustedError: there are not that many training sequences.
            NothingToTestOnError: none are left over.
        """
        num = self.num_test(num_train)
        if num == 0:
            raise self.nothing_to_test_on(num_train)
        lengths = draw_uniform(num, self._num_unused(num_train), self._generator(_TEST_STREAM))
        return self._fill(lengths, lambda deck, count: deck.take_last(count), self.space.evaluated)

    def nothing_to_test_on(self, num_train: int, is_default: bool = False) -> NothingToTestOnError:
        """The error that says why no sequence is left for a test set.

        Args:
            num_train: size of the training set.
            is_default: whether nobody has asked for that many.
        """
        reason = None
        if self._is_saturated:
            reason = "saturated data have no test set: training and validation take all sequences that exist"
        elif self.space.asked is not None:
            reason = (
                "validation takes all sequences with a held-out step, so that none is left for a test set; there are "
                "more of them with a larger max_length"
            )
        return NothingToTestOnError(num_train, self.num_train, is_default, reason)

    def _num_unused(self, num_train: int) -> dict[int, int]:
        """How many sequences of each length a test set can have."""
        if self.space.asked is not None:
            return self._num_unasked
        used = self._train_lengths(num_train).bincount(minlength=max(self._num_left) + 1).tolist()
        return {length: left - used[length] for length, left in self._num_left.items()}

    def _train_lengths(self, num: int) -> Tensor:
        self._require(num)
        lengths = self.length_distribution.draw(num, self._num_left, self._generator(1))
        self._check_drawn(lengths, num)
        return lengths

    def _check_drawn(self, lengths: Tensor, num: int) -> None:
        """Make sure that a length distribution, which may be anybody's, draws no sequence that is held out.

        Raises:
            BenchError: it has drawn something else than it was asked for.
        """
        name = type(self.length_distribution).__name__
        if not isinstance(lengths, Tensor) or lengths.dtype != torch.int16 or lengths.shape != (num,):
            raise BenchError(f"{name}.draw must return {num:,} lengths as an int16 tensor of shape ({num},)")
        for length, count in enumerate(lengths.clamp(min=0).bincount().tolist()):  # there is no length 0
            if count > self._num_left.get(length, 0):
                raise BenchError(
                    f"{name}.draw must draw no length more often than `available` says: it has drawn length {length} "
                    f"{count:,} times, of {self._num_left.get(length, 0):,} sequences"
                )

    def _require(self, num: int) -> None:
        if num > self.num_train:
            raise PoolExhaustedError(requested=num, available=self.num_train)

    def _fill(self, lengths: Tensor, deal: Callable[[Deck, int], Tensor], sequences: SequenceSet) -> Sequences:
        """Fill in sequences of the given lengths: ``deal`` takes so many cards from a length's deck."""
        symbols = torch.zeros(len(lengths), int(lengths.max()), dtype=smallest_int_dtype(self.num_symbols))
        for length in self._num_left:
            rows = (lengths == length).nonzero().squeeze(1)
            if len(rows):
                deck = sequences.deck(length, self._generator(1 + length))
                symbols[rows, :length] = deal(deck, len(rows))
        return Sequences(symbols, lengths)

    def _generator(self, stream: int) -> torch.Generator:
        """Independent randomness for each purpose: 0, 1 and 2**28 for lengths, 1 + n for the deck of length n."""
        return stream_generator(self.seed, stream)


def _repeated(total: Mapping[int, int]) -> Tensor:
    """Each length as often as it has sequences, int16 ``(num_sequences,)``."""
    return torch.tensor(list(total), dtype=torch.int16).repeat_interleave(torch.tensor(list(total.values())))


def stream_generator(seed: int, stream: int) -> torch.Generator:
    """One of many independent generators that belong to a seed.

    Torch's generator on the CPU takes 32 bits of its seed and drops the others, so the pair is hashed to as many.

    Args:
        seed: any integer in ``[0, 2**32)``.
        stream: any integer in ``[0, 2**31)``.
    """
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
