from __future__ import annotations

import math
from dataclasses import replace

import pytest
from made_up_records import ACOT, Point, saturation
from made_up_records import search as made_up_search

from ib_bench.errors import InvalidOptionError
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.record import Evaluation, SearchConfig, SearchRecord, SearchSettings, SearchStatus
from ib_bench.quantities.search.search import Search
from ib_bench.quantities.sharing.factor import SharingFactor, rounded_down, rounded_up
from ib_bench.quantities.sharing.record import (
    Need,
    Sharing,
    SharingSettings,
    part_configs,
    sharing_factor,
    sharing_of,
    sharings,
)
from ib_bench.results.records import Experiment
from ib_bench.results.store import Store


def search(min_train_size: int | None, max_size: int = 1000, status: SearchStatus = "finished") -> SearchRecord:
    return replace(made_up_search(Point("LSTM", ACOT), min_train_size, max_size), status=status)


def bracketed(failing: int, succeeding: int) -> Need:
    record = search(succeeding)
    trials = record.evaluations[0].trials
    return Need(replace(record, evaluations=[Evaluation(succeeding, True, 0.0, (failing, succeeding), trials)]))


def capped() -> Need:
    """The largest size that the settings allow has failed."""
    record = search(None, max_size=100)
    config = replace(record.config, settings=replace(record.config.settings, max_size=100))
    return Need(replace(record, config=config))


EXACT_10, EXACT_20, EXACT_30 = (bracketed(size - 1, size) for size in (10, 20, 30))
EXHAUSTED = Need(search(None, max_size=20))
SATURATED = Need(EXHAUSTED.search, saturation(EXHAUSTED.search, 25, succeeded=True))
LACKING = Need(EXHAUSTED.search, saturation(EXHAUSTED.search, 25, succeeded=False))
NONE_HELD_OUT = Need(search(None, max_size=0))


@pytest.mark.parametrize(
    ("need", "low", "high", "text", "is_exhausted"),
    [
        (EXACT_10, 10, 10, "10", False),
        (bracketed(4, 10), 5, 10, "10", False),
        (bracketed(0, 2), 1, 2, "2", False),
        (capped(), 101, math.inf, "> 100", False),
        (EXHAUSTED, 21, math.inf, "> all 20 that exist", True),
        (SATURATED, 21, 25, "21 to 25 (saturated)", True),
        (LACKING, 21, math.inf, "> all 20 that exist (budget missing)", True),
        (NONE_HELD_OUT, 1, math.inf, "none held out", True),
        (Need(NONE_HELD_OUT.search, saturation(NONE_HELD_OUT.search, 4, True)), 1, 4, "1 to 4 (saturated)", True),
    ],
)
def test_what_is_known_of_one_search(need: Need, low: int, high: float, text: str, is_exhausted: bool) -> None:
    assert (need.low, need.high, str(need), need.is_exhausted) == (low, high, text, is_exhausted)


def test_a_saturated_evaluation_bounds_no_search_that_has_found_its_size() -> None:
    found = Need(EXACT_10.search, saturation(EXACT_10.search, 25, succeeded=True))
    assert (found.low, found.high, found.is_saturated) == (10, 10, False)


@pytest.mark.parametrize(
    ("joint", "parts", "expected", "text"),
    [
        (EXACT_20, [EXACT_10, EXACT_30], (2.0, 2.0), "2.00"),
        (bracketed(10, 20), [bracketed(5, 10), EXACT_30], (36 / 20, 40 / 11), "1.80 to 3.64"),
        (bracketed(0, 1), [bracketed(0, 1)], (1.0, 1.0), "1.00"),
        (EXACT_20, [EXHAUSTED, EXACT_30], (51 / 20, math.inf), "\N{GREATER-THAN OR EQUAL TO} 2.55"),
        (EXACT_20, [SATURATED, EXACT_30], (51 / 20, 55 / 20), "2.55 to 2.75"),
        (EXACT_20, [LACKING, EXACT_30], (51 / 20, math.inf), "\N{GREATER-THAN OR EQUAL TO} 2.55"),
        (capped(), [EXACT_10, EXACT_30], (0.0, 40 / 101), "\N{LESS-THAN OR EQUAL TO} 0.40"),
        (SATURATED, [EXACT_10, EXACT_10], (20 / 25, 20 / 21), "0.80 to 0.96"),
        (EXHAUSTED, [NONE_HELD_OUT], (0.0, math.inf), "unknown"),
    ],
)
def test_kappa(joint: Need, parts: list[Need], expected: tuple[float, float], text: str) -> None:
    factor = sharing_factor(joint, parts)
    assert (factor.low, factor.high) == pytest.approx(expected)
    assert str(factor) == text


