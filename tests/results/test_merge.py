from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from damage import flip_byte, flip_in_page, flip_in_record, sqlite_recovers, truncate, write_old_store, write_store
from made_up_records import paper_like

from ib_bench.errors import BenchError, DamagedStoreError, StoreError
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.search.saturation import SaturationRecord
from ib_bench.results.archive import Records, stored_records, write_archive
from ib_bench.results.merge import Merge, merge
from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialRecord


def merged(folder: Path, *names: str, out: str = "out") -> Merge:
    return merge(folder / out, [folder / name for name in names], lambda num_read: None)


def with_best(trial: TrialRecord, loss: float) -> TrialRecord:
    """With another lowest loss."""
    curve = [(step, loss if step == trial.best_step else other) for step, other in trial.val_curve]
    return replace(trial, best_val_loss=loss, val_curve=curve)


def in_store(path: Path) -> dict[str, Record]:
    return {record.key: record for record in stored_records(path)}


def test_stores_of_both_versions_and_archives(tmp_path: Path) -> None:
    records = paper_like()
    write_store(tmp_path / "new", records.trials)
    write_old_store(tmp_path / "old", [*records.of(SearchRecord), *records.trials])
    others = [one for kind in (CurveRecord, SaturationRecord, ExtrapolationRecord) for one in records.of(kind)]
    write_archive(Records.of_all(others), tmp_path / "archive")
    report = merged(tmp_path, "new", "old", "archive")
    assert (report.num_added, report.num_same) == (len(list(records)), len(records.trials))
    assert not report.conflicts and not report.left_out
    assert in_store(tmp_path / "out") == {record.key: record for record in list(records)}


def test_conflicts_are_shown_and_the_first_stays(tmp_path: Path) -> None:
    records = paper_like()
    kinds: tuple[type[Any], ...] = (TrialRecord, SearchRecord, ExtrapolationRecord)
    trial, search, extrapolation = (next(iter(records.of(kind))) for kind in kinds)
    write_store(tmp_path / "one", [trial, search, extrapolation])
    elsewhere = replace(trial, wall_time_s=99.0, versions={"torch": "another"}, finished_at="later")
    write_store(tmp_path / "same", [elsewhere, replace(search, wall_time_s=1.0), extrapolation])
    assert merged(tmp_path, "one", "same") == Merge(num_added=3, num_same=3)
    assert trial.best_val_loss is not None
    rounded = with_best(trial, trial.best_val_loss * (1 + 1e-6))
    write_store(tmp_path / "rounded", [rounded])
    assert merged(tmp_path, "rounded") == Merge(num_same=1, num_rounded=1)
    other = with_best(replace(trial, status="diverged", num_steps=160), 0.25)
    write_store(tmp_path / "other", [other, replace(search, max_size=7), replace(extrapolation, num_train_sequences=7)])
    report = merged(tmp_path, "other")
    assert [conflict.key for conflict in report.conflicts] == [trial.key, search.key, extrapolation.key]
    assert report.conflicts[0].differences == [
        "status failed, not diverged",
        "best_val_loss 0.1, not 0.25",
        "num_steps 150, not 160",
    ]
    assert "Transformer · ModularAddition(modulus=2)" in report.conflicts[0].label
    assert report.conflicts[2].differences == ["num_train_sequences"]
    assert in_store(tmp_path / "out") == {record.key: record for record in (trial, search, extrapolation)}


def test_metrics_of_another_definition_are_not_compared(tmp_path: Path) -> None:
    trial = replace(next(iter(paper_like().trials)), metrics={"loss": 0.1}, metric_definition="1")
    other = replace(trial, metrics={"loss": 0.2, "perplexity": 1.2})
    write_store(tmp_path / "one", [trial])
    write_store(tmp_path / "other", [other])
    write_store(tmp_path / "newer", [replace(other, metric_definition="2")])
    assert [conflict.differences for conflict in merged(tmp_path, "one", "other").conflicts] == [["metrics"]]
    assert not merged(tmp_path, "one", "newer", out="second").conflicts
    assert in_store(tmp_path / "second") == {trial.key: trial}


