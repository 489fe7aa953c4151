"""Stores that went wrong, or are old."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterable
from pathlib import Path

from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.codec import to_plain
from ib_bench.results.records import Record
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

VERSION_1 = """
CREATE TABLE trials (key TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE searches (key TEXT PRIMARY KEY, finished INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE extrapolations (key TEXT PRIMARY KEY, record TEXT NOT NULL);
PRAGMA application_id = 465468480;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""


def sqlite_recovers() -> bool:
    """Whether this machine's ``sqlite3`` can recover a file: Debian and Ubuntu build it without the table it needs."""
    if shutil.which("sqlite3") is None:
        return False
    probe = ["sqlite3", ":memory:", "SELECT count(*) FROM sqlite_dbpage"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def write_store(path: Path, records: Iterable[Record]) -> None:
    """A store with records, all of it in one file."""
    with Store(path) as store:
        store.add_all(records)


def write_old_store(path: Path, records: Iterable[Record]) -> None:
    """A store of version 1, whose records have no checksums."""
    connection = sqlite3.connect(path)
    with connection:
        connection.executescript(VERSION_1)
        for record in records:
            plain = {name: value for name, value in to_plain(record).items() if name != "shape"}
            key, text = record.key, json.dumps(plain)
            if isinstance(record, SearchRecord):
                row = (key, record.status == "finished", text)
                connection.execute("INSERT INTO searches VALUES (?, ?, ?)", row)
            else:
                table = "trials" if isinstance(record, TrialRecord) else "extrapolations"
                connection.execute(f"INSERT INTO {table} VALUES (?, ?)", (key, text))
    connection.close()


def flip_in_record(path: Path, key: str) -> None:
    """Change a digit of a record, which stays valid JSON."""
    content = path.read_bytes()
    record = content.index(b'"key": "%s"' % key.encode())
    flip_byte(path, content.index(b"2026-01-01", record))


def flip_in_page(path: Path, table: str) -> None:
    """Change the kind of a table's first page, so that SQLite finds it malformed."""
    connection = sqlite3.connect(path)
    (number,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    flip_byte(path, (number - 1) * size)


def flip_byte(path: Path, at: int) -> None:
    """Change the last bit of a byte."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def truncate(path: Path, share: float) -> None:
    """Keep the beginning of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
