"""From counts to verdicts."""

from __future__ import annotations

import json
import math

import pytest
from scipy.stats import binomtest

from ib_bench.studies.comparison import Interval
from ib_bench.studies.verdict import Count, Pair, Statement


def pairs(stratum: str, true: int, false: int, num_open: int = 0) -> list[Pair]:
    answers = [True] * true + [False] * false + [None] * num_open
    return [
        Pair("a / b", stratum, "N50", Interval(1, math.inf), answer, "open" if answer is None else "", ("k",))
        for answer in answers
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
    assert Count(true, false, 90).verdict == verdict
    assert Statement("", pairs("all", true, false, 90)).verdict == verdict


@pytest.mark.parametrize(("true", "false"), [(3, 0), (5, 1), (13, 3), (2, 9), (40, 25)])
def test_the_chance_is_that_of_a_sign_test(true: int, false: int) -> None:
    expected = binomtest(max(true, false), true + false, 0.5, alternative="greater").pvalue
    assert Count(true, false, 7).chance == pytest.approx(expected)


def test_no_decided_pair_is_no_surprise() -> None:
    assert Count(0, 0, 4).chance == 1


def test_opposite_strata_are_never_pooled() -> None:
    """Claim 3.1 on the reference results, as version 1 counted it: fixed lengths 13 to 3, several lengths 1 to 5."""
    statement = Statement("", [*pairs("fixed lengths", 13, 3), *pairs("several lengths", 1, 5)])
    assert statement.verdict == "mixed"
    assert {name: (c.true, c.false) for name, c in statement.strata.items()} == {
        "fixed lengths": (13, 3),
        "several lengths": (1, 5),
    }
    many = Statement("", [*pairs("fixed lengths", 40, 0), *pairs("several lengths", 0, 5)])
    assert many.count.verdict == "supported" and many.verdict == "mixed"
    few = Statement("", [*pairs("fixed lengths", 40, 0), *pairs("several lengths", 0, 4)])
    assert few.verdict == "supported", "four pairs are too few to lean"


def test_a_pair_is_open_for_a_reason() -> None:
    with pytest.raises(ValueError, match="open for a reason"):
        Pair("a / b", "all", "N50", None, None, "", ())
    with pytest.raises(ValueError, match="open for a reason"):
        Pair("a / b", "all", "N50", None, True, "spread unknown", ())


def test_json_holds_counts_strata_and_pairs() -> None:
    plain = Statement("text", [*pairs("one", 5, 0), *pairs("other", 0, 0, 2)]).to_json()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["count"] == {"true": 5, "false": 0, "open": 2, "chance": 1 / 32, "verdict": "supported"}
    assert plain["strata"]["other"]["open"] == 2
    assert plain["pairs"][0] == {
        **{"title": "a / b", "stratum": "one", "measure": "N50", "low": 1, "high": None, "holds": True},
        **{"why_open": "", "records": ["k"]},
    }
