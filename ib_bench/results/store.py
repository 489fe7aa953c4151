"""One SQLite file that holds every trial, search and extrapolation.

A trial is written, in one transaction, as soon as it has ended: whatever kills the program, only trials in flight are
lost. Write-ahead logging lets several processes of one machine share the file. A record's key is the hash of its
config, and the first writer wins, so nothing is stored twice.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType

from ib_bench.errors import StoreError
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import (
    ExtrapolationRecord,
    SearchRecord,
    TrialRecord,
    extrapolation_record,
    search_record,
    trial_record,
)

SCHEMA_VERSION = 1
_APPLICATION_ID = 0x1BBE7C40  # in the file's header, so that another program's database is not mistaken for a store
_LOCK_TIMEOUT_S = 60.0

_SCHEMA = """
CREATE TABLE trials (key TEXT PRIMARY KEY, record TEXT NOT NULL);
CREATE TABLE searches (key TEXT PRIMARY KEY, finished INTEGER NOT NULL, record TEXT NOT NULL);
CREATE TABLE extrapolations (key TEXT PRIMARY KEY, record TEXT NOT NULL);
"""


class Store(RecordStore):
    """A store of trials, searches and extrapolations.

    Args:
        path: of the SQLite file.
        create: make the file if there is none; otherwise its absence is an error.

    Raises:
        StoreError: the path cannot be written, holds something else, or a store of another schema version.
    """

    def __init__(self, path: Path | str, create: bool = True) -> None:
        self.path = Path(path)
        if not create and not self.path.exists():
            raise StoreError(
                f"store {str(self.path)!r} does not exist; a search creates it, or name another with --store"
            )
        try:
            self._connection = sqlite3.connect(self.path, timeout=_LOCK_TIMEOUT_S, isolation_level=None)
            self._open_schema()
        except sqlite3.Error as error:
            self._close_quietly()
            reason = str(error)
            hint = "choose another file with --store"
            raise StoreError(f"store {str(self.path)!r} cannot be used ({reason}); {hint}") from error
        except StoreError:
            self._close_quietly()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self._connection.close()

    def trial(self, key: str) -> TrialRecord | None:
        """The trial with this key, or None."""
        row = self._connection.execute("SELECT record FROM trials WHERE key = ?", (key,)).fetchone()
        return trial_record(json.loads(row[0])) if row else None

    def trials(self) -> Iterator[TrialRecord]:
        """All trials, in the order in which they ended."""
        for (record,) in self._connection.execute("SELECT record FROM trials ORDER BY rowid"):
            yield trial_record(json.loads(record))

    def trials_by_experiment(self) -> dict[str, list[str]]:
        """Keys of the trials of each experiment, which is given as JSON with sorted keys."""
        rows = self._connection.execute("SELECT key, json_extract(record, '$.config.experiment') FROM trials")
        canonical: dict[str, str] = {}
        keys: dict[str, list[str]] = {}
        for key, experiment in rows:
            if experiment not in canonical:
                canonical[experiment] = json.dumps(json.loads(experiment), sort_keys=True)
            keys.setdefault(canonical[experiment], []).append(key)
        return keys

    def num_trials(self) -> int:
        """How many trials there are."""
        return int(self._connection.execute("SELECT count(*) FROM trials").fetchone()[0])

    def add_trial(self, record: TrialRecord) -> None:
        """Keep a trial; the one that is there already stays."""
        with self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO trials VALUES (?, ?)", (record.key, _dump(record)))

    def search(self, key: str) -> SearchRecord | None:
        """The search with this key, finished or not, or None."""
        row = self._connection.execute("SELECT record FROM searches WHERE key = ?", (key,)).fetchone()
        return search_record(json.loads(row[0])) if row else None

    def searches(self) -> list[SearchRecord]:
        """All searches, in the order in which they began."""
        rows = self._connection.execute("SELECT record FROM searches ORDER BY rowid")
        return [search_record(json.loads(record)) for (record,) in rows]

    def put_search(self, record: SearchRecord) -> None:
        """Keep the newest state of a search; a finished one is never overwritten."""
        with self._transaction():
            self._connection.execute(
                "INSERT INTO searches VALUES (?1, ?2, ?3)"
                " ON CONFLICT (key) DO UPDATE SET finished = ?2, record = ?3 WHERE NOT finished",
                (record.key, record.status == "finished", _dump(record)),
            )

    def extrapolation(self, key: str) -> ExtrapolationRecord | None:
        """The extrapolation with this key, or None."""
        row = self._connection.execute("SELECT record FROM extrapolations WHERE key = ?", (key,)).fetchone()
        return extrapolation_record(json.loads(row[0])) if row else None

    def extrapolations(self) -> list[ExtrapolationRecord]:
        """All extrapolations, in the order in which they ended."""
        rows = self._connection.execute("SELECT record FROM extrapolations ORDER BY rowid")
        return [extrapolation_record(json.loads(record)) for (record,) in rows]

    def add_extrapolation(self, record: ExtrapolationRecord) -> None:
        """Keep an extrapolation; the one that is there already stays."""
        with self._transaction():
            self._connection.execute("INSERT OR IGNORE INTO extrapolations VALUES (?, ?)", (record.key, _dump(record)))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _open_schema(self) -> None:
        if self._pragma("application_id") == 0 and not self._has_tables():
            self._switch_to_wal()
            with self._transaction():
                if not self._has_tables():  # unless another process was faster
                    for statement in _SCHEMA.split(";"):
                        self._connection.execute(statement)
                    self._connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                    self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        if self._pragma("application_id") != _APPLICATION_ID:
            raise StoreError(f"store {str(self.path)!r} is a database of another program; choose another with --store")
        if (version := self._pragma("user_version")) != SCHEMA_VERSION:
            raise StoreError(
                f"store {str(self.path)!r} has schema version {version}, this ib-bench reads version {SCHEMA_VERSION}; "
                f"open it with the ib-bench that wrote it, or start a new one with --store"
            )

    def _switch_to_wal(self) -> None:
        """Write-ahead logging; SQLite does not wait here while another process does the same, so we do."""
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _close_quietly(self) -> None:
        if (connection := getattr(self, "_connection", None)) is not None:
            connection.close()

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])

    def _has_tables(self) -> bool:
        return bool(self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def _dump(record: TrialRecord | SearchRecord | ExtrapolationRecord) -> str:
    return json.dumps(asdict(record), allow_nan=False)
