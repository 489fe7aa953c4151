"""What array tasks report: each attempt at a task writes one SQLite file, which the driver reads.

    ib-bench-20261125-120000-004213111/7.000.sqlite    the first attempt at task 7 of this submission
    ib-bench-20261125-120000-004213111/7.001.sqlite    the second attempt, after the task was queued again

All nodes see the folder, usually over NFS. SQLite is safe enough there as it is used here:

- Each file has one writer. An attempt that was taken for dead and still runs cannot damage the file of the next one.
- The files keep SQLite's default rollback journal. WAL needs memory that all its processes share, which machines do
  not have in common.
- Readers open a file read-only and retry later on any error: it may be locked, incomplete, or in the middle of a commit.
  So no reader ever writes to a file whose writer may be alive.
- A writer that is killed during a commit leaves a journal that SQLite has to roll back before anybody can read the
  file. Only readers that know that the task has ended may do so; they open the file for writing.

The file system needs working POSIX locks, as NFS has. Without them SQLite raises in the array task, and the driver
gives its calls up with that error.
"""

from __future__ import annotations

import pickle
import sqlite3
import time
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ib_bench.execution.executor import Outcome, Passing

_TRANSIENT_EVERY_S = 1.0
_LOCK_TIMEOUT_S = 300.0  # a reader whose machine has crashed keeps its lock until the file server notices

Task = tuple[str, int]
"""An array task: the name of its submission and its number there."""


class Attempt:
    """Writes the file of one attempt. Every row is on disk when its method returns.

    Args:
        folder: of all submissions.
        task: the array task.

    Raises:
        sqlite3.Error: the file cannot be written; also raised by every method.
    """

    def __init__(self, folder: Path, task: Task) -> None:
        name, number = task
        earlier = list((folder / name).glob(f"{number}.*.sqlite"))
        self._path = folder / name / f"{number}.{len(earlier):03}.sqlite"
        self._transient: Any = None
        self._transient_at_s = -_TRANSIENT_EVERY_S
        with self._database() as database:
            database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, call TEXT, kind TEXT, value BLOB)")

    def begin(self, call: str) -> None:
        """Report that a call begins."""
        self._insert(call, "begin", None)

    def emit(self, call: str, event: Any) -> None:
        """Report an event. Of the transient events only the newest is kept, and written at most once a second."""
        if not isinstance(event, Passing):
            self._insert(call, "event", event)
            return
        self._transient = event
        if time.monotonic() - self._transient_at_s >= _TRANSIENT_EVERY_S:
            self._insert_transient(call)

    def end(self, call: str, outcome: Outcome[Any]) -> None:
        """Report how a call ended."""
        self._insert_transient(call)
        self._insert(call, "outcome", outcome)

    def _insert_transient(self, call: str) -> None:
        if self._transient is not None:
            self._insert(call, "transient", self._transient)
            self._transient, self._transient_at_s = None, time.monotonic()

    def _insert(self, call: str, kind: str, value: Any) -> None:
        row = (call, kind, pickle.dumps(value))
        with self._database() as database, database:
            if kind == "transient":
                database.execute("DELETE FROM rows WHERE call = ? AND kind = 'transient'", (call,))
            database.execute("INSERT INTO rows (call, kind, value) VALUES (?, ?, ?)", row)

    def _database(self) -> closing[sqlite3.Connection]:
        return closing(sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT_S))


class Reader:
    """Reads what is new about some calls.

    Args:
        folder: of all submissions.
        tasks: for each call the array tasks whose reports count; it may change between two looks.

    Attributes:
        begun: for each array task the calls that it has begun, other calls than the given ones included.
        outcomes: of the calls that have ended.
    """

    def __init__(self, folder: Path, tasks: Mapping[str, Sequence[Task]]) -> None:
        self._folder, self._tasks = folder, tasks
        self._seen: dict[Path, tuple[tuple[int, int], int]] = {}
        self.begun: dict[Task, set[str]] = defaultdict(set)
        self.outcomes: dict[str, Outcome[Any]] = {}

    def news(self, running: Container[Task] | None) -> list[tuple[str, Any]]:
        """New events of calls that have not ended, in order.

        Args:
            running: array tasks that may still write; None means any.
        """
        wanted = {task for call, tasks in self._tasks.items() if call not in self.outcomes for task in tasks}
        events = []
        for name in sorted({name for name, _ in wanted}):
            for path in sorted((self._folder / name).glob("*.sqlite")):
                task = (name, int(path.name.split(".")[0]))
                if task not in wanted:
                    continue
                for call, kind, value in self._new_rows(path, running is None or task in running):
                    self.begun[task].add(call)
                    if call in self.outcomes or task not in self._tasks.get(call, ()):
                        continue
                    if kind == "outcome":
                        self.outcomes[call] = value
                    elif kind != "begin":
                        events.append((call, value))
        return events

    def _new_rows(self, path: Path, has_writer: bool) -> Iterator[tuple[str, str, Any]]:
        """Calls, kinds and values that have been added to a file, as far as it can be read."""
        seen, newest = self._seen.get(path, (None, 0))
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if has_writer and stamp == seen:  # a clock's tick may hide a change, so a last look always reads
                return
            with closing(sqlite3.connect(f"{path.as_uri()}?mode={'ro' if has_writer else 'rw'}", uri=True)) as database:
                command = "SELECT id, call, kind, value FROM rows WHERE id > ? ORDER BY id"
                rows = database.execute(command, (newest,)).fetchall()
        except (sqlite3.Error, OSError):
            return
        self._seen[path] = stamp, rows[-1][0] if rows else newest
        for _, call, kind, value in rows:
            try:
                yield call, kind, pickle.loads(value)
            except (pickle.UnpicklingError, AttributeError, ImportError):  # of another version of the classes
                continue
