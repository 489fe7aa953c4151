"""Against sympy's permutations."""

from __future__ import annotations

import pytest
import torch
from sympy.combinatorics import Permutation

from ib_bench.errors import InvalidOptionError
from ib_bench.tasks import PermutationComposition


@pytest.mark.parametrize("num_elements", [4, 5])
def test_numbering_is_lexicographic_and_invertible(num_elements: int) -> None:
    task = PermutationComposition(num_elements)
    symbols = torch.arange(task.num_symbols)
    permutations = task.symbol_to_permutation(symbols)
    assert [Permutation(row).rank() for row in permutations.tolist()] == symbols.tolist()
    assert permutations.tolist() == sorted(permutations.tolist())
    assert torch.equal(task.permutation_to_symbol(permutations), symbols)


@pytest.mark.parametrize("num_elements", [4, 5])
def test_the_newest_permutation_is_applied_last(num_elements: int) -> None:
    task = PermutationComposition(num_elements)
    symbols = torch.randint(task.num_symbols, (50, 7), generator=torch.Generator().manual_seed(0))
    for row, states in zip(symbols.tolist(), task.trajectory(symbols).tolist(), strict=True):
        composed = Permutation(num_elements - 1)
        for symbol, state in zip(row, states, strict=True):
            newest = Permutation.unrank_lex(num_elements, symbol)
            composed = composed * newest  # sympy applies the left factor first
            assert composed.rank() == state


def test_two_elements_are_parity() -> None:
    assert PermutationComposition(2).transition.tolist() == [[0, 1], [1, 0]]


@pytest.mark.system
def test_seven_elements() -> None:
    task = PermutationComposition(7)
    assert task.num_states == 5040
    symbols = torch.tensor([[5039, 5039, 1, 0]])
    assert task.trajectory(symbols).tolist() == [[5039, 0, 1, 1]]


@pytest.mark.parametrize("num_elements", [1, 8])
def test_number_of_elements_out_of_range(num_elements: int) -> None:
    with pytest.raises(InvalidOptionError, match=r"num_elements must be an integer in 2\.\.7"):
        PermutationComposition(num_elements)
