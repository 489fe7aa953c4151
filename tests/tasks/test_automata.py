"""Against automata-lib: minimality and languages."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
import torch
from automata.fa.dfa import DFA
from automata.fa.nfa import NFA

from ib_bench import data
from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.results.records import DataSpec
from ib_bench.tasks import (
    Automaton,
    BoundedDyck,
    CycleNavigation,
    FlipFlop,
    ModularAddition,
    ModularArithmetic,
    RandomAutomaton,
)
from ib_bench.tasks.finite_state_machine import FiniteStateMachine
from ib_bench.tasks.reachability import is_strongly_connected
from ib_bench.training.instantiation import instantiate_data
from ib_bench.training.sources import source_digests

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def language(task: FiniteStateMachine, answers: set[int]) -> DFA:
    """The words after which the answer is one of the given ones, as automata-lib's automaton."""
    states, letters = range(task.num_states), LETTERS[: task.num_symbols]
    allowed = torch.ones(task.num_states, task.num_symbols, dtype=torch.bool) if task.allowed is None else task.allowed
    return DFA(
        states=set(states),
        input_symbols=set(letters),
        transitions={
            state: {letter: int(task.transition[state, x]) for x, letter in enumerate(letters) if allowed[state, x]}
            for state in states
        },
        initial_state=task.initial_state,
        final_states={state for state in states if int(task.answers(torch.tensor(state))) in answers},
        allow_partial=True,
    )


def regular(expression: str, letters: str) -> DFA:
    return DFA.from_nfa(NFA.from_regex(expression, input_symbols=set(letters)))


@pytest.mark.parametrize(
    ("task", "answers", "expression"),
    [
        (Automaton("parity"), {1}, "(a*ba*b)*a*ba*"),
        (ModularAddition(2), {1}, "(a*ba*b)*a*ba*"),
        (Automaton("even_pairs"), {0}, "(a(a|b)*a)|(b(a|b)*b)|a|b|()"),
        (FlipFlop(2), {1}, "(a|b|c)*ca*"),
        (FlipFlop(3), {0}, "((a|b|c|d)*b)?a*"),
        (BoundedDyck(num_kinds=1, depth=1), {0}, "(ab)*"),
        (BoundedDyck(num_kinds=1, depth=2), {0}, "(a(ab)*b)*"),
        (BoundedDyck(num_kinds=2, depth=1), {0}, "(ac|bd)*"),
        (BoundedDyck(num_kinds=2, depth=2), {0}, "(a(ac|bd)*c|b(ac|bd)*d)*"),
        (BoundedDyck(num_kinds=2, depth=2), {2}, "(a(ac|bd)*c|b(ac|bd)*d)*(b(ac|bd)*|(a|b)(ac|bd)*b)"),
    ],
    ids=lambda value: repr(value) if isinstance(value, FiniteStateMachine) else None,
)
def test_languages(task: FiniteStateMachine, answers: set[int], expression: str) -> None:
    assert language(task, answers) == regular(expression, LETTERS[: task.num_symbols])


@pytest.mark.parametrize("num_positions", [3, 5])
def test_cycle_navigation(num_positions: int) -> None:
    steps = {
        state: {"a": state, "b": (state + 1) % num_positions, "c": (state - 1) % num_positions} for state in range(5)
    }
    states = set(range(num_positions))
    for position in states:
        expected = DFA(
            states=states,
            input_symbols=set("abc"),
            transitions={state: steps[state] for state in states},
            initial_state=0,
            final_states={position},
        )
        assert language(CycleNavigation(num_positions), {position}) == expected


def test_even_pairs_counts_pairs() -> None:
    task = Automaton("even_pairs")
    for word in product("ab", repeat=6):
        text = "".join(word)
        num_pairs = len(re.findall("(?=ab|ba)", text))
        states = task.trajectory(torch.tensor([["ab".index(letter) for letter in text]]))
        assert int(task.answers(states)[0, -1]) == num_pairs % 2


@pytest.mark.parametrize("modulus", [2, 5])
def test_modular_arithmetic_is_pythons(modulus: int) -> None:
    task = ModularArithmetic(modulus)
    symbols = torch.randint(task.num_symbols, (100, 8), generator=torch.Generator().manual_seed(0))
    answers = task.answers(task.trajectory(symbols))
    for row, found in zip(symbols.tolist(), answers.tolist(), strict=True):
        expression = "0" + "".join(f"{'+-*'[symbol // modulus]}{symbol % modulus}" for symbol in row)
        assert found[-1] == eval(expression) % modulus


@pytest.mark.parametrize(
    "task",
    [
        *(Automaton("even_pairs"), FlipFlop(2), BoundedDyck(1, 4), BoundedDyck(2, 2), ModularArithmetic(2)),
        *(RandomAutomaton(num_states, 3, 2, automaton_seed=seed) for num_states in (4, 9) for seed in range(3)),
        RandomAutomaton(6, 3, 2, permutations=True),
    ],
    ids=repr,
)
def test_minimal(task: FiniteStateMachine) -> None:
    assert task.properties()["minimal"] is True
    if task.num_answers == 2:
        assert len(language(task, {0}).minify().states) == task.num_states
    assert _told_apart(task) == set(range(task.num_states))


