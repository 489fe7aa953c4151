"""Every kind of record store gives the same answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_records import paper_like

from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.record_store import RecordStore
from ib_bench.results.store import Store

STORES: dict[str, Callable[[Path], RecordStore]] = {
    "sqlite": lambda folder: Store(folder / "contract.sqlite"),
    "memory": lambda folder: MemoryStore(),
}


@pytest.fixture(params=STORES)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> RecordStore:
    return STORES[request.param](tmp_path)


def test_records_come_back_as_they_were(any_store: RecordStore) -> None:
    records = paper_like()
    trial, search, extrapolation = next(iter(records.trials)), records.searches[0], records.extrapolations[0]
    assert any_store.trial(trial.key) is any_store.search(search.key) is any_store.extrapolation("none") is None
    assert not any_store.has(TrialRecord, [trial.key]) and any_store.has(TrialRecord, [])
    for record in (trial, search, extrapolation):
        any_store.add(record)
    assert any_store.has(TrialRecord, [trial.key]) and not any_store.has(TrialRecord, [trial.key, search.key])
    assert any_store.trial(trial.key) == trial
    assert any_store.search(search.key) == search
    assert any_store.extrapolation(extrapolation.key) == extrapolation


def test_the_first_trial_and_extrapolation_stay(any_store: RecordStore) -> None:
    records = paper_like()
    trial, extrapolation = next(iter(records.trials)), records.extrapolations[0]
    for changed in ({}, {"num_steps": 7}):
        any_store.add(replace(trial, **changed))
    any_store.add(extrapolation)
    any_store.add(replace(extrapolation, trial="another"))
    assert any_store.trial(trial.key) == trial
    assert any_store.extrapolation(extrapolation.key) == extrapolation


def test_a_search_changes_until_it_is_finished_and_keeps_its_place(any_store: RecordStore) -> None:
    finished, other = paper_like().searches[:2]
    running = replace(finished, status="running", evaluations=[])
    for record in (running, other, replace(running, max_size=20)):
        any_store.add(record)
    assert any_list(store.all(SearchRecord)) == [replace(running, max_size=20), other]
    for record in (finished, running):
        any_store.add(record)
    assert any_list(store.all(SearchRecord)) == [finished, other]
