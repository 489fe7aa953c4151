from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_records import ACOT, Point
from made_up_records import search as made_up_search

from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.record import SearchConfig, SearchRecord, SearchSettings, SearchStatus
from ib_bench.quantities.search.search import Search
from ib_bench.quantities.sharing.record import SharingFactor, part_configs, sharing_factor, sharings
from ib_bench.results.records import Experiment
from ib_bench.results.store import Store


def search(min_train_size: int | None, max_size: int = 1000, status: SearchStatus = "finished") -> SearchRecord:
    return replace(made_up_search(Point("LSTM", ACOT), min_train_size, max_size), status=status)


NONE_HELD_OUT = search(None, max_size=0)


def test_a_value_where_all_is_known() -> None:
    assert sharing_factor(search(20), [search(10), search(30)]) == SharingFactor("value", 2.0)


def test_a_censored_part_makes_a_lower_bound() -> None:
    kappa = sharing_factor(search(20), [search(None, max_size=13), search(30)])
    assert kappa == SharingFactor("lower_bound", 43 / 20)


def test_a_part_that_cannot_be_measured_makes_a_lower_bound() -> None:
    assert sharing_factor(search(20), [NONE_HELD_OUT, search(30)]) == SharingFactor("lower_bound", 1.5)


def test_a_censored_joint_search_makes_an_upper_bound() -> None:
    assert sharing_factor(search(None), [search(100), search(150)]) == SharingFactor("upper_bound", 0.25)


@pytest.mark.parametrize("part", [NONE_HELD_OUT, search(None)])
def test_both_leave_it_undefined(part: SearchRecord) -> None:
    assert sharing_factor(search(None), [part, search(30)]) == SharingFactor("undefined", None)


def test_it_never_reads_as_a_bare_number_where_a_part_is_censored() -> None:
    texts = [str(SharingFactor(kind, value)) for kind, value in KINDS]
    assert texts == ["2.00", "> 2.00", "< 2.00", "undefined"]


KINDS = [("value", 2.0), ("lower_bound", 2.0), ("upper_bound", 2.0), ("undefined", None)]


def test_unfinished_searches_are_refused() -> None:
    with pytest.raises(ValueError, match="finished"):
        sharing_factor(search(20), [search(10, status="running")])


def finished(config: SearchConfig, min_train_size: int, status: SearchStatus = "finished") -> SearchRecord:
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
    assert sharing.factor == SharingFactor("value", 1.5)
    assert sharing.sum_text == "30"
    other = SearchConfig(experiment, SearchSettings(threshold=0.5))
    assert sharings([*records[:3], finished(other, 1)]) == []
    assert sharings([*records[:3], finished(parts[4], 10, status="running")]) == []


def test_a_search_with_nothing_held_out_ends_at_once(experiment: Experiment, store: Store) -> None:
    record = Search(
        experiment, SearchSettings(), 0, None, store, pytest.fail, ProgressReporter(lambda event: None)
    ).run()
    assert (record.status, record.censored, record.max_size, record.num_trials) == ("finished", True, 0, 0)
    assert record.verdict == "none held out"


def test_more_lengths_than_searches_are_not_looked_for(experiment: Experiment) -> None:
    absurd = SearchConfig(experiment.with_data(length_distribution="uniform", max_length=2**40), SearchSettings())
    assert sharings([finished(absurd, 10)]) == []
