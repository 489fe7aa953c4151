"""Every row of a batch belongs to one rank, and ranks draw random numbers of their own."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ib_bench.models.sharding import RankRandomness, share_of
from ib_bench.supervision.supervision import Batch

CPU = torch.device("cpu")


@pytest.mark.parametrize("num_rows", [1, 2, 3, 7])
@pytest.mark.parametrize("num_ranks", [1, 2, 3])
def test_every_row_is_one_ranks(num_rows: int, num_ranks: int) -> None:
    batch = Batch(torch.arange(num_rows).view(-1, 1), -torch.arange(num_rows).view(-1, 1))
    shares = [share_of(batch, rank, num_ranks) for rank in range(num_ranks)]
    assert all(len(share.tokens) == len(share.targets) >= 1 for share, _ in shares)
    own = torch.cat([share.tokens[:num_own] for share, num_own in shares])
    assert own.flatten().sort().values.tolist() == list(range(num_rows))
    assert all(torch.equal(share.tokens, -share.targets) for share, _ in shares)


def test_ranks_drop_different_units_and_the_common_stream_goes_on() -> None:
    def masks(rank: int) -> list[torch.Tensor]:
        torch.random.default_generator.manual_seed(5)
        randomness = RankRandomness(rank)
        drawn = []
        for _ in range(2):
            with randomness.own(CPU):
                drawn.append(functional.dropout(torch.ones(100)))
        return [*drawn, torch.rand(3)]

    with torch.random.fork_rng():
        (first, second, common), others, again = masks(0), masks(1), masks(0)
        torch.random.default_generator.manual_seed(5)
        untouched = torch.rand(3)
    assert not torch.equal(first, second)
    assert not torch.equal(first, others[0])
    assert torch.equal(first, again[0]) and torch.equal(second, again[1])
    assert torch.equal(common, untouched) and torch.equal(others[2], untouched)
