"""What ``store check`` finds and ``store vacuum`` removes."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest
from damage import flip_in_page, flip_in_record, truncate, write_store
from made_up_records import paper_like

from ib_bench.errors import StoreError
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.archive import stored_records
from ib_bench.results.codec import encode
from ib_bench.results.database import checksum
from ib_bench.results.integrity import MIN_AGE_S, check_store, weights_folder
from ib_bench.results.store import Store
from ib_bench.results.vacuum import vacuum


def searches_with_trials() -> list[SearchRecord]:
    """The searches whose trials were made up too."""
    records = paper_like()
    keys = {trial.key for trial in records.trials}
    return [search for search in records.of(SearchRecord) if keys.issuperset(search.trials)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    records = paper_like()
    write_store(tmp_path / "store.sqlite", [*records.trials, *searches_with_trials(), *records.of(ExtrapolationRecord)])
    return tmp_path / "store.sqlite"


def found(path: Path) -> dict[str, tuple[str, list[str]]]:
    """Findings that are not in order."""
    return {finding.check: (finding.state, finding.names) for finding in check_store(path) if finding.state != "ok"}


def make_old_file(path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"weights")
    os.utime(path, (time.time() - 2 * MIN_AGE_S,) * 2)
    return path


def test_a_sound_store(path: Path) -> None:
    trial = next(iter(paper_like().trials))
    make_old_file(weights_folder(path) / f"{trial.key}.pt")
    (weights_folder(path) / f"{trial.key}.123").write_bytes(b"a training goes on")
    told: list[tuple[int, int]] = []
    findings = check_store(path, lambda done, total: told.append((done, total)))
    assert {finding.state for finding in findings} == {"ok"}
    assert told[-1][0] == told[-1][1] == len(told)


def test_damaged_misplaced_and_newer_records_and_missing_trials(path: Path) -> None:
    trial, search = next(iter(paper_like().trials)), searches_with_trials()[0]
    flip_in_record(path, search.trials[0])
    with Store(path) as store:
        for key, text in (("0" * 32, encode(trial)), ("1" * 32, '{"shape": 99}')):
            row = key, text, checksum(key.encode(), text.encode())
            store.database.execute("INSERT INTO trials VALUES (?, ?, ?)", row)
    resting = [*searches_with_trials(), *paper_like().of(ExtrapolationRecord)]
    assert found(path) == {
        "checksums": ("damaged", [search.trials[0]]),
        "versions": ("warning", ["1" * 32]),
        "contents": ("damaged", ["0" * 32]),
        "trials of results": ("damaged", [one.key for one in resting if search.trials[0] in one.trials]),
    }


def test_results_of_an_earlier_protocol_are_no_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ib_bench.results.codec.PROTOCOL_VERSION", 3)
    assert found(path) == {}


@pytest.mark.parametrize("damage", ["page", "truncated"])
def test_a_malformed_file(path: Path, damage: str) -> None:
    flip_in_page(path, "trials") if damage == "page" else truncate(path, 0.7)
    (finding,) = check_store(path)
    assert finding.state == "damaged" and ".recover | sqlite3 recovered.sqlite" in finding.text


@pytest.mark.parametrize("content", [b"base:\n  data: ModularAddition\n" * 100, b"\0" * 8192])
def test_what_was_never_a_store_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match="choose another file with --store"):
        check_store(path)


def test_vacuum_removes_what_is_of_no_use(path: Path) -> None:
    trials = list(paper_like().trials)
    kept = make_old_file(weights_folder(path) / f"{trials[0].key}.pt")
    leftovers = [make_old_file(weights_folder(path) / name) for name in (f"{'0' * 32}.pt", f"{trials[0].key}.4711")]
    flip_in_record(path, trials[-1].key)
    assert found(path).keys() >= {"checksums", "unfinished files", "weights"}
    planned = vacuum(path, dry_run=True)
    assert (planned.damaged, planned.bytes_after) == ([trials[-1].key], None)
    assert sorted(planned.files) == sorted(leftovers) and all(file.exists() for file in leftovers)
    done = vacuum(path, dry_run=False)
    assert (done.damaged, done.files) == (planned.damaged, planned.files)
    assert done.bytes_after == path.stat().st_size < done.bytes_before
    assert list(weights_folder(path).iterdir()) == [kept]
    assert list(stored_records(path).trials) == trials[:-1]
    assert found(path).keys() <= {"trials of results"}


def test_vacuum_is_refused_while_another_process_has_the_store_open(path: Path) -> None:
    other = sqlite3.connect(path)
    other.execute("SELECT count(*) FROM trials").fetchone()  # only now it is open
    with pytest.raises(StoreError, match="another process uses it"):
        vacuum(path, dry_run=False)
    other.close()
    vacuum(path, dry_run=False)
