"""The door through which records come back: what is wrong is refused, older shapes are filled in."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from made_up_records import ACOT, Point, extrapolation, search, trial

from ib_bench.cli import main
from ib_bench.errors import StoreError
from ib_bench.results.archive import read_archive
from ib_bench.results.codec import UnknownShapeError, UnreadableRecordError, decode, encode, to_plain
from ib_bench.results.database import checksum
from ib_bench.results.identity import Json
from ib_bench.results.records import Record
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

POINT = Point("LSTM", ACOT)
RECORDS: dict[str, Record] = {
    record.table: record for record in (trial(POINT, 4096), search(POINT, 128), extrapolation(POINT, 1.0))
}


@pytest.mark.parametrize("table", RECORDS)
def test_round_trip(table: str) -> None:
    record = RECORDS[table]
    assert decode(type(record), encode(record).encode()) == record
    assert encode(record).startswith('{"shape": 1')


def damaged_copies() -> list[tuple[str, str, Any]]:
    """Table, field and a value of the wrong type or outside its range."""
    huge = 10**400
    wrong = [
        ("trials", "key", 7),
        ("trials", "key", "../../../victim"),
        ("trials", "config", None),
        ("trials", "config", {}),
        ("trials", "status", "won"),
        ("trials", "num_steps", huge),
        ("trials", "num_steps", -1),
        ("trials", "num_steps", 10**9),  # more than the budget
        ("trials", "num_steps", 149),  # fewer than the curve has
        ("trials", "status", "succeeded"),  # with a loss above the threshold
        ("trials", "status", "futile"),  # without the rule
        ("trials", "best_val_loss", "small"),
        ("trials", "best_val_loss", 0.05),  # lower than the whole curve
        ("trials", "best_val_loss", None),
        ("trials", "best_step", 50),  # the loss was higher there
        ("trials", "best_step", None),
        ("trials", "val_curve", [[100, 0.1], [50, 1.0]]),
        ("trials", "val_curve", []),
        ("trials", "val_curve", [[1]]),
        ("trials", "val_curve", {"1": 2}),
        ("trials", "metrics", {"loss": "low"}),
        ("trials", "wall_time_s", float("nan")),
        ("trials", "wall_time_s", -1.0),
        ("trials", "versions", {"torch": 2}),
        ("searches", "max_size", "1000"),
        ("searches", "max_size", huge),
        ("searches", "evaluations", [{"size": 1}]),
        ("searches", "evaluations", []),
        ("searches", "evaluations", None),
        ("searches", "status", True),
        ("searches", "updated_at", 5),
        ("extrapolations", "accuracies", "none"),
        ("extrapolations", "trial", "t"),
        ("extrapolations", "num_train_sequences", None),
        ("extrapolations", "trial_succeeded", 1),
    ]
    return wrong


@pytest.mark.parametrize(("table", "field", "value"), damaged_copies())
def test_one_wrong_field_is_refused_in_an_archive_and_skipped_in_a_store(
    tmp_path: Path, table: str, field: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    record = RECORDS[table]
    plain = {**to_plain(record), field: value}
    lines = [{"format": "ib_bench records", "schema_version": 1}, {"kind": table, **plain}]
    archive = tmp_path / "stranger.jsonl.gz"
    archive.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))
    with pytest.raises(StoreError, match=r"line 2 is no record"):
        read_archive(archive)
    assert main(["store", "merge", str(tmp_path / "out.sqlite"), str(archive)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "Traceback" not in message and not (tmp_path / "out.sqlite").exists()

    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.add(record)
        text = json.dumps(plain)
        store.database.execute(
            f"UPDATE {table} SET record = ?, checksum = ?", (text, checksum(record.key.encode(), text.encode()))
        )
    with Store(path) as store, pytest.warns(UserWarning, match=", unreadable; "):
        assert list(store.all(type(record))) == []
    for command in ["trials"] if table == "trials" else ["results", "claims"]:
        kind = ["--kind", "extrapolate"] if (command, table) == ("results", "extrapolations") else []
        with pytest.warns(UserWarning, match="unreadable"):
            assert main([command, "--store", str(path), *kind]) == 0
    capsys.readouterr()
    assert main(["store", "check", "--store", str(path)]) == 1
    assert record.key in capsys.readouterr().out
    assert main(["store", "vacuum", "--store", str(path)]) == 0
    with Store(path) as store:
        assert store.count(type(record)) == 1, "vacuum removed what is not damaged"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"num_steps": 10**9}, "a budget of"),
        ({"val_curve": [(150, 1.0), (100, 0.1)]}, "out of order"),
        ({"best_val_loss": 0.2}, "the lowest of the curve is 0.1"),
        ({"best_step": 150}, "best_step is 150"),
        ({"val_curve": [(150, None)], "best_val_loss": None}, "best_step is 100"),
        ({"status": "succeeded"}, "not below its threshold, 0.0001"),
        ({"status": "diverged", "val_curve": [(100, 0.1)]}, "last loss of its validation curve is finite"),
        ({"status": "futile"}, "no futility rule"),
    ],
)
def test_no_training_run_leads_to_such_a_record(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        replace(trial(POINT, 4096), **changes)


def test_unusual_records_that_training_runs_lead_to() -> None:
    usual = trial(POINT, 4096)
    never_finite = replace(usual, status="diverged", val_curve=[(50, None)], best_val_loss=None, best_step=None)
    twice_at_a_step = replace(usual, val_curve=[(0, 1.0), (0, 1.0), (100, 0.1)])  # accumulation of gradients
    again_as_low = replace(usual, val_curve=[(50, 0.1), (100, 0.1)])
    config = replace(usual.config, options={"futility": 0.5})
    futile = replace(usual, key=config.key, config=config, status="futile")
    for record in (never_finite, twice_at_a_step, again_as_low, futile):
        assert decode(TrialRecord, encode(record).encode()) == record


def test_a_record_under_another_key_answers_nobody(tmp_path: Path) -> None:
    mine, other = trial(POINT, 4096), trial(POINT, 64)
    with pytest.raises(UnreadableRecordError, match="not the hash of its config"):
        decode(TrialRecord, encode(replace(mine, key=other.key)).encode())
    with Store(tmp_path / "s") as store:
        text = encode(mine)
        digest = checksum(other.key.encode(), text.encode())
        store.database.execute("INSERT INTO trials VALUES (?, ?, ?)", (other.key, text, digest))
        with pytest.warns(UserWarning, match="unreadable and counts as missing"):
            assert store.get(TrialRecord, other.key) is None


def test_keys_of_an_earlier_protocol_stay_readable() -> None:
    record = trial(POINT, 4096)
    old = replace(record, key=record.config.key_under(1))
    assert decode(TrialRecord, encode(old).encode()) == old


@dataclass(frozen=True)
class TrialOfShape3(TrialRecord):
    """A made-up later version: one field has another name, another one is new and required."""

    shape: ClassVar[int] = 3

    num_restarts: int = 0

    @classmethod
    def upgraded(cls, data: Json, shape: int) -> Json:
        return {**data, "num_restarts": 10 * shape}


def test_older_shapes_are_filled_in_and_newer_ones_are_no_damage(tmp_path: Path) -> None:
    record = trial(POINT, 4096)
    read = decode(TrialOfShape3, encode(record).encode())
    assert read.num_restarts == 10 and read.val_curve == record.val_curve
    newer = encode(read)
    with pytest.raises(UnknownShapeError, match="its shape 3 is newer than 1"):
        decode(TrialRecord, newer.encode())
    with Store(tmp_path / "s") as store:
        store.add(read)
        (entry,) = store.entries(TrialRecord)
        assert (entry.key, entry.record, entry.fault) == (record.key, None, "newer")
        assert store.remove_damaged() == []
        assert list(store.all(TrialOfShape3)) == [read]


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b'{"shape": "two"}', b'{"shape": 0}', b"[" * 300_000, b"\xff"])
def test_what_is_no_record(text: bytes) -> None:
    with pytest.raises(UnreadableRecordError):
        decode(TrialRecord, text)
