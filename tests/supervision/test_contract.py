"""Every regime against its definition in plain Python; what the definitions of the shipped ones say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ib_bench import catalogue
from ib_bench.errors import InvalidOptionError
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch, Supervision
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine

LENGTHS = [3, 1, 5, 2]


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


class EverySecondState(Supervision):
    """A regime from outside: after every second symbol, the state is asked for."""

    default_separator = False

    def num_tokens(self, length: int) -> int:
        return length + self.num_separators

    def encode_naively(self, symbols: list[int], states: list[int]) -> list[tuple[int, int]]:
        targets = [state if index % 2 else IGNORE_INDEX for index, state in enumerate(states)]
        return [*zip(symbols, targets, strict=True), *((token, IGNORE_INDEX) for token in self.separators)]

    def encode(self, symbols: Tensor, states: Tensor, lengths: Tensor) -> Batch:
        position = torch.arange(self.num_tokens(symbols.shape[1]))
        inside = position < lengths[:, None]
        padded = [functional.pad(one.long(), (0, self.num_separators)) for one in (symbols, states)]
        tokens, targets = torch.where(inside, padded[0], 0), torch.where(inside & (position % 2 == 1), padded[1], -100)
        if self.separator_token is not None:
            tokens[position == lengths[:, None]] = self.separator_token
        return Batch(tokens, targets)


REGIMES = [*(entry.name for entry in catalogue.entries(catalogue.SUPERVISION)), f"{__name__}.EverySecondState"]


def regime(name: str, task: FiniteStateMachine, separator: bool | None = None) -> Supervision:
    return catalogue.find_class(catalogue.SUPERVISION, name, "supervision", Supervision)(task, separator)  # type: ignore[no-any-return]


@pytest.mark.parametrize("separator", [None, False, True])
@pytest.mark.parametrize("task", [Turnstile(), Cycle()], ids=["automaton", "group"])
@pytest.mark.parametrize("name", REGIMES)
def test_encoding(name: str, task: FiniteStateMachine, separator: bool | None) -> None:
    try:
        supervision = regime(name, task, separator)
    except InvalidOptionError:
        assert separator
        pytest.skip("has no separator")
    symbols = torch.randint(task.num_symbols, (len(LENGTHS), max(LENGTHS)), generator=torch.Generator().manual_seed(0))
    states = task.trajectory(symbols)
    batch = supervision.encode(symbols.to(torch.uint8), states, torch.tensor(LENGTHS))

    assert batch.tokens.shape == batch.targets.shape == (len(LENGTHS), supervision.num_tokens(max(LENGTHS)))
    assert batch.tokens.dtype == batch.targets.dtype == torch.int64
    assert 0 <= int(batch.tokens.min()) and int(batch.tokens.max()) < supervision.vocab_size
    for row, length in enumerate(LENGTHS):
        pairs = supervision.encode_naively(symbols[row, :length].tolist(), states[row, :length].tolist())
        assert len(pairs) == supervision.num_tokens(length)
        tokens, targets = map(list, zip(*pairs, strict=True))
        padding = batch.tokens.shape[1] - len(tokens)
        assert batch.tokens[row].tolist() == tokens + [0] * padding
        assert batch.targets[row].tolist() == targets + [IGNORE_INDEX] * padding
    assert torch.equal(batch.mask, batch.targets != IGNORE_INDEX)


@pytest.mark.parametrize(
    ("name", "tokens", "targets"),
    [
        ("outcome", [1, 1, 0, 2], [-100, -100, -100, 2]),
        ("chain_of_thought", [1, 1, 0, 5, 2 + 1, 2 + 2], [-100, -100, -100, 1, 2, 2]),
        ("aligned_chain_of_thought", [1, 1, 0], [1, 2, 2]),
    ],
)
def test_definitions(name: str, tokens: list[int], targets: list[int]) -> None:
    pairs = regime(name, Turnstile()).encode_naively([1, 1, 0], [1, 2, 2])
    assert pairs == list(zip(tokens, targets, strict=True))


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
