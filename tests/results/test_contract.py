"""Every kind of record store gives the same answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_records import paper_like

from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.kinds import record_kinds
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.record_store import RecordStore
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

STORES: dict[str, Callable[[Path], RecordStore]] = {
    "sqlite": lambda folder: Store(folder / "contract.sqlite"),
    "memory": lambda folder: MemoryStore(),
}


@pytest.fixture(params=STORES)
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> RecordStore:
    return STORES[request.param](tmp_path)


def test_records_of_every_kind_come_back_as_they_were(any_store: RecordStore) -> None:
    records = paper_like()
    for kind in record_kinds():
        one, other = list(records.of(kind))[:2]
        assert any_store.get(kind, one.key) is None
        assert list(any_store.all(kind)) == []
        assert not any_store.has(kind, [one.key]) and any_store.has(kind, [])
        any_store.add(one)
        any_store.add(other)
        assert any_store.get(kind, one.key) == one
        assert list(any_store.all(kind)) == [one, other]
        assert any_store.has(kind, [one.key, other.key]) and not any_store.has(kind, [one.key, "0" * 32])


def test_the_first_finished_record_stays(any_store: RecordStore) -> None:
    records = paper_like()
    trial, extrapolation = next(iter(records.trials)), next(iter(records.of(ExtrapolationRecord)))
    for changed in (trial, replace(trial, num_steps=160)):
        any_store.add(changed)
    any_store.add(extrapolation)
    any_store.add(replace(extrapolation, trial_succeeded=False))
    assert any_store.get(TrialRecord, trial.key) == trial
    assert any_store.get(ExtrapolationRecord, extrapolation.key) == extrapolation


def test_a_search_changes_until_it_is_finished_and_keeps_its_place(any_store: RecordStore) -> None:
    finished, other = list(paper_like().of(SearchRecord))[:2]
    running = replace(finished, status="running", evaluations=[])
    for record in (running, other, replace(running, max_size=20)):
        any_store.add(record)
    assert list(any_store.all(SearchRecord)) == [replace(running, max_size=20), other]
    for record in (finished, running):
        any_store.add(record)
    assert list(any_store.all(SearchRecord)) == [finished, other]
