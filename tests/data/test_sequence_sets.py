"""Every sequence of small spaces accounted for: what may follow, and what is kept out of training."""

from __future__ import annotations

from itertools import pairwise, product

import pytest
import torch

from ib_bench import catalogue, data
from ib_bench.data.length_distributions import Fixed
from ib_bench.data.length_distributions.length_distribution import LengthDistribution
from ib_bench.data.sequence_pool import SequencePool, Sequences
from ib_bench.data.sequence_sets import AcceptedSequences, SequenceSpace, all_of, sequence_space
from ib_bench.errors import InvalidOptionError
from ib_bench.quantities.extrapolation.length_evaluation import evaluation_set
from ib_bench.results.records import DataSpec
from ib_bench.tasks import BoundedDyck, CycleNavigation, FiniteGroup, ModularAddition
from ib_bench.tasks.finite_state_machine import FiniteStateMachine
from ib_bench.training.instantiation import identifying_spec

DISTRIBUTIONS = [entry.load()() for entry in catalogue.entries(catalogue.LENGTH_DISTRIBUTIONS)]
Word = tuple[int, ...]
Steps = list[tuple[int, int]]


def as_tuples(sequences: Sequences) -> list[Word]:
    pairs = zip(sequences.symbols.tolist(), sequences.lengths.tolist(), strict=True)
    return [tuple(row[:length]) for row, length in pairs]


def steps_of(task: FiniteStateMachine, word: Word) -> tuple[set[tuple[int, int]], set[tuple[int, int]], bool]:
    """The transitions and the pairs of symbols of a word, and whether the machine takes it, in plain Python."""
    state, transitions, is_taken = task.initial_state, set(), True
    for symbol in word:
        is_taken &= task.allowed is None or bool(task.allowed[state, symbol])
        transitions.add((state, symbol))
        state = int(task.transition[state, symbol])
    return transitions, set(pairwise(word)), is_taken


def enumerated(
    task: FiniteStateMachine, lengths: list[int], transitions: Steps, pairs: Steps
) -> tuple[set[Word], set[Word]]:
    """The words without, and those with a held-out step."""
    without, with_any = set(), set()
    for length in lengths:
        for word in product(range(task.num_symbols), repeat=length):
            taken, followed, is_taken = steps_of(task, word)
            if is_taken:
                (with_any if taken & set(transitions) or followed & set(pairs) else without).add(word)
    return without, with_any


CASES = [
    (ModularAddition(3), [(1, 2)], []),
    (ModularAddition(3), [(0, 0), (2, 1)], []),
    (ModularAddition(3), [], [(1, 1)]),
    (ModularAddition(3), [], [(0, 1), (0, 2), (2, 0)]),
    (ModularAddition(3), [(1, 2)], [(1, 1)]),
    (CycleNavigation(4), [(3, 1)], [(1, 2)]),
    (FiniteGroup("S3", generators="standard"), [(2, 1)], [(0, 0)]),
    (BoundedDyck(num_kinds=2, depth=2), [(1, 0)], []),
    (BoundedDyck(num_kinds=1, depth=3), [], [(0, 0)]),
]


