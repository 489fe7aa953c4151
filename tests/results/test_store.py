from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_records import ACOT, Point, curve, search, trial

from ib_bench.errors import StoreError
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.database import SCHEMA_VERSION
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord


def write_trials(path: Path, first: int, last: int) -> None:
    with Store(path) as store:
        for size in range(first, last):
            store.add(trial(Point("LSTM", ACOT), size))


def test_they_survive_closing(tmp_path: Path) -> None:
    record = trial(Point("LSTM", ACOT), 64)
    with Store(tmp_path / "s") as store:
        store.add(record)
    with Store(tmp_path / "s", create=False) as store:
        assert store.get(TrialRecord, record.key) == record


@pytest.mark.system
def test_two_processes_neither_lock_up_nor_write_twice(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path = tmp_path / "store.sqlite"
    ranges = [(1, 200), (100, 300)]
    processes = [context.Process(target=write_trials, args=(path, *sizes)) for sizes in ranges]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=200)
        assert process.exitcode == 0
    with Store(path) as store:
        sizes = [record.config.num_train_sequences for record in store.all(TrialRecord)]
    assert sorted(sizes) == list(range(1, 300))


def make_searches_table_and_fail(store: Store) -> None:
    store.database.make_table("searches")
    raise AttributeError


def test_a_kind_gets_its_table_with_its_first_record(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        assert not store.database.has_table("searches") and list(store.all(SearchRecord)) == []
        with pytest.raises(AttributeError), store.database.transaction():
            make_searches_table_and_fail(store)
        assert not store.database.has_table("searches")
        store.add(search(Point("LSTM", ACOT), 64))
    with Store(path) as store:
        assert store.count(SearchRecord) == 1


def test_runs_stay_in_the_order_in_which_they_began(store: Store) -> None:
    for key, text in (("b", "old"), ("a", "only"), ("b", "new")):
        store.put_run(key, text)
    assert list(store.runs().items()) == [("b", "new"), ("a", "only")]


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.sqlite"
    Store(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match=f"has schema version {SCHEMA_VERSION + 1}.*--store"):
        Store(path)


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE notes (text TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        Store(path)
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing that SQLite could read, and long enough for a header " * 4)
    with pytest.raises(StoreError, match=r"cannot be used \(file is not a database\); choose another file"):
        Store(path)
    assert path.read_text().startswith("nothing")


def test_a_path_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be used"):
        Store(tmp_path / "file" / "store.sqlite")


def test_a_store_that_must_exist(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        Store(tmp_path / "nothing", create=False)
    assert not (tmp_path / "nothing").exists()


def open_and_close(path: Path) -> None:
    Store(path).close()


@pytest.mark.slow
@pytest.mark.system
def test_many_processes_open_a_new_store_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for attempt in range(15):
        path = tmp_path / f"{attempt}.sqlite"
        processes = [context.Process(target=open_and_close, args=(path,)) for _ in range(8)]
        for process in processes:
            process.start()
        for process in processes:
            process.join(timeout=200)
        assert [process.exitcode for process in processes] == [0] * 8


def test_the_version_changes_with_records_and_with_nothing_else(tmp_path: Path) -> None:
    point = Point("LSTM", ACOT)
    with Store(tmp_path / "store.sqlite") as store:
        versions = [store.version()]
        running = replace(curve(point, 50), status="running")
        for record in (trial(point, 4096), running, curve(point, 50)):
            store.add(record)
            versions.append(store.version())
        assert len(set(versions)) == 4
        store.add(curve(point, 50))
        store.put_run("job", "{}")
        assert store.version() == versions[-1]
