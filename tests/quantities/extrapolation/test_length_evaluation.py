"""Accuracy by length and position, with models whose mistakes are known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ib_bench.data import ModularAddition
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.models import LSTM
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.quantities.extrapolation.length_evaluation import (
    evaluate_length,
    evaluation_set,
    require_sequences,
)

MODULUS = 3


class Forgetful(SequenceModel):
    """Adds up the symbols of a chain of thought, but is wrong at given steps; reads its own states when it has to.

    Its answer at step k is the state that it has read last, plus the k-th symbol: a mistake that is read again stays.
    """

    def __init__(self, length: int, wrong_at: tuple[int, ...] = ()) -> None:
        super().__init__(MODULUS)
        self.length = length
        self.wrong_at = wrong_at
        self.calls: list[int] = []

    def forward(self, tokens: Tensor) -> Tensor:
        self.calls.append(tokens.shape[1])
        logits = torch.zeros(*tokens.shape, MODULUS)
        for position in range(self.length, tokens.shape[1]):
            step = position - self.length
            before = tokens[:, position] if step else torch.zeros(len(tokens), dtype=torch.int64)
            answer = (before + tokens[:, step] + (step in self.wrong_at)) % MODULUS
            logits[torch.arange(len(tokens)), position, answer] = 1
        return logits


def chain_data(max_length: int = 5, supervision: str = "chain_of_thought") -> StateTrackingData:
    data: StateTrackingData = ModularAddition(modulus=MODULUS, max_length=max_length, supervision=supervision)
    return data


def test_a_perfect_model() -> None:
    data = chain_data()
    accuracies = evaluate_length(Forgetful(8), data, evaluation_set(data, 8, 40))
    assert [accuracy.mode for accuracy in accuracies] == ["teacher_forced", "generated"]
    for accuracy in accuracies:
        assert accuracy.length == 8 and accuracy.num_sequences == 40
        assert accuracy.position_accuracy == [1.0] * 8
        assert accuracy.normalized_final_state_accuracy == accuracy.normalized_token_accuracy == 1.0


def test_a_mistake_stays_where_the_model_reads_its_own_states() -> None:
    data = chain_data()
    forced, generated = evaluate_length(Forgetful(6, wrong_at=(2,)), data, evaluation_set(data, 6, 30))
    assert forced.position_accuracy == [1, 1, 0, 1, 1, 1]
    assert generated.position_accuracy == [1, 1, 0, 0, 0, 0]
    assert forced.final_state_accuracy == 1
    assert generated.final_state_accuracy == 0
    assert generated.normalized_final_state_accuracy == pytest.approx(-0.5)
    assert forced.token_accuracy == pytest.approx(5 / 6)


class Diverged(Forgetful):
    """Its logits are NaN from a position on."""

    def forward(self, tokens: Tensor) -> Tensor:
        logits = super().forward(tokens)
        logits[:, self.length + 2 :] = torch.nan
        return logits


def test_a_diverged_model_is_wrong_even_where_the_state_is_0() -> None:
    data = chain_data()
    for accuracy in evaluate_length(Diverged(6), data, evaluation_set(data, 6, 40)):
        assert accuracy.position_accuracy == [1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("supervision", ["outcome", "aligned_chain_of_thought"])
def test_other_regimes_read_no_states(supervision: str) -> None:
    data = chain_data(supervision=supervision)
    model = LSTM(data.vocab_size, data.num_classes, hidden_size=8).eval()
    (accuracy,) = evaluate_length(model, data, evaluation_set(data, 10, 100))
    assert accuracy.mode == "teacher_forced"
    assert len(accuracy.position_accuracy) == (1 if supervision == "outcome" else 10)
    assert 0.1 < accuracy.final_state_accuracy < 0.6


def test_generation_with_a_state_is_generation_by_rereading() -> None:
    class Rereading(LSTM):
        decode = SequenceModel.decode

    data = chain_data()
    carrying = LSTM(data.vocab_size, data.num_classes, hidden_size=16).eval()
    rereading = Rereading(data.vocab_size, data.num_classes, hidden_size=16).eval()
    rereading.forward = lambda tokens: LSTM.decode(rereading, tokens)[0]  # type: ignore[method-assign]
    rereading.load_state_dict(carrying.state_dict())
    sequences = evaluation_set(data, 12, 50)
    one, other = (evaluate_length(model, data, sequences) for model in (carrying, rereading))
    assert one == other


def test_the_training_length_is_judged_on_held_out_sequences() -> None:
    data = chain_data(max_length=4)
    held_out = {tuple(row) for row in data.pool.validation_set().symbols.tolist()}
    sequences = evaluation_set(data, 4, 1000)
    assert 0 < len(sequences.symbols) <= len(held_out)
    assert {tuple(row) for row in sequences.symbols.tolist()} <= held_out
    assert sequences.lengths.unique().tolist() == [4]


def test_longer_sequences_are_distinct_and_repeatable() -> None:
    data = chain_data()
    sequences = evaluation_set(data, 20, 300)
    assert len(sequences.symbols.unique(dim=0)) == 300
    assert torch.equal(sequences.symbols, evaluation_set(chain_data(), 20, 300).symbols)


def test_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    data = chain_data()
    sequences = evaluation_set(data, 7, 50)
    whole = evaluate_length(Forgetful(7, wrong_at=(3,)), data, sequences)
    monkeypatch.setattr("ib_bench.quantities.extrapolation.length_evaluation._MAX_TOKENS", 100)
    assert evaluate_length(Forgetful(7, wrong_at=(3,)), data, sequences) == whole


def test_a_length_without_sequences_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Partial automata may have no words of some length."""
    data = chain_data(4)
    require_sequences(data, [4, 7])
    monkeypatch.setattr(data.pool.space.evaluated, "count", lambda length: 0 if length == 7 else 81)
    with pytest.raises(InvalidOptionError, match=r"multiples must be such that words of 7 symbols exist, got 1\.75"):
        require_sequences(data, [4, 7])
    with pytest.raises(BenchError, match="no sequence of 4 symbols is left to measure accuracy on"):
        evaluation_set(data, 4, 0)
