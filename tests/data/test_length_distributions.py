from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from scipy.stats import chisquare

from ib_bench import catalogue
from ib_bench.data import ModularAddition
from ib_bench.data.length_distributions import Fixed, ShortToLong, Uniform
from ib_bench.data.length_distributions.length_distribution import LengthDistribution
from ib_bench.errors import BenchError


class LongToShort(LengthDistribution):
    """A distribution from outside."""

    def support(self, max_length: int) -> list[int]:
        return list(range(2, max_length + 1))

    def draw(self, num: int, available: Mapping[int, int], generator: torch.Generator) -> torch.Tensor:
        counts = [min(count, num) for _, count in sorted(available.items(), reverse=True)]
        lengths = torch.tensor(sorted(available, reverse=True), dtype=torch.int16)
        return lengths.repeat_interleave(torch.tensor(counts))[:num]


NAMES = [*(entry.name for entry in catalogue.entries(catalogue.LENGTH_DISTRIBUTIONS)), f"{__name__}.LongToShort"]
DISTRIBUTIONS = [
    catalogue.find_class(catalogue.LENGTH_DISTRIBUTIONS, name, "length_distribution", LengthDistribution)()
    for name in NAMES
]


def draw(distribution: LengthDistribution, num: int, available: dict[int, int], seed: int = 0) -> list[int]:
    return distribution.draw(num, available, torch.Generator().manual_seed(seed)).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda distribution: type(distribution).__name__)
class TestContract:
    def test_a_smaller_draw_is_a_prefix(self, distribution: LengthDistribution) -> None:
        available = dict.fromkeys(distribution.support(6), 40_000)
        largest = draw(distribution, 40_000, available)
        for num in (1, 2, 100, 39_999):
            assert draw(distribution, num, available) == largest[:num]

    def test_no_length_occurs_more_often_than_it_is_available(self, distribution: LengthDistribution) -> None:
        available = {length: 2**length for length in distribution.support(10)}
        total = sum(available.values())
        lengths = draw(distribution, total, available)
        assert {length: lengths.count(length) for length in available} == available

    def test_lengths_without_sequences_are_left_out(self, distribution: LengthDistribution) -> None:
        support = distribution.support(4)
        available = {length: 5 if length == support[-1] else 0 for length in support}
        assert draw(distribution, 5, available) == [4] * 5

    def test_more_sequences_than_a_machine_integer_counts(self, distribution: LengthDistribution) -> None:
        available = {length: 100**length for length in distribution.support(30)}
        assert set(draw(distribution, 50, available)) <= set(available)


def test_fixed() -> None:
    assert draw(Fixed(), 3, {7: 100}) == [7, 7, 7]


def test_short_to_long() -> None:
    assert draw(ShortToLong(), 7, {2: 3, 3: 2, 4: 9}) == [2, 2, 2, 3, 3, 4, 4]


def test_uniform() -> None:
    lengths = torch.tensor(draw(Uniform(), 100_000, dict.fromkeys(range(2, 11), 10**9)))
    assert chisquare(lengths.bincount()[2:]).pvalue > 1e-4


def test_closing_a_length_favours_none_of_the_others() -> None:
    after = torch.zeros(6, dtype=torch.int64)
    for seed in range(4000):
        lengths = draw(Uniform(), 12, {2: 1, 3: 100, 4: 100, 5: 100}, seed)
        if 2 in lengths[:-1]:
            after[lengths[lengths.index(2) + 1]] += 1
    assert chisquare(after[3:]).pvalue > 1e-4


def test_uniform_redraws_among_the_lengths_that_are_left() -> None:
    lengths = draw(Uniform(), 90_000, {2: 100, 3: 10**9, 4: 10**9, 5: 10**9})
    last_short = max(index for index, length in enumerate(lengths) if length == 2)
    assert lengths.count(2) == 100
    assert last_short < 1000
    assert chisquare(torch.tensor(lengths[last_short + 1 :]).bincount()[3:]).pvalue > 1e-4


class TooLong(LongToShort):
    def draw(self, num: int, available: Mapping[int, int], generator: torch.Generator) -> torch.Tensor:
        return torch.full((num,), max(available) + 1, dtype=torch.int16)


class TooOften(LongToShort):
    def draw(self, num: int, available: Mapping[int, int], generator: torch.Generator) -> torch.Tensor:
        return torch.full((num,), 2, dtype=torch.int16)


class Wrong(LongToShort):
    def draw(self, num: int, available: Mapping[int, int], generator: torch.Generator) -> torch.Tensor:
        return torch.full((num,), 2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("TooLong", "draw no length .* it has drawn length 5 100 times, of 0 sequences"),
        ("TooOften", "draw no length .* it has drawn length 2 100 times, of 13 sequences"),
        ("Wrong", r"return 100 lengths as an int16 tensor of shape \(100,\)"),
    ],
)
def test_what_is_held_out_is_not_drawn(name: str, text: str) -> None:
    data = ModularAddition(modulus=4, max_length=4, num_train_sequences=100, length_distribution=f"{__name__}.{name}")
    with pytest.raises(BenchError, match=f"{name}.draw must {text}"):
        data.train_dataloader()