def _told_apart(task: FiniteStateMachine) -> set[int]:
    """The states that no other state equals, by comparing the languages from each of them."""
    answers = range(task.num_answers)
    from_state = []
    for state in range(task.num_states):
        started = language(task, set())
        from_state.append(
            [
                DFA(
                    states=started.states,
                    input_symbols=started.input_symbols,
                    transitions=started.transitions,
                    initial_state=state,
                    final_states=language(task, {answer}).final_states,
                    allow_partial=True,
                )
                for answer in answers
            ]
        )
    pairs = ((one, other) for one in range(task.num_states) for other in range(one))
    same = {one for one, other in pairs if from_state[one] == from_state[other]}
    return set(range(task.num_states)) - same


@pytest.mark.parametrize("seed", range(4))
def test_machines_that_are_not_minimal_are_noticed(seed: int, tmp_path: Path) -> None:
    """A random machine with two answers, some of whose states are copies."""
    small = RandomAutomaton(3, 2, 2, automaton_seed=seed)
    generator = torch.Generator().manual_seed(seed)
    copies = torch.randint(2, (6, 2), generator=generator) * 3  # which of two copies of the target
    table = small.transition.long().repeat(2, 1) + copies
    states = list(range(6))
    text = {
        "symbols": [0, 1],
        "states": states,
        "initial": small.initial_state,
        "transition": {state: dict(enumerate(row)) for state, row in enumerate(table.tolist())},
        "answers": {state: int(small.answers(torch.tensor(state % 3))) for state in states},
    }
    (tmp_path / "copies.yaml").write_text(str(text))
    task = Automaton(str(tmp_path / "copies.yaml"))
    assert task.properties()["minimal"] is False
    assert len(language(task, {0}).minify().states) == 3


class TestRandomAutomaton:
    @pytest.mark.parametrize("permutations", [False, True])
    @pytest.mark.parametrize("seed", range(3))
    def test_strongly_connected(self, permutations: bool, seed: int) -> None:
        task = RandomAutomaton(5, 2, permutations=permutations, automaton_seed=seed)
        for start in range(5):
            for end in range(5):
                moved = DFA(
                    states=set(range(5)),
                    input_symbols=set("ab"),
                    transitions={s: dict(zip("ab", task.transition[s].tolist(), strict=True)) for s in range(5)},
                    initial_state=start,
                    final_states={end},
                )
                assert not moved.isempty()

    def test_default_alphabet_is_twice_the_states(self) -> None:
        assert RandomAutomaton(7).num_symbols == 14

    def test_permutations_keep_states_apart(self) -> None:
        table = RandomAutomaton(8, 8, permutations=True).transition.long()
        assert torch.equal(table[:, 0], torch.arange(8))
        assert torch.equal(table.sort(dim=0).values, torch.arange(8)[:, None].expand(8, 8))

    def test_the_seed_decides(self) -> None:
        one, same, other = (RandomAutomaton(6, automaton_seed=seed).transition for seed in (1, 1, 2))
        assert torch.equal(one, same)
        assert not torch.equal(one, other)

    def test_the_global_generator_is_left_alone(self) -> None:
        before = torch.random.get_rng_state()
        RandomAutomaton(6)
        assert torch.equal(torch.random.get_rng_state(), before)

    def test_tables_stay_what_they_are(self) -> None:
        """Stored results are of these tables."""
        assert RandomAutomaton(4).transition.tolist() == [
            [0, 3, 1, 0, 3, 3, 3, 3],
            [1, 3, 1, 2, 0, 3, 2, 0],
            [0, 0, 2, 1, 2, 3, 3, 2],
            [0, 1, 1, 1, 1, 0, 1, 0],
        ]

    def test_none_is_found(self) -> None:
        with pytest.raises(InvalidOptionError, match="none of 1,000 drawn automata is minimal and strongly connected"):
            RandomAutomaton(200, 2)


def test_strong_connection() -> None:
    assert is_strongly_connected(torch.tensor([[1], [2], [0]]))
    assert not is_strongly_connected(torch.tensor([[1], [1]]))
    assert not is_strongly_connected(torch.tensor([[0], [0]]))


TURNSTILE = """
symbols: [push, coin]
states: [locked, unlocked]
initial: locked
transition:
  locked: {push: locked, coin: unlocked}
  unlocked: {push: locked, coin: unlocked}
"""


def read(text: str, folder: Path) -> Automaton:
    (folder / "machine.yaml").write_text(text)
    return Automaton(str(folder / "machine.yaml"))


