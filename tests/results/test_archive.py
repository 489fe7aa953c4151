from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from made_up_records import paper_like

from ib_bench.errors import StoreError
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.archive import Records, StoredRecords, read_archive, stored_records, write_archive
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord


def _zipped(text: bytes) -> bytes:
    """The same at any time of day, as parameters of tests have to be."""
    return gzip.compress(text, mtime=0)


HEADER = _zipped(b'{"format": "ib_bench records", "schema_version": 1}\n')


def test_everything_comes_back(tmp_path: Path) -> None:
    write_archive(paper_like(), tmp_path / "records.jsonl.gz")
    assert read_archive(tmp_path / "records.jsonl.gz") == paper_like()


def test_the_same_records_give_the_same_bytes(tmp_path: Path) -> None:
    records = paper_like()
    write_archive(records, tmp_path / "one")
    write_archive(Records.of_all([*records][::-1]), tmp_path / "other")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_store_can_be_archived(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        store.add_all(searches := list(paper_like().of(SearchRecord))[:3])
    records = stored_records(tmp_path / "store.sqlite")
    assert records.of(SearchRecord) == searches
    assert str(records) == "0 trials, 0 curves, 3 searches, 0 saturations, 0 extrapolations"
    counts = {"trials": 0, "curves": 0, "searches": 3, "saturations": 0, "extrapolations": 0}
    assert write_archive(records, tmp_path / "records.jsonl.gz") == counts


def test_a_store_is_archived_piece_by_piece(tmp_path: Path) -> None:
    """The same bytes as from records in memory, for all of a store and for a part of it."""
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.add_all(list(paper_like())[::-1])
    records = Records.of_all(stored_records(path))
    write_archive(records, tmp_path / "memory")
    write_archive(stored_records(path), tmp_path / "stored")
    assert (tmp_path / "stored").read_bytes() == (tmp_path / "memory").read_bytes()
    some = list(records.trials)[3:8]
    part = StoredRecords(path, TrialRecord, [trial.key for trial in some])
    assert list(part) == some and len(part) == 5
    write_archive(Records.of_all(some), tmp_path / "few")
    write_archive(Records({TrialRecord: part}), tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == (tmp_path / "few").read_bytes()


def test_the_trials_of_a_search(tmp_path: Path) -> None:
    records = paper_like()
    searches = records.of(SearchRecord)
    in_memory = {search.key: records.trials_of(search) for search in searches}
    assert {trial.key for trials in in_memory.values() for trial in trials} == {trial.key for trial in records.trials}
    with Store(tmp_path / "store.sqlite") as store:
        for trial in records.trials:
            store.add(trial)
    stored = stored_records(tmp_path / "store.sqlite")
    assert {search.key: stored.trials_of(search) for search in searches} == in_memory
    assert list(stored.trials) == list(records.trials) and len(stored.trials) == len(records.trials)
    assert next(iter(records.trials)) in stored.trials


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no archive", "cannot be read"),
        (_zipped(b"[" * 200_000), "cannot be read: maximum recursion depth"),
        (HEADER + _zipped(b'{"kind":"trials","x":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"), "line 2 is no record"),
        (HEADER + _zipped(b"a" * (64 * 2**20 + 1)), "line 2 is longer than 64 MiB, the limit"),
        (_zipped(b'{"foo": 1}\n'), "holds no ib_bench records"),
        (_zipped(b""), "holds no ib_bench records"),
        (_zipped(b'{"format": "ib_bench records", "schema_version": 99}\n'), "has schema version 99"),
        (HEADER + _zipped(b'{"ki'), "cannot be read"),
        (HEADER + _zipped(b'{"kind": "runs"}\n'), "cannot be read: line 2 is no record"),
        (HEADER + _zipped(b'{"key": "a"}\n'), "cannot be read: line 2 is no record"),
        (HEADER + _zipped(b"[1]\n"), "cannot be read: line 2 is no record"),
        (HEADER + _zipped(b'{"kind": ["trials"]}\n'), "cannot be read: line 2 is no record"),
        (HEADER + _zipped(b'{"kind": "searches", "key": "a"}\n'), "cannot be read: line 2 is no record"),
        (HEADER[:10] + b"\xff" * 20, "cannot be read"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(StoreError, match=message):
        read_archive(tmp_path / "file")


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        write_archive(Records(), tmp_path / "missing" / "file")
