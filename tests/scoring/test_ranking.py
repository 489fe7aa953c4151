"""The rules of ranks and of the composite, against sampling and by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from made_up_records import OUTCOME, Point, curve

from ib_bench.quantities.known_size import KnownSize, of_curve, of_interval
from ib_bench.scoring.composite import probability_less, restricted_mean
from ib_bench.scoring.ranking import Estimate, ranks


def exactly(size: float, limit: float = 12) -> KnownSize:
    place = math.log2(size)
    return of_interval(place - 1e-9, place + 1e-9, limit)


def above(limit: float = 12) -> KnownSize:
    return of_interval(limit, math.inf, limit)


def texts(*intervals: tuple[float, float], lower_is_better: bool = True) -> list[str]:
    return [str(rank) for rank in ranks([Estimate(low, None, high) for low, high in intervals], lower_is_better)]


class TestRanks:
    def test_intervals_that_overlap_are_not_ranked_apart(self) -> None:
        assert texts((1, 2), (3, 4), (5, 6)) == ["1", "2", "3"]
        assert texts((1, 3), (2, 5), (4, 6)) == ["1-2", "1-3", "2-3"]
        assert texts((1, 9), (2, 3), (4, 5)) == ["1-3", "1-2", "2-3"]

    def test_large_numbers_can_be_good(self) -> None:
        assert texts((1, 2), (3, 4), lower_is_better=False) == ["2", "1"]

    def test_equal_numbers_share_a_rank(self) -> None:
        assert texts((4, 4), (4, 4), (7, 7)) == ["1-2", "1-2", "3"]

    def test_one_model_is_first_and_none_is_nothing(self) -> None:
        assert texts((1, 2)) == ["1"]
        assert texts() == []

    def test_what_is_not_known_may_be_anywhere(self) -> None:
        assert texts((1, 2), (3, 4), (0, math.inf)) == ["1-2", "2-3", "1-3"]


class TestOrder:
    @pytest.mark.parametrize(
        ("estimate", "lower_is_better", "is_ratio", "expected"),
        [
            (Estimate(2325, None, math.inf), True, True, math.inf),
            (Estimate(2325, 3000, math.inf), True, True, 3000),
            (Estimate(1.2, None, math.inf), False, True, 1.2),
            (Estimate(0, None, 3), False, True, 0),
            (Estimate(0, None, 3), False, False, 1.5),
            (Estimate(2, None, 4), True, True, 3),
            (Estimate(-math.inf, None, math.inf), True, False, math.inf),
            (Estimate(-math.inf, None, math.inf), False, False, -math.inf),
        ],
    )
    def test_an_interval_that_is_open_to_one_side_counts_with_its_worse_end(
        self, estimate: Estimate, lower_is_better: bool, is_ratio: bool, expected: float
    ) -> None:
        assert estimate.order(lower_is_better, is_ratio) == expected


class TestRestrictedMean:
    def test_it_is_the_geometric_mean(self) -> None:
        found = restricted_mean([exactly(4), exactly(64)], [12, 12])
        assert [found.low, found.median, found.high] == pytest.approx([16] * 3)

    def test_what_is_above_the_largest_size_counts_as_the_largest_size(self) -> None:
        assert restricted_mean([exactly(16), above()], [12, 12]).median == pytest.approx(256)
        assert restricted_mean([above(), above()], [12, 12]).high == pytest.approx(4096)

    def test_a_pool_that_is_exhausted_restricts_at_its_size(self) -> None:
        exhausted = of_interval(8, math.inf, limit=8, is_exhausted=True)
        assert restricted_mean([exhausted], [12]).median == pytest.approx(256)

    def test_a_largest_size_that_a_record_alone_says_restricts_nothing(self) -> None:
        found = restricted_mean([of_interval(1, math.inf, limit=1)], [12])
        assert (found.low, found.median, found.high) == (pytest.approx(2), None, pytest.approx(4096))
        beyond = of_interval(16, math.inf, limit=16, is_exhausted=True)
        assert restricted_mean([beyond], [12]).high == pytest.approx(4096)

    def test_a_cell_of_which_nothing_can_be_held_out_may_need_all_sequences(self) -> None:
        fitted = replace(of_interval(0, math.inf, limit=0, is_exhausted=True), most=6)
        found = restricted_mean([fitted], [12])
        assert (found.low, found.median, found.high) == (1, None, 64)
        assert restricted_mean([replace(fitted, most=20)], [12]).high == 4096

    def test_a_missing_cell_may_have_any_size(self) -> None:
        found = restricted_mean([exactly(16), None], [12, 12])
        assert (found.low, found.median, found.high) == (pytest.approx(4), None, pytest.approx(256))

    def test_its_interval_is_that_of_samples(self) -> None:
        sizes = [of_curve(curve(Point("LSTM", OUTCOME, max_length=length), n50)) for length, n50 in ((4, 50), (6, 900))]
        known = [size for size in sizes if size is not None]
        generator = np.random.default_rng(1)  # noqa: TID251 (a generator of its own)
        draws = []
        for size in known:
            index = generator.choice(len(size.weights), 200_000, p=size.weights)
            lows, highs = np.maximum(size.lows, 0)[index], np.minimum(size.highs, size.limit)[index]
            draws.append(lows + generator.random(200_000) * (highs - lows))
        expected = np.exp2(np.quantile(np.mean(draws, axis=0), [0.05, 0.5, 0.95]))
        found = restricted_mean(known, [12, 12])
        assert [found.low, found.median, found.high] == pytest.approx(expected.tolist(), rel=0.02)

    def test_more_cells_are_surer(self) -> None:
        one = of_curve(curve(Point("LSTM", OUTCOME), 100))
        widths = [math.log2(found.high / found.low) for found in (restricted_mean([one] * n, [12] * n) for n in (1, 9))]
        assert widths[1] == pytest.approx(widths[0] / 3, rel=0.1)


class TestProbability:
    def test_it_is_that_of_all_pairs_of_draws(self) -> None:
        one, other = Estimate(0, 0, 0, (1, 2, 3), (1, 2, 3)), Estimate(0, 0, 0, (2, 4), (2, 4))
        pairs = [(a < b) + (a == b) / 2 for a in one.lows for b in other.lows]
        assert probability_less(one, other) == pytest.approx(sum(pairs) / len(pairs))
        assert probability_less(other, one) == pytest.approx(1 - sum(pairs) / len(pairs))

    def test_equal_numbers_are_a_coin_flip(self) -> None:
        one = restricted_mean([above()], [12])
        assert probability_less(one, one) == 0.5

    def test_it_is_unknown_where_cells_are_missing(self) -> None:
        partial, whole = (restricted_mean([exactly(16), other], [12, 12]) for other in (None, exactly(4)))
        assert probability_less(partial, whole) is None
        assert probability_less(Estimate.exactly(1), whole) is None
