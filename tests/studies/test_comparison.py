"""Intervals of ratios, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_up_records import ACOT, Point, curve, paper_like, search
from scipy import stats

from ib_bench.quantities.growth.known_size import KnownSize, of_curve, of_interval
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.sharing.record import sharings
from ib_bench.studies.comparison import (
    Interval,
    SeedSpread,
    could_go_either_way,
    is_exhausted,
    min_train_size,
    ratio_of_curves,
    ratio_of_searches,
    seed_spread,
    sharing_interval,
    sharing_of_curves,
    sharing_of_searches,
    size_interval,
)

SPREAD = SeedSpread(octaves=0.5, degrees=10)


def repeats(*sizes: int | None, supervision: str = ACOT) -> list[SearchRecord]:
    return [search(Point("LSTM", supervision, seeds=(seed,)), size) for seed, size in enumerate(sizes)]


def normal(mean: float, deviation: float, limit: float = 30.0) -> KnownSize:
    """A size whose logarithm is normal, above 0."""
    edges = np.linspace(mean - 6 * deviation, mean + 6 * deviation, 400)
    weights = np.diff(stats.norm(mean, deviation).cdf(edges))
    return KnownSize(edges[:-1], edges[1:], weights, weights / weights.sum(), limit, False)


def test_intervals() -> None:
    known = min_train_size(search(Point("LSTM", ACOT), 100))
    assert known == Interval(100, 100)
    censored = min_train_size(search(Point("LSTM", ACOT), None))
    assert censored == Interval(4097, math.inf)
    assert (known / censored).at_least(2) is False and (censored / known).at_least(50) is None
    assert (Interval(1, 2) / Interval(0, 1)) == Interval(1, math.inf)
    assert Interval(2, 3).at_least(2) is True and Interval(2, 3).above(2) is None and Interval(1, 2).above(2) is False


class TestSeedSpread:
    def test_it_is_the_pooled_standard_deviation(self) -> None:
        found = seed_spread([repeats(1000, 2000, 4000), repeats(512, 1024), repeats(77)])
        assert found is not None and found.degrees == 3
        assert found.octaves == pytest.approx(math.sqrt((2 * 1.0 + 0.5) / 3), abs=0.01)

    def test_brackets_are_part_of_it(self) -> None:
        coarse = [search(Point("LSTM", ACOT, seeds=(seed,)), 64) for seed in range(5)]
        for record in coarse:
            record.evaluations[0].__dict__["bracket"] = (16, 64)
        found = seed_spread([coarse])
        assert found is not None and found.octaves == pytest.approx(math.log2(64 / 17) / math.sqrt(12))

    @pytest.mark.parametrize("cells", [[], [repeats(9)], [repeats(9, 8, 7)], [repeats(None, None, None, None)]])
    def test_too_few_repeats(self, cells: list[list[SearchRecord]]) -> None:
        assert seed_spread(cells) is None

    def test_some_seeds_that_never_succeed_have_no_upper_end(self) -> None:
        cells = [repeats(500, 500, 500, 500, 500)]
        assert seed_spread(cells) is not None
        assert seed_spread([*cells, repeats(512, 1024, None)]) is None
        assert seed_spread([*cells, repeats(None, None)]) is not None, "all alike, so they say nothing"

    def test_more_repeats_are_surer(self) -> None:
        assert SPREAD.half_width(1) == pytest.approx(0.5 * stats.t.ppf(0.95, 10))
        assert SPREAD.half_width(4) == pytest.approx(SPREAD.half_width(1) / 2)


class TestSearches:
    def test_a_ratio_has_both_spreads_in_it(self) -> None:
        found = ratio_of_searches(repeats(4000), repeats(1000), [SPREAD, SeedSpread(0.3, 5)])
        half_width = math.hypot(0.5 * stats.t.ppf(0.95, 10), 0.3 * stats.t.ppf(0.95, 5))
        assert (found.low, found.high) == pytest.approx((4 * 2**-half_width, 4 * 2**half_width))

    def test_repeats_are_averaged(self) -> None:
        found = ratio_of_searches(repeats(1000, 4000), repeats(500), [SPREAD, SPREAD])
        half_width = math.hypot(SPREAD.half_width(2), SPREAD.half_width(1))
        assert (found.low, found.high) == pytest.approx((4 * 2**-half_width, 4 * 2**half_width))

    def test_bounds_have_one_end(self) -> None:
        above = ratio_of_searches(repeats(None), repeats(100), [SPREAD, SPREAD])
        assert 40 > above.low > 10 and above.high == math.inf
        below = ratio_of_searches(repeats(100), repeats(None), [SPREAD, SPREAD])
        assert below.low == 0 and below.high == pytest.approx(1 / above.low)
        assert ratio_of_searches(repeats(None), repeats(None), [SPREAD, SPREAD]) == Interval(0, math.inf)

    def test_all_that_exist_are_no_need(self) -> None:
        few = search(Point("LSTM", ACOT), None, max_size=20)
        assert is_exhausted(few) and not is_exhausted(search(Point("LSTM", ACOT), None))
        assert not is_exhausted(search(Point("LSTM", ACOT), 5, max_size=20))
        assert ratio_of_searches([few], repeats(1), [SPREAD, SPREAD]) == Interval(0, math.inf)


class TestCurves:
    def test_a_ratio_of_independent_sizes(self) -> None:
        found = ratio_of_curves(normal(10, 0.3), normal(8, 0.4))
        half_width = stats.norm.ppf(0.95) * 0.5
        assert math.log2(found.low) == pytest.approx(2 - half_width, abs=0.02)
        assert math.log2(found.high) == pytest.approx(2 + half_width, abs=0.02)

    def test_a_size_above_the_largest_has_one_end(self) -> None:
        above, known = of_interval(12, math.inf, 12), of_interval(4.9, 5.1, 12)
        found = ratio_of_curves(above, known)
        assert math.log2(found.low) == pytest.approx(7, abs=0.1) and found.high == math.inf
        assert ratio_of_curves(known, above).low == 0
        assert ratio_of_curves(above, above) == Interval(0, math.inf)

    def test_all_that_exist_are_no_need(self) -> None:
        assert ratio_of_curves(of_interval(4, math.inf, 4, True), of_interval(1, 2, 4)) == Interval(0, math.inf)

    def test_a_real_posterior(self) -> None:
        size = of_curve(curve(Point("LSTM", ACOT), 100))
        assert size is not None
        interval, same = size_interval(size), ratio_of_curves(size, size)
        assert interval.low < 100 < interval.high
        assert interval.high / interval.low < same.high / same.low < (interval.high / interval.low) ** 2


class TestKappa:
    def test_from_brackets(self) -> None:
        sharing = next(s for s in sharings(paper_like().of(SearchRecord)) if s.joint.labels.max_length == 4)
        interval = sharing_interval(sharing)
        assert interval.low == interval.high == sharing.low == sharing.high

    def test_from_searches_the_spread_is_in_it(self) -> None:
        sharing = next(s for s in sharings(paper_like().of(SearchRecord)) if s.joint.labels.max_length == 4)
        found, exact = sharing_of_searches([sharing], SPREAD), sharing_interval(sharing)
        assert found.high / exact.high == pytest.approx(2 ** (math.sqrt(2) * SPREAD.half_width(1)))
        assert found.high / exact.high == pytest.approx(exact.low / found.low)

    def test_from_curves_it_is_the_sum_over_the_joint_one(self) -> None:
        generator = np.exp2(np.asarray(stats.norm(8, 0.5).ppf((np.arange(200) + 0.5) / 200)))
        sums = (generator[:, None] + generator[None, :]).ravel()
        expected = np.quantile(sums / 64, [0.05, 0.95])
        found = sharing_of_curves(normal(6, 0.001), [normal(8, 0.5), normal(8, 0.5)])
        assert (found.low, found.high) == pytest.approx(tuple(expected), rel=0.02)

    def test_a_length_that_is_exhausted_has_no_upper_end(self) -> None:
        joint, exhausted = of_interval(6.99, 7.01, 12), of_interval(4, math.inf, 4, True)
        found = sharing_of_curves(joint, [exhausted, of_interval(5.99, 6.01, 12)])
        assert found.low == pytest.approx((16 + 64) / 128, rel=0.02) and found.high == math.inf
        nothing = sharing_of_curves(joint, [None, of_interval(5.99, 6.01, 12)])
        assert nothing.low == pytest.approx((1 + 64) / 128, rel=0.02) and nothing.high == math.inf
        above = sharing_of_curves(of_interval(12, math.inf, 12), [of_interval(5.99, 6.01, 12)] * 2)
        assert above.low == 0 and above.high == pytest.approx(128 / 4096, rel=0.02)


@pytest.mark.parametrize(
    ("numerator", "denominator", "either_way"),
    [
        (Interval(100, 120), Interval(10, 12), True),
        (Interval(4097, math.inf), Interval(10, 12), True),  # it might have been 50, which is against
        (Interval(4097, math.inf), Interval(900, 999), False),  # 10 times that is beyond the largest size
        (Interval(4097, math.inf), Interval(4097, math.inf), False),
        (Interval(100, 120), Interval(4097, math.inf), True),  # it might have been 5, which is for
        (Interval(5, 6), Interval(4097, math.inf), False),  # no size is as small as a tenth of that
        (Interval(5, 6), Interval(100, 120), True),  # 5,000 times more might have been needed
    ],
)
def test_what_could_have_come_out_either_way(numerator: Interval, denominator: Interval, either_way: bool) -> None:
    """N_max is 4,096 on both sides, the bound 10."""
    assert could_go_either_way(numerator, denominator, (4096, 4096), 10) == either_way


def test_bounds_on_either_side_are_treated_alike() -> None:
    """If a size and 16 times the other are exchangeable, as many pairs speak for a statement as against it.

    All pairs of 16 octaves are tried, of which those above the 11th are only known to lie above it.
    """
    bound, octaves, limit = 16, range(16), 10

    def size(octave: int, unit: int) -> Interval:
        known = unit * 2**octave
        return Interval(known, known) if octave <= limit else Interval(unit * 2**limit + 1, math.inf)

    counts = {True: 0, False: 0}
    num_bounds = {True: 0, False: 0}
    for first in octaves:
        for second in octaves:
            numerator, denominator = size(first, bound), size(second, 1)
            answer = (numerator / denominator).at_least(bound)
            limits = (bound * 2**limit, 2**limit)
            is_decided = answer is not None and could_go_either_way(numerator, denominator, limits, bound)
            if first != second and is_decided and answer is not None:
                counts[answer] += 1
                num_bounds[answer] += max(first, second) > limit
    assert counts[True] == counts[False] == 110
    assert num_bounds[True] == num_bounds[False] == 55
