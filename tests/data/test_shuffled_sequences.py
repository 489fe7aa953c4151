from __future__ import annotations

from itertools import product

import pytest
import torch
from scipy.stats import chisquare

from ib_bench.data import shuffled_sequences
from ib_bench.data.shuffled_sequences import ShuffledSequences


def deck(num_symbols: int, length: int, seed: int = 0) -> ShuffledSequences:
    return ShuffledSequences(num_symbols, length, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("small_deck", [0, 2**16], ids=["feistel", "randperm"])
@pytest.mark.parametrize(("num_symbols", "length"), [(2, 2), (2, 5), (2, 13), (3, 7), (5, 4), (100, 2), (5040, 1)])
def test_every_sequence_occurs_once(
    num_symbols: int, length: int, small_deck: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small_deck == 0 and length == 1:
        pytest.skip("a single symbol has no two halves")
    monkeypatch.setattr(shuffled_sequences, "_SMALL_DECK", small_deck)
    cards = deck(num_symbols, length).take(0, num_symbols**length).tolist()
    assert sorted(cards) == [list(sequence) for sequence in product(range(num_symbols), repeat=length)]
    assert cards != sorted(cards)


def test_a_deck_with_limbs_of_several_sizes_is_a_permutation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shuffled_sequences, "_MAX_LIMB_BITS", 5)
    monkeypatch.setattr(shuffled_sequences, "_SMALL_DECK", 0)
    cards = deck(3, 8)
    assert cards._limb_sizes == [3, 3, 2]
    assert len(cards.take(0, 3**8).unique(dim=0)) == 3**8


@pytest.mark.parametrize(("num_symbols", "length", "dtype"), [(100, 30, torch.uint8), (5040, 12, torch.int16)])
def test_huge_decks(num_symbols: int, length: int, dtype: torch.dtype) -> None:
    cards = deck(num_symbols, length).take(0, 200_000)
    assert cards.dtype == dtype
    assert cards.shape == (200_000, length)
    assert len(cards.unique(dim=0)) == 200_000
    for column in (0, 1, length // 2, length - 1):
        counts = cards[:, column].long().bincount(minlength=num_symbols)
        assert len(counts) == num_symbols
        assert chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize(("num_symbols", "length"), [(2, 17), (10, 6), (100, 30)])
def test_neighbouring_cards_and_columns_are_independent(num_symbols: int, length: int) -> None:
    cards = deck(num_symbols, length).take(0, 100_000).long()
    pairs = [
        cards[:-1, 0] * num_symbols + cards[1:, 0],
        cards[:, 0] * num_symbols + cards[:, 1],
        cards[:, 0] * num_symbols + cards[:, -1],
    ]
    for pair in pairs:
        assert chisquare(pair.bincount(minlength=num_symbols**2)).pvalue > 1e-4


@pytest.mark.parametrize("length", [5, 30])
def test_any_part_of_the_deck_can_be_taken(length: int) -> None:
    cards = deck(10, length)
    assert torch.equal(cards.take(0, 70_000)[40_000:50_000], cards.take(40_000, 50_000))


@pytest.mark.parametrize("max_limb_bits", [5, 48])
@pytest.mark.parametrize("small_deck", [0, 2**16], ids=["feistel", "randperm"])
def test_the_last_cards_are_the_deck_from_its_end(
    small_deck: int, max_limb_bits: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shuffled_sequences, "_SMALL_DECK", small_deck)
    monkeypatch.setattr(shuffled_sequences, "_MAX_LIMB_BITS", max_limb_bits)
    cards = deck(3, 8)
    backwards = cards.take(0, 3**8).flip(0)
    for num in (0, 1, 100, 3**8):
        assert torch.equal(cards.take_last(num), backwards[:num])


def test_the_last_cards_of_a_deck_beyond_machine_integers() -> None:
    cards = deck(100, 30)
    last = cards.take_last(100_000)
    assert len(torch.cat([last, cards.take(0, 100_000)]).unique(dim=0)) == 200_000
    for column in (0, 1, 15, 29):
        assert chisquare(last[:, column].long().bincount(minlength=100)).pvalue > 1e-4


@pytest.mark.parametrize("length", [4, 30])
def test_the_generator_decides(length: int) -> None:
    assert torch.equal(deck(10, length, seed=1).take(0, 99), deck(10, length, seed=1).take(0, 99))
    assert not torch.equal(deck(10, length, seed=1).take(0, 99), deck(10, length, seed=2).take(0, 99))