@pytest.mark.parametrize(("task", "transitions", "pairs"), CASES, ids=str)
def test_counts_and_decks(task: FiniteStateMachine, transitions: Steps, pairs: Steps) -> None:
    space = sequence_space(task, transitions, pairs)
    assert space.asked is not None
    for length in (1, 2, 5):
        for words, sequences in zip(enumerated(task, [length], transitions, pairs), space, strict=True):
            assert sequences is not None
            assert sequences.count(length) == len(words)
            deck = sequences.deck(length, torch.Generator().manual_seed(0))
            cards = deck.take(0, deck.num_sequences)
            assert {tuple(card) for card in cards.tolist()} == words
            assert len(cards) == len(words)
            assert torch.equal(deck.take_last(len(words)), cards.flip(0))
            assert torch.equal(deck.take(len(words) // 2, len(words)), cards[len(words) // 2 :])


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda distribution: type(distribution).__name__)
@pytest.mark.parametrize(("task", "transitions", "pairs"), CASES, ids=str)
def test_pools(task: FiniteStateMachine, transitions: Steps, pairs: Steps, distribution: LengthDistribution) -> None:
    space = sequence_space(task, transitions, pairs)
    pool = SequencePool(task.num_symbols, distribution, 5, seed=3, space=space)
    without, with_any = enumerated(task, distribution.support(5), transitions, pairs)
    order = as_tuples(pool.training_set(pool.num_train))
    assert len(order) == len(without) == pool.num_train
    assert set(order) == without
    half = -(-pool.num_train // 2)
    assert as_tuples(pool.training_set(half)) == order[:half]
    validation, test = as_tuples(pool.validation_set()), as_tuples(pool.test_set(1))
    assert len(set(validation)) == len(validation) == pool.num_val
    assert len(set(test)) == len(test) == pool.num_test(pool.num_train)
    assert set(validation) | set(test) == with_any
    assert not set(validation) & set(test)
    assert as_tuples(pool.test_set(pool.num_train)) == test


@pytest.mark.parametrize("task", [BoundedDyck(num_kinds=2, depth=2), BoundedDyck(num_kinds=1, depth=3)], ids=repr)
def test_what_may_follow(task: FiniteStateMachine) -> None:
    everything, _ = enumerated(task, [2, 3, 4, 5, 6], [], [])
    pool = SequencePool(task.num_symbols, DISTRIBUTIONS[-1], 6, seed=1, space=SequenceSpace(all_of(task)))
    validation, training = as_tuples(pool.validation_set()), as_tuples(pool.training_set(pool.num_train))
    assert sorted(validation + training) == sorted(everything)
    saturated = SequencePool(task.num_symbols, DISTRIBUTIONS[-1], 6, 1, saturated=True, space=pool.space)
    assert set(as_tuples(saturated.validation_set())) == set(as_tuples(saturated.training_set(saturated.num_train)))
    assert saturated.num_train == len(everything)


def test_counts_are_exact_beyond_machine_integers() -> None:
    task = ModularAddition(10)
    without = sequence_space(task, held_out_pairs=[(3, 4)]).trained
    counts = [1, 10]
    for _ in range(58):  # words that end in 3 are followed by 9 symbols, all others by 10
        counts.append(10 * counts[-1] - counts[-2])
    assert [without.count(length) for length in (18, 19, 20, 59)] == [counts[n] for n in (18, 19, 20, 59)]
    assert counts[59] > 2**190


@pytest.mark.parametrize("length", [18, 19, 40])
def test_large_decks(length: int) -> None:
    """Numbers of 64 bits on the one side, and integers of any size on the other."""
    task = ModularAddition(10)
    space = sequence_space(task, [(0, 7)], [(3, 4)])
    pool = SequencePool(10, Fixed(), length, seed=0, space=space)
    training, validation = pool.training_set(3000), as_tuples(pool.validation_set())
    order = as_tuples(training)
    assert as_tuples(pool.training_set(100)) == order[:100]
    assert len(set(order)) == 3000 and len(set(validation)) == 2000
    for word in order:
        transitions, pairs, _ = steps_of(task, word)
        assert (0, 7) not in transitions and (3, 4) not in pairs
    for word in validation:
        transitions, pairs, _ = steps_of(task, word)
        assert (0, 7) in transitions or (3, 4) in pairs
    assert not set(as_tuples(pool.test_set(3000))) & set(validation)
    assert training.symbols.long().flatten().bincount(minlength=10).min() > 0


def test_the_first_cards_are_like_all_others() -> None:
    without = sequence_space(ModularAddition(7), held_out_pairs=[(0, 0)]).trained
    words = without.deck(9, torch.Generator().manual_seed(0)).take(0, 20_000)
    ends_in_zero = float((words[:, -1] == 0).double().mean())
    assert ends_in_zero == pytest.approx(_ending_in_zero(7, 9) / without.count(9), abs=0.01)


def _ending_in_zero(num_symbols: int, length: int) -> int:
    """The words without two zeros in a row that end in a zero: those before it do not."""
    ending, others = 1, num_symbols - 1
    for _ in range(length - 1):
        ending, others = others, (num_symbols - 1) * (ending + others)
    return ending


class TestData:
    def test_held_out_transitions(self) -> None:
        module = data.ModularAddition(modulus=5, max_length=6, held_out_transitions=[[2, 3]], num_train_sequences=500)
        for batches, is_held_out in ((module.train_dataloader(), False), (module.val_dataloader(), True)):
            for tokens, targets in batches:
                before = torch.cat([torch.zeros(len(tokens), 1, dtype=torch.int64), targets[:, :-1]], dim=1)
                taken = (before == 2) & (tokens == 3) & (targets >= 0)
                assert torch.equal(taken.any(dim=1), torch.full((len(tokens),), is_held_out))

    def test_extrapolation_asks_for_held_out_steps_too(self) -> None:
        module = data.ModularAddition(modulus=5, max_length=4, held_out_pairs=[[2, 3]])
        longer = evaluation_set(module, 8, 200)
        assert all((2, 3) in pairwise(word) for word in as_tuples(longer))
        assert len(set(as_tuples(longer))) == 200

    def test_longer_words_are_well_formed(self) -> None:
        module = data.BoundedDyck(num_kinds=2, depth=2, max_length=5)
        words = as_tuples(evaluation_set(module, 20, 100))
        assert all(steps_of(module.task, word)[2] for word in words)

    def test_unset_options_change_nothing(self) -> None:
        plain, given = (
            identifying_spec(DataSpec("ib_bench.data.ModularAddition", {"modulus": 5, **options}))
            for options in ({}, {"held_out_transitions": None, "held_out_pairs": None, "revealed": None})
        )
        assert plain == given
        other = DataSpec("ib_bench.data.ModularAddition", {"modulus": 5, "held_out_pairs": [[0, 1]]})
        assert identifying_spec(other) == other

    def test_saturated_data_hold_everything(self) -> None:
        module = data.ModularAddition(modulus=3, max_length=4, saturated=True, held_out_pairs=[[0, 1]])
        assert module.max_train_sequences == 3**2 + 3**3 + 3**4

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (
                {"held_out_transitions": [[5, 0]]},
                r"pairs of a state in 0\.\.4 and a symbol in 0\.\.4, got \[\[5, 0\]\]",
            ),
            ({"held_out_transitions": [[0, -1]]}, r"a symbol in 0\.\.4"),
            ({"held_out_transitions": [[0, 1, 2]]}, "null or a list of pairs"),
            ({"held_out_transitions": []}, "null or a list of pairs"),
            ({"held_out_pairs": [[0, 5]]}, r"a next symbol in 0\.\.4"),
            ({"held_out_transitions": [[0, x] for x in range(5)]}, "steps that some, but not all, sequences .* take"),
        ],
    )
    def test_what_cannot_be_held_out(self, options: dict[str, list[list[int]]], message: str) -> None:
        with pytest.raises(InvalidOptionError, match=message):
            data.ModularAddition(modulus=5, max_length=4, **options)

    def test_steps_that_are_never_taken(self) -> None:
        with pytest.raises(InvalidOptionError, match="held_out_transitions must be steps that some, but not all"):
            data.BoundedDyck(num_kinds=1, depth=1, max_length=4, held_out_transitions=[[0, 1]])


def test_the_papers_tasks_keep_their_decks() -> None:
    space = sequence_space(ModularAddition(5))
    assert not isinstance(space.trained, AcceptedSequences)
    assert space.asked is None
