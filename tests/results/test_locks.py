"""A store that is open stays locked, whatever else its process does with the file.

POSIX releases all locks of a process on a file when the process closes any of its handles of that file. So nothing but
SQLite may open a store.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from made_up_records import ACOT, Point, trial

from ib_bench.cli import main
from ib_bench.results.archive import is_archive
from ib_bench.results.database import is_database
from ib_bench.results.integrity import check_store
from ib_bench.results.store import Store
from ib_bench.results.whole_file import is_store

_OTHER = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
connection.execute("select count(*) from trials").fetchone()
connection.close()
"""
"""Another process; its SQLite deletes the write-ahead log if no other connection has locked the file."""


def open_again(path: Path) -> None:
    with Store(path):
        pass


@pytest.mark.parametrize("look", [open_again, is_archive, is_database, is_store, check_store])
def test_a_second_look_at_an_open_store_releases_no_lock(look: Callable[[Path], object], tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.add(trial(Point("LSTM", ACOT), 64))
        look(path)
        subprocess.run([sys.executable, "-c", _OTHER, path], check=True)
        assert Path(f"{path}-wal").exists()
        store.add(trial(Point("LSTM", ACOT), 65))
    with Store(path) as store:
        assert store.database.row("PRAGMA integrity_check") == (b"ok",)
        assert store.database.row("SELECT count(*) FROM trials") == (2,)


_opened: list[str] = []
_is_watched = False


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _is_watched and event == "open" and str(arguments[0]).endswith(".sqlite"):
        _opened.append(str(arguments[0]))


@contextmanager
def watched_files() -> Iterator[list[str]]:
    """The stores that Python opens meanwhile; SQLite opens files by itself."""
    global _is_watched  # a hook cannot be taken away
    _opened.clear()
    _is_watched = True
    try:
        yield _opened
    finally:
        _is_watched = False


sys.addaudithook(_note)

SEARCH = (
    "search --model DenseSSM --model.hidden_size 4 --data ModularAddition --data.modulus 2 --data.max_length 3 "
    "--search.learning_rates [0.01] --search.seeds [1] --search.max_steps 2 --search.max_size 4 --wandb.mode disabled"
)
COMMANDS = (
    f"{SEARCH} --store s.sqlite",
    f"{SEARCH} --store s.sqlite",
    "results --store s.sqlite",
    "trials --store s.sqlite",
    "status --store s.sqlite",
    "claims --store s.sqlite",
    "store check --store s.sqlite",
    "store export all.jsonl.gz --store s.sqlite",
    "store merge other.sqlite s.sqlite all.jsonl.gz",
    "store vacuum --store s.sqlite",
    "report --store s.sqlite --out report",
)


def test_no_command_opens_a_store_but_through_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with watched_files() as opened:
        Path("t.sqlite").write_bytes(b"")
        assert opened == ["t.sqlite"]
        opened.clear()
        for command in COMMANDS:
            assert main(command.split()) == 0, f"{command}: {capsys.readouterr().err}"
            assert opened == [], command
