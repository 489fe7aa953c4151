"""``ib-bench store`` as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from damage import flip_in_page, flip_in_record, write_store
from made_up_records import Point, paper_like, search

from ib_bench.cli import main
from ib_bench.results.archive import read_archive
from ib_bench.results.store import Store

TRIALS = list(paper_like().trials)
ROOT = str(Path(__file__).parents[2])


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "250")  # so that no cell wraps
    write_store(tmp_path / "ib_bench.sqlite", TRIALS)
    return tmp_path


def test_check(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "check"]) == 0
    assert "all 90 records are as they were written" in capsys.readouterr().out
    flip_in_record(Path("ib_bench.sqlite"), TRIALS[0].key)
    assert main(["store", "check"]) == 1
    assert "1 of 90 records are damaged" in capsys.readouterr().out
    assert main(["store", "check", "--format", "json"]) == 1
    findings = json.loads(capsys.readouterr().out)
    assert [finding["names"] for finding in findings if finding["state"] == "damaged"] == [[TRIALS[0].key]]


def test_a_warning_is_one_sentence() -> None:
    flip_in_record(Path("ib_bench.sqlite"), TRIALS[0].key)
    command = [sys.executable, "-m", "ib_bench", "store", "export", "all.jsonl.gz"]
    told = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT}).stderr
    assert told.startswith("ib-bench: warning: left out of store 'ib_bench.sqlite': 1 trial, damaged; ")
    assert told.count("\n") == 1


def test_export(working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    assert main(["store", "export", "all.jsonl.gz"]) == 0
    assert list(read_archive(Path("all.jsonl.gz")).trials) == sorted(TRIALS, key=lambda trial: trial.key)
    assert main(["store", "export", "trials.csv"]) == 0
    assert main(["store", "export", "searches.parquet", "--what", "searches"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "all.jsonl.gz: 90 trials, 0 curves, 0 searches, 0 saturations, 0 extrapolations",
        "trials.csv: 90 rows of trials",
        "searches.parquet: 0 rows of searches",
    ]
    names = ["all.jsonl.gz", "ib_bench.sqlite", "searches.parquet", "trials.csv"]
    assert sorted(path.name for path in working_folder.iterdir()) == names


def test_export_to_parquet_without_pyarrow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["store", "export", "trials.parquet"]) == 2
    assert "needs pyarrow: pip install 'ib_bench[parquet]'" in capsys.readouterr().err
    assert not Path("trials.parquet").exists()


def test_merge_shows_conflicts_and_what_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    write_store(Path("other.sqlite"), [replace(TRIALS[0], status="diverged"), *TRIALS[1:]])
    assert main(["store", "merge", "new.sqlite", "ib_bench.sqlite"]) == 0
    assert "new.sqlite: 90 records added, 0 already there, 0 conflicts" in capsys.readouterr().out
    assert main(["store", "merge", "new.sqlite", "other.sqlite"]) == 1
    printed = capsys.readouterr().out
    assert TRIALS[0].key in printed and "status failed, not diverged" in printed
    assert "0 records added, 89 already there, 1 conflict" in printed
    flip_in_record(Path("ib_bench.sqlite"), TRIALS[0].key)
    assert main(["store", "merge", "another.sqlite", "ib_bench.sqlite"]) == 0
    printed = capsys.readouterr().out
    assert "ib_bench.sqlite: 1 record left out: damaged" in printed
    assert "another.sqlite: 89 records added, 0 already there, 0 conflicts" in printed


def test_vacuum(capsys: pytest.CaptureFixture[str]) -> None:
    flip_in_record(Path("ib_bench.sqlite"), TRIALS[0].key)
    assert main(["store", "vacuum", "--dry_run"]) == 0
    assert f"1 record would be removed as damaged: {TRIALS[0].key}" in capsys.readouterr().out
    left = Path("ib_bench.sqlite.weights/a.pt.1")  # of a process that was killed
    left.parent.mkdir()
    left.touch()
    os.utime(left, (0, 0))
    assert main(["store", "vacuum"]) == 0
    printed = capsys.readouterr().out
    assert f"1 record removed as damaged: {TRIALS[0].key}" in printed and f"1 file removed: {left}" in printed
    assert main(["store", "check"]) == 0


CASES = {
    "subcommand": (["store", "chek"], "unknown subcommand of store 'chek', did you mean 'check'?"),
    "ending": (["store", "export", "a.txt"], "file must be a name that ends in .jsonl.gz, .csv or .parquet"),
    "archive of one kind": (["store", "export", "a.jsonl.gz", "--what", "trials"], "what must be left out"),
    "no such kind": (
        ["store", "export", "a.csv", "--what", "runs"],
        "known: curves, extrapolations, growth, searches, sharing, trials",
    ),
    "no such folder": (["store", "export", "none/a.csv"], "file must be a file that can be written, got 'none/a.csv'"),
    "no store": (["store", "check", "--store", "none.sqlite"], "does not exist"),
    "a store and a submission": (
        ["store", "check", "--submission", "sent", "--store", "bad.sqlite"],
        "store must be left out with --submission, got 'bad.sqlite'",
    ),
    "a protocol without a submission": (["store", "check", "--protocol", "x"], "left out without --submission"),
    "nothing to merge": (["store", "merge", "new.sqlite"], "sources"),
    "an archive to merge into": (["store", "merge", "a.jsonl.gz", "ib_bench.sqlite"], "name a store to merge into"),
    "malformed, checked otherwise": (["results", "--store", "bad.sqlite"], "store 'bad.sqlite' is damaged"),
    "malformed, trials": (["trials", "--store", "bad.sqlite"], "store 'bad.sqlite' is damaged"),
    "malformed, report": (["report", "--store", "bad.sqlite"], "store 'bad.sqlite' is damaged"),
    "malformed, claims": (["claims", "--store", "bad.sqlite"], "store 'bad.sqlite' is damaged"),
    "malformed, export": (["store", "export", "a.jsonl.gz", "--store", "bad.sqlite"], "store 'bad.sqlite' is damaged"),
    "malformed, vacuum": (["store", "vacuum", "--store", "bad.sqlite"], "store 'bad.sqlite' is damaged"),
    "malformed, merged": (["store", "merge", "new.sqlite", "bad.sqlite"], "store 'bad.sqlite' is damaged"),
    "malformed, merged into": (["store", "merge", "bad.sqlite", "ib_bench.sqlite"], "store 'bad.sqlite' is damaged"),
}


@pytest.mark.parametrize("name", CASES)
def test_one_sentence(name: str, working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, expected = CASES[name]
    write_store(Path("bad.sqlite"), paper_like())
    for table in ("trials", "searches"):
        flip_in_page(Path("bad.sqlite"), table)
    before = {path.name for path in working_folder.iterdir()}
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and expected in err, err
    assert {path.name for path in working_folder.iterdir()} == before


def test_they_do_not_import_torch() -> None:
    code = (
        "import sys\nfrom ib_bench.cli import main\n"
        "for command in (['check'], ['export', 'a.csv'], ['vacuum'], ['merge', 'new.sqlite', 'ib_bench.sqlite']):\n"
        "    assert main(['store', *command]) == 0, command\n"
        "assert not {'torch', 'lightning', 'wandb', 'altair', 'matplotlib', 'pyarrow'} & set(sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_a_terminal_without_the_sign_for_infinity(tmp_path: Path) -> None:
    with Store(tmp_path / "ib_bench.sqlite") as store:
        store.add(search(Point("LSTM", "outcome"), None))
    command = [sys.executable, "-m", "ib_bench", "results"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    listed = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "(4,096, ?]" in listed.stdout
