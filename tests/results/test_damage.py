"""What a damaged, full or old store does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from damage import flip_byte, flip_in_page, flip_in_record, truncate, write_old_store, write_store
from made_up_records import paper_like

from ib_bench.errors import DamagedStoreError, StoreError
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.archive import stored_records
from ib_bench.results.records import Record
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord


def some_records() -> list[Record]:
    """Two of each kind that stores of version 1 had, trials first."""
    records = paper_like()
    kinds: tuple[type[Record], ...] = (TrialRecord, SearchRecord, ExtrapolationRecord)
    return [record for kind in kinds for record in list(records.of(kind))[:2]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_store(tmp_path / "store.sqlite", some_records())
    return tmp_path / "store.sqlite"


@pytest.mark.parametrize("number", [0, 2, 4], ids=["trial", "search", "extrapolation"])
def test_a_damaged_record_counts_as_missing_and_is_replaced(path: Path, number: int) -> None:
    record = some_records()[number]
    flip_in_record(path, record.key)
    with Store(path) as store:
        with pytest.warns(UserWarning, match=f"{record.key} .* is damaged and counts as missing"):
            assert store.get(type(record), record.key) is None
        again = replace(record, num_states=99) if hasattr(record, "num_states") else replace(record, wall_time_s=99.0)
        store.add(again)
        store.add(record)
        assert store.get(type(record), record.key) == again


def test_lists_leave_damaged_records_out_and_say_how_many(path: Path) -> None:
    trials, searches, extrapolations = some_records()[:2], some_records()[2:4], some_records()[4:]
    for record in (*trials, searches[0]):
        flip_in_record(path, record.key)
    with pytest.warns(UserWarning, match=r"left out of store .*: 1 search, damaged; `ib-bench store check"):
        records = stored_records(path)
    assert records.of(SearchRecord) == searches[1:]
    assert records.of(ExtrapolationRecord) == extrapolations
    with pytest.warns(UserWarning, match=": 2 trials, damaged"):
        assert list(records.trials) == []
    with pytest.warns(UserWarning, match=": 2 trials, damaged"), Store(path) as store:
        assert store.get_many(TrialRecord, [trial.key for trial in trials]) == []


def test_a_store_of_version_1_gets_checksums(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    write_old_store(path, some_records())
    for _ in range(2):  # brought up to date, and opened once more
        records = stored_records(path)
        assert list(records) == some_records()
    with Store(path) as store:
        store.put_run("run", "{}")
    flip_in_record(path, some_records()[0].key)
    with pytest.warns(UserWarning, match=": 1 trial, damaged"):
        assert list(records.trials) == some_records()[1:2]


def test_what_is_no_json_in_a_store_of_version_1_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    trial = some_records()[0]
    write_old_store(path, [trial])
    flip_byte(path, path.read_bytes().index(b'{"key": "%s"' % trial.key.encode()))
    with Store(path) as store, pytest.warns(UserWarning, match="counts as missing"):
        assert store.get(TrialRecord, trial.key) is None


def test_states_of_what_runs(path: Path) -> None:
    with Store(path) as store:
        for key, text in {"a": "{}", "b": "[1]", "c": "{}"}.items():
            store.put_run(key, text)
        store.put_run("a", '{"new": 1}')
        store.remove_run("b")
        store.remove_run("never there")
    with Store(path) as store:
        assert store.runs() == {"c": "{}", "a": '{"new": 1}'}


def read_everything(store: Store) -> None:
    list(store.all(TrialRecord))


def write_something(store: Store) -> None:
    store.add(list(paper_like().trials)[-1])


def look_one_up(store: Store) -> None:
    store.get(TrialRecord, some_records()[0].key)


@pytest.mark.parametrize("use", [read_everything, write_something, look_one_up])
@pytest.mark.parametrize("damage", ["page", "truncated", "empty"])
def test_a_malformed_file_is_one_sentence(path: Path, use: Callable[[Store], None], damage: str) -> None:
    if damage == "page":
        flip_in_page(path, "trials")
    else:
        truncate(path, 0.5 if damage == "truncated" else 0)
    with pytest.raises(DamagedStoreError) as caught, Store(path, create=False) as store:
        use(store)
    for part in (str(path), "is damaged", ".recover | sqlite3 recovered.sqlite", "ib-bench store merge new.sqlite"):
        assert part in str(caught.value)


def test_a_page_that_is_met_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    trials = list(paper_like().trials)
    write_store(path, trials)
    last = path.read_bytes().rindex(b'"key": "%s"' % trials[-1].key.encode())
    flip_byte(path, last - last % 4096)  # the kind of the page that the last record is on
    read: list[TrialRecord] = []
    with Store(path) as store, pytest.raises(DamagedStoreError):
        read.extend(store.all(TrialRecord))
    assert read == trials[: len(read)] and 0 < len(read) < len(trials)


def test_a_full_disk_is_one_sentence_and_loses_nothing(path: Path) -> None:
    with Store(path) as store:
        (pages,) = store.database.row("PRAGMA page_count")
        store.database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match=r"disk is full.*make room"):
            store.add_all(list(paper_like().trials)[2:])
    records = stored_records(path)
    assert list(records) == some_records()
