from __future__ import annotations

from collections import Counter

import pytest
import torch

from ib_bench import catalogue
from ib_bench.data import ModularAddition, PermutationComposition, batches, state_tracking_data
from ib_bench.data.batches import TrainBatches
from ib_bench.errors import (
    InvalidOptionError,
    NothingHeldOutError,
    NothingToTestOnError,
    PoolExhaustedError,
    UnknownNameError,
)
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch


def rows(batches: TrainBatches) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [
        (tuple(tokens), tuple(targets))
        for batch in batches
        for tokens, targets in zip(batch.tokens.tolist(), batch.targets.tolist(), strict=True)
    ]


def unpadded(rows: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Rows of aligned chain of thought without their padding."""
    lengths = [sum(target != IGNORE_INDEX for target in targets) for _, targets in rows]
    return [(tokens[:num], targets[:num]) for (tokens, targets), num in zip(rows, lengths, strict=True)]


def test_every_task_has_a_data_module() -> None:
    for entry in catalogue.entries(catalogue.TASKS):
        module = getattr(__import__("ib_bench.data", fromlist=["data"]), entry.class_name)
        assert module.__name__ == entry.class_name
        assert isinstance(next(iter(module(max_length=3).train_dataloader())), Batch)


def test_states_are_named_at_their_symbols() -> None:
    data = ModularAddition(modulus=7, max_length=9, length_distribution="fixed", num_train_sequences=200)
    for batch in data.train_dataloader():
        assert torch.equal(batch.tokens.cumsum(dim=1) % 7, batch.targets)


def test_permutations() -> None:
    data = PermutationComposition(num_elements=5, max_length=4, supervision="chain_of_thought", num_train_sequences=9)
    assert (data.vocab_size, data.num_classes) == (121, 120)
    (batch,) = data.train_dataloader()
    assert batch.tokens.shape == (9, 8)


@pytest.mark.parametrize(
    ("num", "batch_size", "sizes"), [(130, 64, [64, 64, 2]), (128, 64, [64, 64]), (5, 64, [5]), (3, 1, [1, 1, 1])]
)
def test_batches_keep_the_last_partial_one(num: int, batch_size: int, sizes: list[int]) -> None:
    data = ModularAddition(max_length=6, num_train_sequences=num, batch_size=batch_size)
    batches = data.train_dataloader()
    assert [len(batch.tokens) for batch in batches] == sizes
    assert len(batches) == len(sizes)


def test_epochs_are_reshuffled_by_seed_and_epoch_alone() -> None:
    data = ModularAddition(max_length=6, num_train_sequences=300, batch_size=7)
    batches, again = data.train_dataloader(), data.train_dataloader()
    first, second = rows(batches), None
    batches.sampler.set_epoch(1)
    second = rows(batches)
    assert first != second
    assert Counter(first) == Counter(second)
    again.sampler.set_epoch(1)
    assert rows(again) == second


def test_more_than_a_chunk_of_batches() -> None:
    data = ModularAddition(modulus=10, max_length=6, num_train_sequences=3000, batch_size=8)
    assert len(set(rows(data.train_dataloader()))) == 3000


def test_validation_covers_the_held_out_sequences_once() -> None:
    data = ModularAddition(modulus=10, max_length=8)
    batches = list(data.val_dataloader())
    assert sum(len(batch.tokens) for batch in batches) == data.pool.num_val == 2000
    assert batches[0].tokens.shape[1] < batches[-1].tokens.shape[1] == 8


def test_what_is_tested_on_is_neither_trained_nor_validated_on() -> None:
    data = ModularAddition(modulus=3, max_length=5, num_train_sequences=150)
    splits = [rows(batches) for batches in (data.train_dataloader(), data.val_dataloader(), data.test_dataloader())]
    sequences = [{tokens for tokens, _ in split} for split in map(unpadded, splits)]
    assert [len(one) for one in sequences] == [150, data.pool.num_val, data.num_test]
    assert len(set.union(*sequences)) == sum(map(len, sequences)) == 3**2 + 3**3 + 3**4 + 3**5


def test_a_training_set_that_takes_everything_leaves_no_test_set() -> None:
    data = ModularAddition(modulus=3, max_length=4)
    assert data.num_test == 0
    with pytest.raises(NothingToTestOnError, match=f"must be below {data.max_train_sequences} to leave sequences"):
        data.test_dataloader()


def test_short_training_sets_are_not_padded_to_the_maximal_length() -> None:
    data = ModularAddition(max_length=30, length_distribution="short_to_long", num_train_sequences=10)
    assert next(iter(data.train_dataloader())).tokens.shape == (10, 2)


def test_the_whole_pool_is_the_default_size() -> None:
    data = ModularAddition(modulus=2, max_length=5)
    assert data.num_train_sequences == data.max_train_sequences == data.pool.num_train == 60 - data.pool.num_val


@pytest.mark.parametrize("supervision", ["outcome", "chain_of_thought", "aligned_chain_of_thought"])
@pytest.mark.parametrize("length_distribution", ["fixed", "uniform", "short_to_long"])
def test_saturated_data_train_and_validate_on_the_same(supervision: str, length_distribution: str) -> None:
    data = ModularAddition(2, supervision, length_distribution, max_length=3, saturated=True)
    splits = [rows(batches) for batches in (data.train_dataloader(), data.val_dataloader())]
    sets = [{tuple(token for token in tokens) for tokens, _ in split} for split in splits]
    assert len(splits[0]) == len(splits[1]) == data.num_train_sequences == {"fixed": 8}.get(length_distribution, 12)
    assert length_distribution != "fixed" or sets[0] == sets[1]
    with pytest.raises(NothingToTestOnError, match="saturated data have no test set"):
        data.test_dataloader()


def test_held_out_steps_may_leave_no_test_set_whatever_the_size_of_the_training_set() -> None:
    data = ModularAddition(2, "outcome", "fixed", max_length=2, held_out_pairs=[[0, 1]], num_train_sequences=1)
    assert data.num_test == 0
    with pytest.raises(NothingToTestOnError, match="validation takes all sequences with a held-out step"):
        data.test_dataloader()


def test_a_very_large_held_out_set_is_encoded_whenever_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = list(ModularAddition(3, max_length=6, saturated=True).val_dataloader())
    monkeypatch.setattr(batches, "MAX_KEPT_SEQUENCES", 100)
    data = ModularAddition(3, max_length=6, saturated=True)
    num_encoded = []
    encode = data.encode
    monkeypatch.setattr(data, "encode", lambda sequences: num_encoded.append(1) or encode(sequences))
    loader = data.val_dataloader()
    assert num_encoded == []
    for _ in range(2):
        read = list(loader)
        assert len(read) == len(loader) == len(kept) == 3
        assert all(torch.equal(one.tokens, other.tokens) for one, other in zip(read, kept, strict=True))
    assert len(num_encoded) == 6


def test_saturated_data_have_one_size() -> None:
    assert ModularAddition(2, max_length=3, num_train_sequences=12, saturated=True).num_train_sequences == 12
    with pytest.raises(InvalidOptionError, match="must be null, or all 12 sequences where saturated, got 11"):
        ModularAddition(2, max_length=3, num_train_sequences=11, saturated=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"min_length": 1}, r"min_length must be an integer in 2\.\.max_length, 10, got 1"),
        ({"min_length": 6, "max_length": 5}, "got 6"),
        ({"modulus": 1}, "modulus must be"),
        ({"max_length": 1}, "max_length must be an integer in 2..2047, got 1"),
        ({"num_train_sequences": 0}, "num_train_sequences must be"),
        ({"batch_size": -1}, "batch_size must be"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_values_out_of_range(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        ModularAddition(**arguments)


def test_too_few_sequences_to_hold_any_out() -> None:
    with pytest.raises(NothingHeldOutError, match="only 4 sequences exist"):
        ModularAddition(modulus=2, max_length=2)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'outcome'"):
        ModularAddition(supervision="outcom")
    with pytest.raises(UnknownNameError, match="did you mean 'uniform'"):
        ModularAddition(length_distribution="unifrom")


def test_a_regime_from_outside_is_named_by_its_dotted_path() -> None:
    data = ModularAddition(supervision="ib_bench.supervision.outcome.Outcome")
    assert type(data.supervision).__name__ == "Outcome"


def test_more_than_the_pool_is_refused_at_once() -> None:
    with pytest.raises(PoolExhaustedError, match="at most 50"):
        ModularAddition(modulus=2, max_length=5, length_distribution="uniform", num_train_sequences=10**9, seed=0)


def test_evaluations_of_many_classes_have_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sequences in the same order."""
    data, smaller = (ModularAddition(modulus=5, max_length=6, num_train_sequences=8) for _ in range(2))
    whole = [batch.tokens for batch in data.val_dataloader()]
    monkeypatch.setattr(state_tracking_data, "MAX_EVAL_LOGITS", 7 * 5 * data.supervision.complete.num_tokens(6))
    parts = [batch.tokens for batch in smaller.val_dataloader()]
    assert max(map(len, whole)) == 500 and max(map(len, parts)) == 7
    assert [row for batch in whole for row in _words(batch)] == [row for batch in parts for row in _words(batch)]


def _words(tokens: torch.Tensor) -> list[list[int]]:
    """Rows up to their last token that is not padding."""
    return [row[: max((i for i, token in enumerate(row) if token), default=-1) + 1] for row in tokens.tolist()]