def test_ends_are_rounded_outwards() -> None:
    assert (rounded_down(0.0456), rounded_up(0.0412), rounded_down(0.0007)) == ("0.045", "0.042", "0.00070")
    assert (rounded_down(1.999), rounded_up(1234.001), rounded_down(0.3), rounded_up(0.3)) == (
        *("1.99", "1,234.01"),
        *("0.30", "0.30"),
    )
    assert str(SharingFactor(0.999, 1.001)) == "0.99 to 1.01"
    assert [str(SharingFactor(one, one)) for one in (0.0049, 0.125, 3.456)] == ["0.0049", "0.12", "3.46"]


def test_a_chart_gets_the_middle_and_an_arrow_only_where_an_end_is_unknown() -> None:
    factors = [SharingFactor(1, 4), SharingFactor(1, math.inf), SharingFactor(0, 4), SharingFactor(0, math.inf)]
    assert [(one.middle, one.arrow) for one in factors] == [(2, None), (1, "up"), (4, "down"), (None, None)]


def test_unfinished_searches_are_refused() -> None:
    with pytest.raises(ValueError, match="finished"):
        Need(search(10, status="running"))


def finished(config: SearchConfig, min_train_size: int | None, status: SearchStatus = "finished") -> SearchRecord:
    return replace(search(min_train_size, status=status), key=config.key, config=config)


def test_kappas_are_found_among_searches(experiment: Experiment) -> None:
    joint = SearchConfig(experiment, SearchSettings())
    parts = part_configs(joint)
    assert list(parts) == [2, 3, 4]
    lengths = [part.experiment.data.presentation.max_length for part in parts.values()]
    assert lengths == [2, 3, 4]
    records = [finished(joint, 20), *(finished(part, 10) for part in parts.values())]
    (sharing,) = sharings(records)
    assert sharing.joint == records[0]
    assert (sharing.low, sharing.high, sharing.point) == (1.5, 1.5, 1.5)
    assert sharing.sum_text == "30"
    other = SearchConfig(experiment, SearchSettings(threshold=0.5))
    assert sharings([*records[:3], finished(other, 1)]) == []
    assert sharings([*records[:3], finished(parts[4], 10, status="running")]) == []


def test_kappa_over_the_lengths_that_are_not_exhausted(experiment: Experiment) -> None:
    joint = SearchConfig(experiment, SearchSettings())
    configs = part_configs(joint).values()
    parts = [finished(config, size) for config, size in zip(configs, (None, 10, 30), strict=True)]
    saturated = saturation(parts[0], 1200, succeeded=True)
    sharing = sharing_of([finished(joint, 20), *parts, saturated])
    assert list(sharing.saturations) == [parts[0].key]
    assert (sharing.exhausted, sharing.min_length, sharing.point) == ([2], 2, None)
    assert (sharing.low, sharing.high) == (1041 / 20, 1240 / 20)
    assert sharing.unexhausted_factor == SharingFactor(2.0, 2.0)
    assert sharing.sum_text == "1,041 to 1,240"
    assert sharing_of([finished(joint, 20), *parts]).high == math.inf  # what the records of earlier versions say
    alone = Sharing(sharing.joint, {2: parts[0]})
    assert alone.unexhausted_factor is None


def test_a_larger_shortest_length_has_a_joint_search_of_its_own_and_shares_the_parts(experiment: Experiment) -> None:
    joint = SearchConfig(experiment, SearchSettings())
    longer = SearchConfig(experiment.with_data(min_length=3), SearchSettings())
    parts = part_configs(longer)
    assert list(parts) == [3, 4] and longer.key != joint.key
    assert [part.key for part in parts.values()] == [part.key for part in part_configs(joint).values()][1:]
    (sharing,) = sharings([finished(longer, 10), *(finished(part, 20) for part in parts.values())])
    assert (sharing.min_length, sharing.low) == (3, 4.0)


def test_settings_out_of_range() -> None:
    with pytest.raises(InvalidOptionError, match=r"sharing\.min_length must be an integer of at least 2, got 1"):
        SharingSettings(min_length=1)


def test_a_search_with_nothing_held_out_ends_at_once(experiment: Experiment, store: Store) -> None:
    record = Search(
        experiment, SearchSettings(), 0, None, store, pytest.fail, ProgressReporter(lambda event: None)
    ).run()
    assert (record.status, record.censored, record.max_size, record.num_trials) == ("finished", True, 0, 0)
    assert record.verdict == "none held out"


def test_more_lengths_than_searches_are_not_looked_for(experiment: Experiment) -> None:
    absurd = SearchConfig(experiment.with_data(length_distribution="uniform", max_length=2**40), SearchSettings())
    assert sharings([finished(absurd, 10)]) == []