@pytest.mark.parametrize("order", [("running", "finished"), ("finished", "running"), ("begun", "running")])
def test_the_newest_state_of_a_search_wins(tmp_path: Path, order: tuple[str, str]) -> None:
    finished = next(iter(paper_like().of(SearchRecord)))
    states = {
        "finished": finished,
        "running": replace(finished, status="running"),
        "begun": replace(finished, status="failed", evaluations=[]),
    }
    for name in order:
        write_store(tmp_path / name, [states[name]])
    assert not merged(tmp_path, *order).conflicts
    assert in_store(tmp_path / "out") == {finished.key: states["finished" if "finished" in order else "running"]}


def test_a_damaged_record_is_lost_and_said_to_be(tmp_path: Path) -> None:
    trials = list(paper_like().trials)
    write_store(tmp_path / "one", trials)
    flip_in_record(tmp_path / "one", trials[3].key)
    report = merged(tmp_path, "one")
    assert report.num_added == len(trials) - 1
    assert report.left_out == {str(tmp_path / "one"): {"damaged": {trials[3].key}}}
    write_store(tmp_path / "other", trials[3:4])
    assert merged(tmp_path, "one", "other").left_out == {}


@pytest.mark.parametrize("table", ["trials", "sqlite_autoindex_trials_1"])
def test_a_malformed_source_is_refused_before_anything_is_written(tmp_path: Path, table: str) -> None:
    write_store(tmp_path / "one", paper_like())
    flip_in_page(tmp_path / "one", table)
    with pytest.raises(DamagedStoreError, match=r"one' is damaged .*\.recover \| sqlite3 recovered\.sqlite"):
        merged(tmp_path, "one")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not sqlite_recovers(), reason="needs a sqlite3 command that can recover")
def test_what_sqlite_recovers_can_be_merged(tmp_path: Path) -> None:
    everything = {record.key: record for record in paper_like()}
    write_store(tmp_path / "one", everything.values())
    truncate(tmp_path / "one", 0.6)
    with pytest.raises(DamagedStoreError):
        merged(tmp_path, "one")
    dump = subprocess.run(["sqlite3", tmp_path / "one", ".recover"], capture_output=True, check=False).stdout
    subprocess.run(["sqlite3", tmp_path / "recovered"], input=dump, check=True, capture_output=True)
    report = merged(tmp_path, "recovered")
    kept = in_store(tmp_path / "out")
    assert kept.items() <= everything.items()
    assert 0.3 * len(everything) < len(kept) == report.num_added < len(everything)


def test_a_flipped_byte_never_falsifies_a_record(tmp_path: Path) -> None:
    everything = {record.key: record for record in list(paper_like())[::9]}
    whole = tmp_path / "whole"
    write_store(whole, everything.values())
    size = whole.stat().st_size
    for at in (0, 16, 18, *range(101, size, size // 25)):  # the header, but for what says whose the file is
        (tmp_path / "one").write_bytes(whole.read_bytes())
        flip_byte(tmp_path / "one", at)
        (tmp_path / "out").unlink(missing_ok=True)
        try:
            merged(tmp_path, "one")
        except StoreError:
            assert not (tmp_path / "out").exists()
        else:
            kept = in_store(tmp_path / "out")
            assert kept.items() <= everything.items() and len(everything) - len(kept) <= 4  # what shares a page


def test_what_is_no_source_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    write_store(tmp_path / "one", paper_like().trials)
    (tmp_path / "notes").write_text("nothing that was ever a store " * 300)
    with pytest.raises(StoreError, match="notes' cannot be used"):
        merged(tmp_path, "one", "notes")
    with pytest.raises(StoreError, match="missing' does not exist"):
        merged(tmp_path, "one", "missing")
    assert not (tmp_path / "out").exists()
    with pytest.raises(BenchError, match="is the store to merge into"):
        merged(tmp_path, "one", out="one")
    write_archive(paper_like(), tmp_path / "archive")
    before = (tmp_path / "archive").read_bytes()
    with pytest.raises(BenchError, match="archive' is an archive, to which nothing can be added"):
        merged(tmp_path, "one", out="archive")
    assert (tmp_path / "archive").read_bytes() == before
