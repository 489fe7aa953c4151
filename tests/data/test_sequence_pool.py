"""Every sequence of small spaces accounted for; the rules of validation everywhere."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest
import torch
from scipy.stats import chisquare

from ib_bench import catalogue
from ib_bench.data.length_distributions import Fixed, ShortToLong, Uniform
from ib_bench.data.length_distributions.length_distribution import LengthDistribution
from ib_bench.data.sequence_pool import SequencePool, Sequences, stream_generator
from ib_bench.errors import InvalidOptionError, NothingToTestOnError, PoolExhaustedError

DISTRIBUTIONS = [entry.load()() for entry in catalogue.entries(catalogue.LENGTH_DISTRIBUTIONS)]


def as_tuples(sequences: Sequences) -> list[tuple[int, ...]]:
    pairs = zip(sequences.symbols.tolist(), sequences.lengths.tolist(), strict=True)
    return [tuple(row[:length]) for row, length in pairs]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda distribution: type(distribution).__name__)
class TestEveryDistribution:
    @pytest.mark.parametrize(("num_symbols", "max_length"), [(2, 5), (2, 2), (3, 4), (5, 3)])
    def test_enumeration(self, distribution: LengthDistribution, num_symbols: int, max_length: int) -> None:
        pool = SequencePool(num_symbols, distribution, max_length, seed=3)
        everything = [
            sequence
            for length in distribution.support(max_length)
            for sequence in product(range(num_symbols), repeat=length)
        ]
        validation = as_tuples(pool.validation_set()) if pool.num_val else []
        training = as_tuples(pool.training_set(pool.num_train))
        assert sorted(validation + training) == sorted(everything)
        assert len(validation) <= len(everything) / 5
        for length, count in Counter(map(len, validation)).items():
            assert count <= num_symbols**length / 5

    @pytest.mark.parametrize(("num_symbols", "max_length", "seed"), [(2, 8, 0), (5, 6, 1), (100, 30, 2)])
    def test_prefixes_and_disjointness(
        self, distribution: LengthDistribution, num_symbols: int, max_length: int, seed: int
    ) -> None:
        pool = SequencePool(num_symbols, distribution, max_length, seed)
        largest = as_tuples(pool.training_set(min(pool.num_train, 5000)))
        validation = as_tuples(pool.validation_set())
        for size in (1, 2, 60, len(largest) - 1):
            assert as_tuples(pool.training_set(size)) == largest[:size]
        assert len(set(largest)) == len(largest)
        assert len(set(validation)) == len(validation) == pool.num_val
        assert not set(largest) & set(validation)

    @pytest.mark.parametrize(("num_symbols", "max_length"), [(2, 5), (3, 4), (5, 3)])
    def test_the_test_set_of_every_training_set(
        self, distribution: LengthDistribution, num_symbols: int, max_length: int
    ) -> None:
        pool = SequencePool(num_symbols, distribution, max_length, seed=3)
        support = distribution.support(max_length)
        everything = {one for length in support for one in product(range(num_symbols), repeat=length)}
        validation = as_tuples(pool.validation_set())
        order = as_tuples(pool.training_set(pool.num_train))
        for size in range(1, pool.num_train):
            test = as_tuples(pool.test_set(size))
            assert len(test) == pool.num_test(size) == min(2000, pool.num_train - size)
            assert sorted(test) == sorted(everything.difference(validation, order[:size]))
            assert as_tuples(pool.training_set(size)) == order[:size]
        assert as_tuples(pool.validation_set()) == validation
        assert pool.num_test(pool.num_train) == 0
        with pytest.raises(NothingToTestOnError, match=f"below {pool.num_train} to leave .* got {pool.num_train}"):
            pool.test_set(pool.num_train)

    @pytest.mark.parametrize(("num_symbols", "max_length", "seed"), [(10, 5, 1), (100, 30, 2), (5040, 12, 3)])
    def test_the_test_set_of_large_pools(
        self, distribution: LengthDistribution, num_symbols: int, max_length: int, seed: int
    ) -> None:
        pool = SequencePool(num_symbols, distribution, max_length, seed)
        test = as_tuples(pool.test_set(5000))
        assert len(set(test)) == len(test) == pool.num_test(5000) == 2000
        assert not set(test) & set(as_tuples(pool.training_set(5000)))
        assert not set(test) & set(as_tuples(pool.validation_set()))
        again = SequencePool(num_symbols, distribution, max_length, seed)
        assert as_tuples(again.test_set(5000)) == test

    def test_asking_for_too_many_says_how_many_there_are(self, distribution: LengthDistribution) -> None:
        pool = SequencePool(5, distribution, 6, seed=0)
        with pytest.raises(PoolExhaustedError, match=f"at most {pool.num_train:,}"):
            pool.training_set(pool.num_train + 1)
        with pytest.raises(PoolExhaustedError, match=f"at most {pool.num_train:,}"):
            pool.test_set(pool.num_train + 1)

    def test_the_seed_decides(self, distribution: LengthDistribution) -> None:
        seeds = [0, 1, 2, 10, 20, 30, 40, 50, 2**31, 2**32 - 1]
        pools = [SequencePool(10, distribution, 8, seed) for seed in seeds]
        for draw in (lambda pool: pool.training_set(500), SequencePool.validation_set, lambda pool: pool.test_set(500)):
            assert len({tuple(as_tuples(draw(pool))) for pool in pools}) == len(seeds)
            assert as_tuples(draw(SequencePool(10, distribution, 8, seeds[3]))) == as_tuples(draw(pools[3]))


def test_validation_holds_two_thousand_uniform_over_the_lengths() -> None:
    lengths = SequencePool(100, Uniform(), 30, seed=0).validation_set().lengths
    assert len(lengths) == 2000
    assert set(lengths.tolist()) == set(range(2, 31))


def test_the_test_set_is_uniform_over_the_lengths_that_are_left() -> None:
    pool = SequencePool(100, Uniform(), 30, seed=0)
    assert chisquare(pool.test_set(10).lengths.bincount()[2:]).pvalue > 1e-4
    short = SequencePool(100, ShortToLong(), 30, seed=0)
    lengths = short.test_set(20_000).lengths  # all 10,000 of length 2 are used
    assert set(lengths.tolist()) == set(range(3, 31))
    assert chisquare(lengths.bincount()[3:]).pvalue > 1e-4


def test_the_test_set_does_not_depend_on_how_much_is_trained_on_where_enough_is_left() -> None:
    pool = SequencePool(100, Fixed(), 30, seed=0)
    assert torch.equal(pool.test_set(1).symbols, pool.test_set(3000).symbols)


def test_uniform_and_short_to_long_validate_on_the_same_sequences() -> None:
    uniform, short = (SequencePool(5, distribution, 8, seed=4) for distribution in (Uniform(), ShortToLong()))
    assert torch.equal(uniform.validation_set().symbols, short.validation_set().symbols)


def test_fixed_validates_at_the_maximal_length() -> None:
    assert SequencePool(5, Fixed(), 8, seed=4).validation_set().lengths.unique().tolist() == [8]


def test_exact_sizes_beyond_machine_integers() -> None:
    assert SequencePool(100, Fixed(), 30, seed=0).num_train == 100**30 - 2000


def test_generators_of_different_seeds_and_streams_are_independent() -> None:
    pairs = [(seed, stream) for seed in (0, 1, 10, 20, 2**31, 2**32 - 1) for stream in (0, 1, 2**29, 2**30, 2**31 - 1)]
    draws = {tuple(torch.rand(3, generator=stream_generator(*pair)).tolist()) for pair in pairs}
    assert len(draws) == len(pairs)


def test_a_test_set_confirms_if_it_is_as_large_as_the_validation_set_or_has_100_sequences() -> None:
    small = SequencePool(num_symbols=3, length_distribution=Uniform(), max_length=4, seed=3)
    assert (small.num_val, small.num_train) == (22, 95)
    assert [small.num_confirming(size) for size in (64, 73, 74, 95)] == [31, 22, 0, 0]
    large = SequencePool(num_symbols=5, length_distribution=Fixed(), max_length=6, seed=3)
    assert large.num_val == 2000
    assert [large.num_confirming(large.num_train - left) for left in (5000, 100, 99)] == [2000, 100, 0]
    with pytest.raises(PoolExhaustedError):
        small.num_confirming(96)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda distribution: type(distribution).__name__)
class TestOtherPools:
    @pytest.mark.parametrize(("num_symbols", "max_length", "min_length"), [(2, 2, 2), (2, 5, 2), (3, 4, 3), (5, 3, 3)])
    def test_a_saturated_pool_trains_and_validates_on_everything(
        self, distribution: LengthDistribution, num_symbols: int, max_length: int, min_length: int
    ) -> None:
        pool = SequencePool(num_symbols, distribution, max_length, 3, min_length, saturated=True)
        lengths = [length for length in distribution.support(max_length) if length >= min_length]
        everything = [one for length in lengths for one in product(range(num_symbols), repeat=length)]
        assert pool.num_train == pool.num_val == len(everything)
        assert sorted(as_tuples(pool.training_set(pool.num_train))) == sorted(everything)
        assert sorted(as_tuples(pool.validation_set())) == sorted(everything)
        assert pool.num_test(pool.num_train) == 0

    def test_a_saturated_pool_that_is_too_large_is_refused(self, distribution: LengthDistribution) -> None:
        with pytest.raises(InvalidOptionError, match="saturated must be false where more than 134,217,728 sequences"):
            SequencePool(10, distribution, 9, seed=3, saturated=True)

    def test_shorter_lengths_are_left_out(self, distribution: LengthDistribution) -> None:
        pool = SequencePool(3, distribution, 5, seed=3, min_length=4)
        found = as_tuples(pool.training_set(pool.num_train)) + as_tuples(pool.validation_set())
        lengths = set(distribution.support(5)) & {4, 5}
        assert Counter(map(len, found)) == {length: 3**length for length in lengths}
        assert len(set(found)) == len(found)


def test_sequences_of_one_length_are_never_those_of_training() -> None:
    """Validation has some of length 4; of 500 lengths it has none of some, and then others are taken."""
    few = SequencePool(3, Uniform(), 4, seed=1)
    assert set(as_tuples(few.unused_of_length(4, 10, few.num_train))) <= set(as_tuples(few.validation_set()))
    many = SequencePool(2, Uniform(), 500, seed=1)
    missing = min(set(range(10, 500)) - set(many.validation_set().lengths.tolist()))
    found = as_tuples(many.unused_of_length(missing, 10, 500))
    assert len(set(found)) == 10 and {len(one) for one in found} == {missing}
    assert not set(found) & set(as_tuples(many.training_set(500)))
