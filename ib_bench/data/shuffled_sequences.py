r"""All sequences of one length, in an order that looks random: drawing without replacement from any number of them.

There are :math:`m^n` sequences of n symbols, from 4 to more than :math:`2^{199}`. Card k of the shuffled deck is
computed from k alone, so the first N cards cost O(N), never repeat, and are a prefix of the first N' > N.

A small deck is shuffled by ``torch.randperm``. A large one is the image of 0, 1, 2, ... under a keyed permutation of
the sequences themselves: a Feistel network on numeral strings in the manner of FF1 (NIST SP 800-38G), with a mixing
function that is fast instead of cryptographic. A sequence is cut into a left and a right half, and in turn each half
has a pseudo-random function of the other added to it (modulo the number of values it can take), which can be undone,
and hence is a permutation for any function. A half longer than a machine integer is held as several *limbs*,
added to separately.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ib_bench.tasks.finite_state_machine import smallest_int_dtype

_SMALL_DECK = 2**16
_MAX_LIMB_BITS = 48  # 64 random bits modulo at most 2**48: the bias is below 2**-16 in every round
_NUM_ROUNDS = 8
_BLOCK = 2**15  # rows at a time: their limbs stay in the cache

_Limbs = list[NDArray[np.uint64]]


class ShuffledSequences:
    """The ``num_symbols ** length`` sequences of one length, shuffled.

    Args:
        num_symbols: size of the alphabet, at least 2.
        length: number of symbols in each sequence, at least 1.
        generator: where the shuffle's randomness comes from.

    Example:
        >>> deck = ShuffledSequences(num_symbols=2, length=2, generator=torch.Generator().manual_seed(0))
        >>> sorted(deck.take(0, 4).tolist())
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """

    def __init__(self, num_symbols: int, length: int, generator: torch.Generator) -> None:
        self.num_symbols = num_symbols
        self.length = length
        self._order: Tensor | None = None
        if self.num_sequences <= _SMALL_DECK:
            self._order = torch.randperm(self.num_sequences, generator=generator)
            self._limb_sizes = [length]
        else:
            self._limb_sizes = _split_into_limbs(num_symbols, length)
        keys = torch.randint(2**63 - 1, (_NUM_ROUNDS, len(self._limb_sizes)), generator=generator)
        self._keys = keys.numpy().astype(np.uint64)

    @property
    def num_sequences(self) -> int:
        """Number of sequences, exactly."""
        return int(self.num_symbols**self.length)

    def take(self, start: int, stop: int) -> Tensor:
        """Cards ``start..stop-1`` of the deck.

        Args:
            start: first card, at least 0.
            stop: one past the last card, at most ``num_sequences``.

        Returns:
            The smallest fitting integer type ``(stop - start, length)``, values in ``[0, num_symbols)``.
        """
        return self._deal(start, stop, from_end=False)

    def take_last(self, num: int) -> Tensor:
        """The last ``num`` cards of the deck, the very last one first: a prefix of a larger ``num``'s.

        Args:
            num: in ``0..num_sequences``.

        Returns:
            The smallest fitting integer type ``(num, length)``, values in ``[0, num_symbols)``.
        """
        return self._deal(0, num, from_end=True)

    def _deal(self, start: int, stop: int, from_end: bool) -> Tensor:
        """Cards ``start..stop-1``, counted from the first one, or from the last one backwards."""
        dtype = smallest_int_dtype(self.num_symbols)
        cards = torch.empty(stop - start, self.length, dtype=dtype)
        for block in range(start, stop, _BLOCK):
            index = np.arange(block, min(block + _BLOCK, stop), dtype=np.uint64)
            limbs = self._shuffle(self._limbs(index, from_end))
            self._write(limbs, cards[block - start : block - start + len(index)].numpy())
        return cards

    @property
    def _bases(self) -> list[np.uint64]:
        """The number of values of each limb; their product is ``num_sequences``."""
        return [np.uint64(self.num_symbols**size) for size in self._limb_sizes]

    def _limbs(self, index: NDArray[np.uint64], from_end: bool) -> _Limbs:
        """The numerals of card ``index``, or of card ``num_sequences - 1 - index``.

        All numerals of ``num_sequences - 1`` are the largest there are, so that subtracting needs no carry, and no
        integer as large as ``num_sequences``.
        """
        limbs = []
        for base in self._bases:
            index, limb = np.divmod(index, base)
            limbs.append(base - np.uint64(1) - limb if from_end else limb)
        return limbs

    def _shuffle(self, limbs: _Limbs) -> _Limbs:
        if self._order is not None:
            return [self._order.numpy()[limbs[0].astype(np.int64)].astype(np.uint64)]
        bases = self._bases
        middle = len(limbs) // 2
        left, right = range(middle), range(middle, len(limbs))
        for round_keys in self._keys:
            digest = np.zeros(len(limbs[0]), dtype=np.uint64)
            for j in left:
                digest = _mix(np.bitwise_xor(digest, limbs[j]))
            for j in right:
                limbs[j] = (limbs[j] + _mix(digest + round_keys[j]) % bases[j]) % bases[j]
            left, right = right, left
        return limbs

    def _write(self, limbs: _Limbs, cards: NDArray[np.generic]) -> None:
        base = np.uint64(self.num_symbols)
        column = 0
        for limb, size in zip(limbs, self._limb_sizes, strict=True):
            for _ in range(size):
                rest = limb // base
                cards[:, column] = limb - rest * base
                limb = rest
                column += 1


def _split_into_limbs(num_symbols: int, length: int) -> list[int]:
    """Numbers of symbols per limb: as few limbs as fit, at least two, as equal as can be."""
    max_size = max(1, int(_MAX_LIMB_BITS / math.log2(num_symbols)))
    num_limbs = max(2, -(-length // max_size))
    return [len(part) for part in np.array_split(np.arange(length), num_limbs)]


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea & Flood, 2014): every input bit reaches every output bit."""
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.bitwise_xor(x, x >> np.uint64(31))
