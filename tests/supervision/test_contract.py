"""Every regime against a plain-Python account of what is read and what is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ib_bench import catalogue
from ib_bench.errors import InvalidOptionError
from ib_bench.supervision.supervision import IGNORE_INDEX, Supervision
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine

LENGTHS = [3, 1, 5, 2]
Row = tuple[list[int], list[int]]


class Turnstile(FiniteStateMachine):
    """A machine that is no group: 3 states, 2 symbols; states need tokens of their own."""

    num_symbols, num_states = 2, 3

    def _build_transition(self) -> torch.Tensor:
        return torch.tensor([[0, 1], [1, 2], [2, 0]])

    @classmethod
    def examples(cls) -> list[Example]:
        return [Example(cls(), [1, 1, 0, 1], [1, 2, 2, 0])]


class Cycle(Turnstile):
    """Three states that are symbols."""

    num_symbols, states_are_symbols = 3, True

    def _build_transition(self) -> torch.Tensor:
        return (torch.arange(3)[:, None] + torch.arange(3)) % 3


def outcome(symbols: list[int], states: list[int], equals: list[int], _: int) -> Row:
    tokens = symbols + equals
    return tokens, [IGNORE_INDEX] * (len(tokens) - 1) + [states[-1]]


def chain_of_thought(symbols: list[int], states: list[int], equals: list[int], first_state: int) -> Row:
    tokens = symbols + equals + [first_state + state for state in states[:-1]]
    return tokens, [IGNORE_INDEX] * (len(tokens) - len(states)) + states


def aligned_chain_of_thought(symbols: list[int], states: list[int], *_: object) -> Row:
    return symbols, states


ORACLES: dict[str, Callable[..., Row]] = {
    "outcome": outcome,
    "chain_of_thought": chain_of_thought,
    "aligned_chain_of_thought": aligned_chain_of_thought,
}


def test_every_shipped_regime_has_an_oracle() -> None:
    assert set(ORACLES) == {entry.name for entry in catalogue.entries(catalogue.SUPERVISION)}


def regime(name: str, task: FiniteStateMachine, separator: bool | None = None) -> Supervision:
    return catalogue.find_class(catalogue.SUPERVISION, name, "supervision", Supervision)(task, separator)  # type: ignore[no-any-return]


@pytest.mark.parametrize("separator", [None, False, True])
@pytest.mark.parametrize("task", [Turnstile(), Cycle()], ids=["automaton", "group"])
@pytest.mark.parametrize("name", ORACLES)
def test_encoding(name: str, task: FiniteStateMachine, separator: bool | None) -> None:
    if name == "aligned_chain_of_thought" and separator:
        pytest.skip("has no separator")
    supervision = regime(name, task, separator)
    symbols = torch.randint(task.num_symbols, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(0))
    states = task.trajectory(symbols)
    batch = supervision.encode(symbols.to(torch.uint8), states, torch.tensor(LENGTHS))

    assert batch.tokens.shape == batch.targets.shape == (len(LENGTHS), supervision.num_tokens(max(LENGTHS)))
    assert batch.tokens.dtype == batch.targets.dtype == torch.int64
    assert 0 <= int(batch.tokens.min()) and int(batch.tokens.max()) < supervision.vocab_size
    equals = [] if supervision.separator_token is None else [supervision.separator_token]
    for row, length in enumerate(LENGTHS):
        tokens, targets = ORACLES[name](
            symbols[row, :length].tolist(), states[row, :length].tolist(), equals, supervision.first_state_token
        )
        padding = batch.tokens.shape[1] - len(tokens)
        assert batch.tokens[row].tolist() == tokens + [0] * padding
        assert batch.targets[row].tolist() == targets + [IGNORE_INDEX] * padding
    assert torch.equal(batch.mask, batch.targets != IGNORE_INDEX)


@pytest.mark.parametrize(
    ("name", "task", "vocab_size"),
    [
        ("outcome", Turnstile(), 2 + 1),
        ("outcome", Cycle(), 3 + 1),
        ("chain_of_thought", Turnstile(), 2 + 3 + 1),
        ("chain_of_thought", Cycle(), 3 + 1),
        ("aligned_chain_of_thought", Turnstile(), 2),
        ("aligned_chain_of_thought", Cycle(), 3),
    ],
)
def test_vocabulary(name: str, task: FiniteStateMachine, vocab_size: int) -> None:
    supervision = regime(name, task)
    assert supervision.vocab_size == vocab_size
    assert supervision.num_classes == 3


def test_aligned_chain_of_thought_has_no_separator() -> None:
    with pytest.raises(InvalidOptionError, match="separator must be false or null"):
        regime("aligned_chain_of_thought", Cycle(), separator=True)
