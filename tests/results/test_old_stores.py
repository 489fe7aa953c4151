"""A store that an earlier version wrote opens, and what it holds is not measured again."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
import zlib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from ib_bench.cli import main
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

APPLICATION_ID = 0x1BBE7C40
SCHEMA = """
CREATE TABLE trials (key TEXT PRIMARY KEY, record TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE searches (
    key TEXT PRIMARY KEY, finished INTEGER NOT NULL, record TEXT NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE extrapolations (key TEXT PRIMARY KEY, record TEXT NOT NULL, checksum INTEGER NOT NULL);
CREATE TABLE runs (key TEXT PRIMARY KEY, record TEXT NOT NULL);
PRAGMA application_id = {application_id};
PRAGMA user_version = 2;
"""
"""What that version made, before a record said its shape and a kind got its table with its first record."""

Rows = list[tuple[str, dict[str, Any]]]

SEARCH = "1e19c6a58587e364dc0f4b76238c2eb5"  # of an LSTM on parity: three sizes, 24, 6 and 12
WITH_RETIRED_OPTIONS = "d8806a94afe13856c04937a1eb5b3ae7"  # the same as that version keyed it with warm start
STACKED_SEARCH = "2709e151850f138bf025276399879390"  # and with the grid as one stacked model
STACKED_TRIAL = "9bbc6b47c95524d1632a52bcc986066a"  # its first trial, as that version keyed it
EXTRAPOLATION = "01f75ed73c6536019a70d8659e4039a4"  # of an LSTM on sums modulo 10


def shipped_rows() -> Rows:
    """Table and record of what the shipped archive holds as that version wrote it; saturated evaluations came later."""
    text = gzip.decompress((files("ib_bench.results") / "small.jsonl.gz").read_bytes()).decode()
    rows = [json.loads(line) for line in text.splitlines()[1:]]
    later = {key for row in rows if row["kind"] == "saturations" for key in (row["key"], *row["trial_keys"])}
    return [(row.pop("kind"), row) for row in rows if row["key"] not in later]


def write_old_store(path: Path, rows: Rows) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(SCHEMA.format(application_id=APPLICATION_ID))
    with connection:
        for table, record in rows:
            key, text = record["key"], json.dumps(record)
            values: list[object] = [key, text, zlib.crc32(text.encode(), zlib.crc32(key.encode()))]
            if table == "searches":
                values.insert(1, record["status"] == "finished")
            connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    connection.close()


def content(path: Path) -> dict[str, list[Any]]:
    connection = sqlite3.connect(path)
    tables = ("trials", "searches", "extrapolations")
    rows = {table: connection.execute(f"SELECT * FROM {table} ORDER BY key").fetchall() for table in tables}
    connection.close()
    return rows


def command(record: dict[str, Any], name: str, settings: dict[str, Any]) -> list[str]:
    """The command that measures what a record holds; its config is written to the working folder."""
    experiment = record["config"]["experiment"]
    config = {"model": experiment["model"], "data": experiment["data"], **settings}
    Path("config.yaml").write_text(json.dumps(config))
    return [name, "--config", "config.yaml", "--store", "old.sqlite", "--wandb.mode", "disabled"]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def rows() -> Rows:
    return shipped_rows()


@pytest.fixture
def old_store(working_folder: Path, rows: Rows) -> Path:
    """All that the archive holds, as a store of that version."""
    write_old_store(working_folder / "old.sqlite", rows)
    return working_folder / "old.sqlite"


def test_every_record_is_read(old_store: Path, rows: Rows) -> None:
    with Store(old_store, create=False) as store:
        for kind in (TrialRecord, SearchRecord, ExtrapolationRecord):
            expected = {record["key"] for table, record in rows if table == kind.table}
            assert expected and {record.key for record in store.all(kind)} == expected
    assert main(["store", "check", "--store", "old.sqlite"]) == 0


@pytest.mark.system
@pytest.mark.slow
def test_of_the_suite_that_it_holds_only_saturated_evaluations_are_left(
    old_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They came later. Everything else is found again."""
    assert main(["run", "small", "--dry_run", "--store", "old.sqlite"]) == 0
    planned = re.findall(r"^([^\d\n]+?) +([\d,]+) +([\d,]+) +([\d,]+)$", capsys.readouterr().out, re.MULTILINE)
    left = {name: int(number) for name, _, _, number in planned}
    assert left == {
        **dict.fromkeys(("N*", "extrapolations", "searches behind them"), 0),
        **{"kappa": 72, "saturations behind them": 115},
    }


def test_its_kappas_are_shown(old_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["results", "--kind", "sharing", "--store", "old.sqlite", "--format", "json"]) == 0
    kappas = json.loads(capsys.readouterr().out)
    assert len(kappas) == 72
    assert all((kappa["sharing_factor_high"] is None) == (kappa["num_exhausted"] > 0) for kappa in kappas)


def test_a_finished_search_is_not_run_again(old_store: Path, rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(old_store)
    (search,) = [record for _, record in rows if record["key"] == SEARCH]
    assert main(command(search, "search", {"search": search["config"]["settings"]})) == 0
    assert "N*: 12" in capsys.readouterr().out
    assert content(old_store) == before


def test_an_extrapolation_is_not_measured_again(
    old_store: Path, rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(old_store)
    (record,) = [record for _, record in rows if record["key"] == EXTRAPOLATION]
    config = record["config"]
    settings = {"search": config["search"], "extrapolation": config["settings"]}
    assert main(command(record, "extrapolate", settings)) == 0
    assert "trained on all 8,000 that exist" in capsys.readouterr().out
    assert content(old_store) == before


def test_an_interrupted_search_goes_on_from_its_trials(working_folder: Path, rows: Rows) -> None:
    (search,) = [record for _, record in rows if record["key"] == SEARCH]
    trials = {key for evaluation in search["evaluations"] for key in evaluation["trials"]}
    rest = [(table, record) for table, record in rows if record["key"] in trials]
    write_old_store(
        working_folder / "old.sqlite",
        [*rest, ("searches", {**search, "status": "running", "evaluations": search["evaluations"][:1]})],
    )
    before = content(working_folder / "old.sqlite")
    assert main(command(search, "search", {"search": search["config"]["settings"]})) == 0
    after = content(working_folder / "old.sqlite")
    assert after["trials"] == before["trials"]
    ((key, is_finished, text, _),) = after["searches"]
    assert (key, is_finished) == (SEARCH, 1)
    assert json.loads(text)["evaluations"] == search["evaluations"]


def test_a_search_with_options_that_are_gone_is_read(working_folder: Path, rows: Rows) -> None:
    (search,) = [record for _, record in rows if record["key"] == SEARCH]
    settings = {**search["config"]["settings"], "start": "auto", "adaptive_validation": True}
    changed = {**search, "key": WITH_RETIRED_OPTIONS, "config": {**search["config"], "settings": settings}}
    write_old_store(working_folder / "old.sqlite", [("searches", changed)])
    with Store(working_folder / "old.sqlite", create=False) as store:
        assert [record.key for record in store.all(SearchRecord)] == [WITH_RETIRED_OPTIONS]


def test_records_of_stacked_training_are_read(working_folder: Path, rows: Rows) -> None:
    (search,) = [record for _, record in rows if record["key"] == SEARCH]
    trial = next(record for _, record in rows if record["key"] == search["evaluations"][0]["trials"][0])
    grid = {name: search["config"]["settings"][name] for name in ("learning_rates", "seeds")}
    settings = {**search["config"]["settings"], "vectorize": True}
    one = {**search, "key": STACKED_SEARCH, "config": {**search["config"], "settings": settings}}
    other = {**trial, "key": STACKED_TRIAL, "config": {**trial["config"], "options": {"stack": grid}}}
    write_old_store(working_folder / "old.sqlite", [("searches", one), ("trials", other)])
    with Store(working_folder / "old.sqlite", create=False) as store:
        assert [record.key for record in store.all(SearchRecord)] == [STACKED_SEARCH]
        assert [record.key for record in store.all(TrialRecord)] == [STACKED_TRIAL]


def test_two_old_stores_are_merged(working_folder: Path, rows: Rows, capsys: pytest.CaptureFixture[str]) -> None:
    write_old_store(working_folder / "one.sqlite", rows[:900])
    write_old_store(working_folder / "other.sqlite", rows[800:])
    assert main(["store", "merge", "all.sqlite", "one.sqlite", "other.sqlite"]) == 0
    assert "0 conflicts" in capsys.readouterr().out
    with Store(working_folder / "all.sqlite", create=False) as store:
        assert sum(store.count(kind) for kind in (TrialRecord, SearchRecord, ExtrapolationRecord)) == len(rows)
