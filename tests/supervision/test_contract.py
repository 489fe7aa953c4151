"""Every regime against its definition in plain Python; what the definitions of the shipped ones say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ib_bench import catalogue
from ib_bench.data import ModularAddition
from ib_bench.data.sequence_pool import Sequences
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import InvalidOptionError
from ib_bench.models import Oracle
from ib_bench.quantities.extrapolation.length_evaluation import evaluate_length, evaluation_set
from ib_bench.supervision import Outcome, SparseStates
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


class Opened(Turnstile):
    """Says only whether it is in its last state."""

    answer_of_state = torch.tensor([0, 0, 1])


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
@pytest.mark.parametrize("task", [Turnstile(), Cycle(), Opened()], ids=["automaton", "group", "answers"])
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
        ("sparse_states", Cycle(), 3),
    ],
)
def test_vocabulary(name: str, task: FiniteStateMachine, vocab_size: int) -> None:
    supervision = regime(name, task)
    assert supervision.vocab_size == vocab_size
    assert supervision.num_classes == 3


def test_aligned_chain_of_thought_has_no_separator() -> None:
    with pytest.raises(InvalidOptionError, match="separator must be false or null"):
        regime("aligned_chain_of_thought", Cycle(), separator=True)


@pytest.mark.parametrize(
    ("name", "targets", "num_classes"),
    [
        ("outcome", [-100, -100, -100, 1], 2),
        ("chain_of_thought", [-100, -100, -100, 1, 2, 2], 3),
        ("aligned_chain_of_thought", [0, 1, 1], 2),
    ],
)
def test_a_regime_asks_for_answers_unless_it_writes_states_down(
    name: str, targets: list[int], num_classes: int
) -> None:
    data = StateTrackingData(Opened(), supervision=name, max_length=3, length_distribution="fixed")
    batch = data.encode(Sequences(torch.tensor([[1, 1, 0]]), torch.tensor([3])))
    assert batch.targets.tolist() == [targets]
    assert data.num_classes == num_classes
    assert data.supervision.complete.encode_naively([1], [1]) == data.supervision.encode_naively([1], [1])


class TestSparseStates:
    def encode(self, revealed: float, seed: int = 0, num: int = 400, length: int = 10) -> tuple[Batch, Tensor, Tensor]:
        symbols = torch.randint(3, (num, length), generator=torch.Generator().manual_seed(1))
        states = Cycle().trajectory(symbols)
        supervision = SparseStates(Cycle(), revealed=revealed, seed=seed)
        return supervision.encode(symbols, states, torch.full((num,), length)), symbols, states

    def test_nothing_revealed_is_the_outcome(self) -> None:
        batch, symbols, states = self.encode(0.0)
        lengths = torch.full((len(symbols),), 10)
        assert torch.equal(batch.targets, Outcome(Cycle(), separator=False).encode(symbols, states, lengths).targets)

    def test_everything_revealed_is_aligned(self) -> None:
        batch, symbols, states = self.encode(1.0)
        assert torch.equal(batch.targets, states)
        assert torch.equal(batch.tokens, symbols)

    @pytest.mark.parametrize("revealed", [0.1, 0.5, 0.9])
    def test_each_state_is_revealed_with_the_probability(self, revealed: float) -> None:
        batch, _, _ = self.encode(revealed, num=20_000)
        shares = batch.mask.double().mean(dim=0)
        assert shares[-1] == 1
        assert (shares[:-1] - revealed).abs().max() < 0.02
        neighbours = (batch.mask[:, :-2] & batch.mask[:, 1:-1]).double().mean()
        assert abs(float(neighbours) - revealed**2) < 0.01

    def test_a_sequence_is_always_written_in_the_same_way(self) -> None:
        batch, symbols, states = self.encode(0.5)
        alone = SparseStates(Cycle(), revealed=0.5).encode(symbols[5:6, :7], states[5:6, :7], torch.tensor([7]))
        padded = SparseStates(Cycle(), revealed=0.5).encode(symbols[4:6], states[4:6], torch.tensor([10, 7]))
        assert torch.equal(padded.targets[1, :7], alone.targets[0])
        assert torch.equal(padded.targets[0], batch.targets[4])

    def test_the_seed_decides(self) -> None:
        assert not torch.equal(self.encode(0.5)[0].mask, self.encode(0.5, seed=1)[0].mask)

    def test_data_pass_their_options(self) -> None:
        options = {"supervision": "sparse_states", "max_length": 6, "num_train_sequences": 50}
        one, other = (ModularAddition(revealed=0.25, seed=seed, **options) for seed in (1, 2))
        assert isinstance(one.supervision, SparseStates) and isinstance(other.supervision, SparseStates)
        assert (one.supervision.revealed, one.supervision.seed, other.supervision.seed) == (0.25, 1, 2)
        assert ModularAddition(**options).supervision.revealed == 0.5
        with pytest.raises(InvalidOptionError, match=r"revealed must be null with outcome, got 0\.25"):
            ModularAddition(supervision="outcome", revealed=0.25)

    def test_evaluation_at_other_lengths_asks_for_all_states(self) -> None:
        data = ModularAddition(modulus=3, supervision="sparse_states", revealed=0.2, max_length=4)
        oracle = Oracle(data.vocab_size, data.num_classes, data.solution)
        (result,) = evaluate_length(oracle, data, evaluation_set(data, 8, 50))
        assert result.token_accuracy == result.final_state_accuracy == 1
        assert len(result.position_accuracy) == 8

    @pytest.mark.parametrize(("option", "value"), [("revealed", -0.1), ("revealed", 1.5), ("separator", True)])
    def test_values_out_of_range(self, option: str, value: object) -> None:
        with pytest.raises(InvalidOptionError, match=f"{option} must be"):
            SparseStates(Cycle(), **{option: value})  # type: ignore[arg-type]
