"""Against rows that are cut by hand."""

from __future__ import annotations

import pytest
import torch

from ib_bench.models.packing import PackedBatch
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch

ROWS = [[(1, None), (2, 12), (3, 13)], [(4, 14)], [(5, None), (6, 16)]]
"""Sequences of (token, target)."""


@pytest.fixture
def batch() -> PackedBatch:
    tokens, targets = torch.full((3, 5), 9), torch.full((3, 5), IGNORE_INDEX)
    for row, sequence in enumerate(ROWS):
        for position, (token, target) in enumerate(sequence):
            tokens[row, position] = token
            targets[row, position] = IGNORE_INDEX if target is None else target
    return PackedBatch(Batch(tokens, targets))


def test_the_order_is_that_of_torch(batch: PackedBatch) -> None:
    sequences = [torch.tensor([token for token, _ in sequence]) for sequence in ROWS]
    packed = torch.nn.utils.rnn.pack_sequence(sequences, enforce_sorted=False)
    assert torch.equal(batch.tokens, packed.data)
    assert batch.num_active == packed.batch_sizes.tolist() == [3, 2, 1]
    assert batch.positions.tolist() == [0, 0, 0, 1, 1, 2]


def test_what_is_asked(batch: PackedBatch) -> None:
    assert batch.tokens[batch.supervised].tolist() == [4, 2, 6, 3]
    assert batch.targets.tolist() == [14, 12, 16, 13]
    assert not batch.is_all_supervised


def test_padding_and_back(batch: PackedBatch) -> None:
    rows = batch.pad(batch.tokens[:, None])
    assert rows.squeeze(-1).tolist() == [[1, 2, 3], [5, 6, 0], [4, 0, 0]]
    assert torch.equal(batch.unpad(rows).squeeze(-1), batch.tokens)


def test_padding_what_is_asked_and_back(batch: PackedBatch) -> None:
    rows = batch.pad_supervised(batch.targets)
    assert rows.tolist() == [[12, 13], [16, 0], [14, 0]]
    assert torch.equal(batch.unpad_supervised(rows), batch.targets)


def test_back_to_where_they_were(batch: PackedBatch) -> None:
    expected = [[0, 12, 13, 0, 0], [14, 0, 0, 0, 0], [0, 16, 0, 0, 0]]
    assert batch.scatter(batch.targets).tolist() == expected
