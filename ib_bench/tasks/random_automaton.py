"""Automata without structure: each entry of the table is drawn at random.

Nothing that a model learns of one transition tells it anything of another. What an architecture needs here beyond what
it needs on a group of the same size is what it gains from structure.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import InvalidOptionError, require
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine
from ib_bench.tasks.reachability import is_strongly_connected, num_distinguishable

_MAX_DRAWS = 1_000
_MAX_STATES = 2**12
_MAX_SYMBOLS = 2**13


class RandomAutomaton(FiniteStateMachine):
    """A random automaton, drawn again until it is minimal and strongly connected.

    Args:
        num_states: K, in 2..4096.
        num_symbols: in 2..8192; null takes 2 K.
        num_answers: at least 2, drawn for each state; null takes the state itself as the answer.
        permutations: every symbol permutes the states, and symbol 0 leaves each where it is.
        automaton_seed: decides which automaton is drawn, in 0..2^32-1.

    Raises:
        InvalidOptionError: a value outside its range, or no such automaton is found.

    Reference: with ``permutations``, and as many symbols as states, these are the random automata of *Structure, Not
    Size* (github.com/yashmahe2020/state-tracking-complexity, v1.0.0).
    """

    def __init__(
        self,
        num_states: int = 8,
        num_symbols: int | None = None,
        num_answers: int | None = None,
        permutations: bool = False,
        automaton_seed: int = 0,
    ) -> None:
        in_range = 2 <= num_states <= _MAX_STATES
        require(in_range, "num_states", num_states, f"an integer in 2..{_MAX_STATES}")
        self.num_states, self.permutations, self.automaton_seed = num_states, permutations, automaton_seed
        self.num_symbols = 2 * num_states if num_symbols is None else num_symbols
        in_range = 2 <= self.num_symbols <= _MAX_SYMBOLS
        require(in_range, "num_symbols", num_symbols, f"null or an integer in 2..{_MAX_SYMBOLS}")
        in_range = num_answers is None or 2 <= num_answers <= num_states
        require(in_range, "num_answers", num_answers, f"null or an integer in 2..num_states, {num_states}")
        require(0 <= automaton_seed < 2**32, "automaton_seed", automaton_seed, "an integer in 0..2^32-1")
        generator = torch.Generator().manual_seed(automaton_seed)
        for _ in range(_MAX_DRAWS):
            self._table = self._drawn(permutations, generator)
            if num_answers is not None:
                self.answer_of_state = torch.randint(num_answers, (num_states,), generator=generator)
            if self._is_wanted(num_answers or num_states):
                return
        allowed = f"larger: none of {_MAX_DRAWS:,} drawn automata is minimal and strongly connected"
        raise InvalidOptionError("num_symbols", self.num_symbols, allowed)

    def _is_wanted(self, num_answers: int) -> bool:
        answers = self.answers(torch.arange(self.num_states))
        has_all = len(torch.unique(answers)) == num_answers
        is_minimal = num_distinguishable(self._table, answers) == self.num_states
        return has_all and is_minimal and is_strongly_connected(self._table)

    def _drawn(self, permutations: bool, generator: torch.Generator) -> Tensor:
        if not permutations:
            return torch.randint(self.num_states, (self.num_states, self.num_symbols), generator=generator)
        columns = [torch.randperm(self.num_states, generator=generator) for _ in range(self.num_symbols - 1)]
        return torch.stack([torch.arange(self.num_states), *columns], dim=1)

    def _build_transition(self) -> Tensor:
        return self._table

    @classmethod
    def examples(cls) -> list[Example]:
        """Where two drawn tables lead: they stay what they are."""
        return [
            Example(cls(num_states=4), symbols=[0, 1, 2, 3], states=[0, 3, 1, 2]),
            Example(cls(num_states=3, num_symbols=3, permutations=True), symbols=[0, 1, 2], states=[0, 2, 0]),
        ]
