"""From counts to verdicts."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import count

import numpy as np
import pytest
from scipy.stats import binomtest, norm, t, ttest_1samp

from ib_bench.studies.comparison import UNDECIDED, Interval, Threshold
from ib_bench.studies.verdict import Count, Pair, Statement, groups, pooled

numbers = count()


def pair(
    stratum: str = "all",
    holds: bool | None = None,
    interval: Interval | None = None,
    why_open: str = "open",
    *records: str,
) -> Pair:
    """A pair that shares no record with others, unless its records are given."""
    own = records or (f"record {next(numbers)}",)
    return Pair("a / b", stratum, "N50", interval, holds, why_open if holds is None else "", own)


def pairs(stratum: str, true: int, false: int, num_open: int = 0) -> list[Pair]:
    return [
        pair(stratum, holds, Interval(1, math.inf)) for holds in [True] * true + [False] * false + [None] * num_open
    ]


@pytest.mark.parametrize(
    ("true", "false", "verdict"),
    [
        (0, 0, "not enough data"),
        (3, 0, "not enough data"),  # three coin flips: 0.125
        (4, 0, "not enough data"),
        (5, 0, "supported"),  # 0.031
        (5, 1, "not enough data"),  # 0.109
        (8, 1, "supported"),
        (13, 3, "supported"),
        (3, 2, "mixed"),
        (14, 8, "mixed"),
        (0, 5, "contradicted"),
        (1, 5, "not enough data"),
        (3, 13, "contradicted"),
    ],
)
def test_verdicts(true: int, false: int, verdict: str) -> None:
    assert Count(true, false, 90, true, false).verdict == verdict
    assert Statement("", pairs("all", true, false, 90)).verdict == verdict


@pytest.mark.parametrize(("true", "false"), [(3, 0), (5, 1), (13, 3), (2, 9), (40, 25)])
def test_the_chance_is_that_of_a_sign_test(true: int, false: int) -> None:
    expected = binomtest(max(true, false), true + false, 0.5, alternative="greater").pvalue
    assert Count(true, false, 7, true, false).chance == pytest.approx(expected)


def test_no_decided_pair_is_no_surprise() -> None:
    assert Count(0, 0, 4, 0, 0).chance == 1


def test_opposite_strata_are_never_pooled() -> None:
    """Claim 3.1 on the reference results, as version 1 counted it: fixed lengths 13 to 3, several lengths 1 to 5."""
    statement = Statement("", [*pairs("fixed lengths", 13, 3), *pairs("several lengths", 1, 5)])
    assert statement.verdict == "mixed"
    assert {name: (own.count.true, own.count.false) for name, own in statement.strata.items()} == {
        "fixed lengths": (13, 3),
        "several lengths": (1, 5),
    }
    many = Statement("", [*pairs("fixed lengths", 40, 0), *pairs("several lengths", 0, 5)])
    assert many.count.verdict == "supported" and many.verdict == "mixed"
    few = Statement("", [*pairs("fixed lengths", 40, 0), *pairs("several lengths", 0, 4)])
    assert few.verdict == "supported", "four pairs are too few to lean"


def known(ratios: Sequence[float], stratum: str = "all", width: float = 1.2) -> list[Pair]:
    """Open pairs; with a width of 2, all intervals hold 1, as single cells cannot tell such ratios apart."""
    return [pair(stratum, None, Interval(ratio / width, ratio * width), UNDECIDED) for ratio in ratios]


MORE, LESS = Threshold(1.0, strict=True), Threshold(1.0, strict=True, negated=True)
ABOVE = [1.2, 1.5, 1.3, 1.25, 1.6, 1.1]


class TestPooled:
    def test_it_is_the_mean_of_logarithms_with_students_interval(self) -> None:
        own = pooled(known(ABOVE, width=1.1))
        assert own is not None and own.num_pairs == len(ABOVE)
        logs = np.log(ABOVE)
        expected = ttest_1samp(logs, 0).confidence_interval(0.9)
        assert own.mean == pytest.approx(math.exp(logs.mean()))
        assert (own.interval.low, own.interval.high) == pytest.approx(tuple(np.exp(expected)))

    def test_the_intervals_of_pairs_count_where_their_scatter_is_smaller(self) -> None:
        own = pooled(known([1.3] * 9, width=2))
        assert own is not None and own.mean == pytest.approx(1.3)
        reach = t.ppf(0.95, 8) / norm.ppf(0.95) / 3  # octaves, as an interval of a factor 2 on either side has 1
        assert (own.interval.low, own.interval.high) == pytest.approx((1.3 / 2**reach, 1.3 * 2**reach))

    @pytest.mark.parametrize(
        ("threshold", "ratios", "verdict"),
        [
            (MORE, ABOVE, "supported"),
            (LESS, ABOVE, "contradicted"),
            (MORE, [1 / ratio for ratio in ABOVE], "contradicted"),
            (MORE, [*ABOVE, 0.3, 0.4], "not enough data"),
            (MORE, ABOVE[:4], "not enough data"),
        ],
    )
    def test_it_decides_what_no_single_pair_can(self, threshold: Threshold, ratios: list[float], verdict: str) -> None:
        assert Statement("", known(ratios), [threshold]).verdict == verdict

    def test_single_pairs_come_first(self) -> None:
        found = Statement("", [*pairs("all", 0, 6), *known(ABOVE)], [MORE])
        assert found.pooled is None and found.verdict == "contradicted"

    def test_ratios_with_one_end_are_not_left_out(self) -> None:
        one_sided = [pair("all", None, interval, UNDECIDED) for interval in (Interval(0.5, math.inf), Interval(0, 2))]
        assert pooled([*known(ABOVE), one_sided[0]]) is not None
        assert pooled([*known(ABOVE), *one_sided]) is None

    def test_what_is_open_for_other_reasons_does_not_count(self) -> None:
        exhausted = [pair("all", None, Interval(50, 60), "all sequences that exist")]
        assert pooled([*known(ABOVE), *exhausted]) == pooled(known(ABOVE))

    def test_opposite_strata_are_mixed(self) -> None:
        below = known([0.8 / ratio for ratio in ABOVE], "several lengths")
        assert Statement("", [*known(ABOVE, "fixed lengths"), *below], [MORE]).verdict == "mixed"


def kappas(holds: Sequence[bool | None], task: str) -> list[Pair]:
    """Of one task at several L: each has the curves of the shorter ones, and one of its own."""
    shared = [f"{task}, n={n}" for n in range(2, 5 + len(holds))]
    return [
        pair("LSTM", one, Interval(2.2, 4), UNDECIDED, f"{task}, joint {index}", *shared[: index + 3])
        for index, one in enumerate(holds)
    ]


class TestGroups:
    def test_pairs_that_share_records_have_one_vote_together(self) -> None:
        """Six kappas of two tasks are no six coin flips."""
        statement = Statement("", [*kappas([True, True, True], "m=6"), *kappas([True, True, True], "m=10")])
        assert statement.count == Count(6, 0, 0, 2, 0)
        assert statement.count.chance == 0.25 and statement.verdict == "not enough data"

    def test_the_majority_of_a_group_votes_and_a_tie_does_not(self) -> None:
        tasks = [[True, True, False], [False, None, None], [True, False, None], [None, None, None]]
        found = [own for number, holds in enumerate(tasks) for own in kappas(holds, f"m={number}")]
        assert Statement("", found).count == Count(3, 3, 6, 1, 1)

    def test_records_link_pairs_through_others(self) -> None:
        first, second, between = (pair("all", True, None, "", *keys) for keys in (("a",), ("b",), ("a", "b")))
        assert [len(own) for own in groups([first, second])] == [1, 1]
        (own,) = groups([first, second, between])
        assert len(own) == 3

    def test_a_pooled_ratio_is_one_of_groups(self) -> None:
        ratios = {f"m={number}": ratio for number, ratio in enumerate(ABOVE)}
        twice = [
            pair("all", None, Interval(ratio * shift / 1.1, ratio * shift * 1.1), UNDECIDED, task)
            for task, ratio in ratios.items()
            for shift in (0.9, 1 / 0.9)
        ]
        once, own = pooled(known(ABOVE, width=1.1)), pooled(twice)
        assert once is not None and own is not None and (own.num_pairs, own.num_groups) == (12, 6)
        assert (own.mean, *vars(own.interval).values()) == pytest.approx((once.mean, *vars(once.interval).values()))
        assert pooled(twice[:8]) is None, "eight pairs in four groups"


def test_what_links_pairs_links_their_ratios_too() -> None:
    """Also if the ratio that does has no part in the mean."""
    own = known(ABOVE, width=1.1)
    link = pair("all", None, None, "all sequences that exist", *(key for one in own for key in one.records))
    assert pooled(own) is not None and pooled([*own, link]) is None


def test_a_pair_is_open_for_a_reason() -> None:
    with pytest.raises(ValueError, match="open for a reason"):
        Pair("a / b", "all", "N50", None, None, "", ())
    with pytest.raises(ValueError, match="open for a reason"):
        Pair("a / b", "all", "N50", None, True, "spread unknown", ())


def test_json_holds_counts_strata_and_pairs() -> None:
    own = Statement("text", [*pairs("one", 5, 0), *pairs("other", 0, 0, 2)])
    plain = own.to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    counted = {"true": 5, "false": 0, "open": 2, "votes_true": 5, "votes_false": 0}
    assert plain["count"] == {**counted, "chance": 1 / 32, "verdict": "supported"}
    assert plain["strata"]["other"] == {"count": {**plain["strata"]["other"]["count"], "open": 2}, "pooled": None}
    assert plain["pairs"][0] == {
        **{"title": "a / b", "stratum": "one", "measure": "N50", "low": 1, "high": None, "holds": True},
        **{"why_open": "", "records": list(own.pairs[0].records)},
    }