class TestFiles:
    def test_states_are_answers(self, tmp_path: Path) -> None:
        task = read(TURNSTILE, tmp_path)
        assert task.transition.tolist() == [[0, 1], [0, 1]]
        assert (task.num_answers, task.answer_of_state, task.allowed) == (2, None, None)

    def test_answers(self, tmp_path: Path) -> None:
        task = read(TURNSTILE + "answers: {unlocked: 'free', locked: 'shut'}", tmp_path)
        assert task.answer_names == ["shut", "free"]
        assert task.answers(torch.tensor([1, 0])).tolist() == [1, 0]

    def test_symbols_that_may_not_follow(self, tmp_path: Path) -> None:
        task = read(TURNSTILE.replace("{push: locked, coin: unlocked}", "{coin: unlocked}", 1), tmp_path)
        assert task.allowed is not None
        assert task.allowed.tolist() == [[False, True], [True, True]]

    def test_the_content_is_part_of_the_key(self, tmp_path: Path) -> None:
        spec = DataSpec("ib_bench.data.Automaton", {"file": str(tmp_path / "machine.yaml")})
        digests = []
        for text in (TURNSTILE, TURNSTILE.replace("push: locked", "push: unlocked")):
            read(text, tmp_path)
            digests.append(source_digests(spec, data=instantiate_data(spec))["file machine.yaml"])
        assert digests[0] != digests[1]

    @pytest.mark.parametrize(
        ("old", "new", "fault"),
        [
            ("initial: locked", "start: locked", "must have symbols, states, initial, transition"),
            (TURNSTILE, "[1, 2]", "must have symbols, .* got list"),
            (TURNSTILE, "{", "is not valid YAML"),
            ("initial: locked", "initial: open", "has the initial state 'open', which is not one of its states"),
            ("[push, coin]", "[push]", "must list at least two symbols"),
            ("[push, coin]", "[push, push]", "lists 'push' among its symbols more than once"),
            ("  unlocked: {push: locked, coin: unlocked}", "", "lacks one for 'unlocked'"),
            ("coin: unlocked", "coin: open", "leads from 'locked' by 'coin' to 'open', which is not one of its states"),
            ("coin: unlocked", "kick: locked", "from 'locked' by 'kick', which is not one of its symbols"),
            ("{push: locked, coin: unlocked}", "locked", "must say where each symbol leads from 'locked'"),
            ("transition:", "answers: {locked: 1}\ntransition:", "a value for each state in answers"),
            (
                "transition:",
                "answers: {locked: [1], unlocked: 2}\ntransition:",
                r"answer in 'locked', got \[1\]",
            ),
            ("transition:", "answers: {locked: 1, unlocked: }\ntransition:", "the answer in 'unlocked', got None"),
            ("transition:", "answers: {locked: 1, unlocked: 2, open: 3}\ntransition:", "has 'open' in answers"),
        ],
    )
    def test_what_is_no_automaton(self, old: str, new: str, fault: str, tmp_path: Path) -> None:
        with pytest.raises(BenchError, match=fault):
            read(TURNSTILE.replace(old, new, 1), tmp_path)

    def test_no_such_file(self, tmp_path: Path) -> None:
        with pytest.raises(BenchError, match="cannot be opened"):
            Automaton(str(tmp_path / "none.yaml"))
        with pytest.raises(InvalidOptionError, match=r"the path of a \.yaml file, or even_pairs or parity"):
            Automaton("evenpairs")


def test_data_hold_only_what_may_follow() -> None:
    brackets = data.BoundedDyck(num_kinds=2, depth=2, max_length=7, supervision="chain_of_thought")
    task = brackets.task
    for sequences in (brackets.pool.training_set(brackets.num_train_sequences), brackets.pool.validation_set()):
        states = task.trajectory(sequences.symbols)
        before = torch.cat([torch.full((len(states), 1), task.initial_state), states[:, :-1]], dim=1)
        inside = torch.arange(states.shape[1]) < sequences.lengths[:, None]
        assert task.allowed is not None
        assert task.allowed[before, sequences.symbols.long()][inside].all()


@pytest.mark.parametrize(
    ("task", "option"),
    [
        (lambda: CycleNavigation(2), "num_positions"),
        (lambda: FlipFlop(1), "num_values"),
        (lambda: ModularArithmetic(1), "modulus"),
        (lambda: BoundedDyck(0), "num_kinds"),
        (lambda: BoundedDyck(2, 0), "depth"),
        (lambda: BoundedDyck(2, 30), "depth"),
        (lambda: BoundedDyck(1, 40_000), "depth"),
        (lambda: RandomAutomaton(1), "num_states"),
        (lambda: RandomAutomaton(4, 1), "num_symbols"),
        (lambda: RandomAutomaton(4, 4, 5), "num_answers"),
        (lambda: RandomAutomaton(4, automaton_seed=-1), "automaton_seed"),
    ],
)
def test_values_out_of_range(task: object, option: str) -> None:
    with pytest.raises(InvalidOptionError, match=f"{option} must be "):
        task()  # type: ignore[operator]


def test_a_machine_is_written_as_what_builds_it_again() -> None:
    for task in (RandomAutomaton(num_states=5), RandomAutomaton(num_states=5, num_answers=2)):
        again = eval(repr(task))
        assert torch.equal(again.transition, task.transition) and repr(again) == repr(task)
        assert (again.answer_of_state is None) == (task.answer_of_state is None)


def test_a_large_machine_is_not_examined() -> None:
    assert set(CycleNavigation(num_positions=2**15).properties()) == {"states", "symbols"}
    assert "minimal" in CycleNavigation(num_positions=100).properties()
