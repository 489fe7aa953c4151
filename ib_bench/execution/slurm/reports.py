"""The reports of array tasks: each attempt at a task writes one SQLite file, which the driver reads.

    ib-bench-20261125-120000-004213111/7.000.sqlite    the first attempt at task 7 of this submission
    ib-bench-20261125-120000-004213111/7.001.sqlite    the second attempt, after the task was queued again

All nodes see the folder, usually over NFS. SQLite is safe enough there as it is used here:

- Each file has one writer. An attempt that was taken for dead and still runs cannot damage the file of the next one.
- The files keep SQLite's default rollback journal (DELETE). WAL needs memory that all processes share.
- Readers open a file read-only and try again later after any error: it may be locked, incomplete, or in the middle of
  a commit. So no reader writes to a file whose writer may be alive.
- A writer that is killed during a commit leaves a journal, which SQLite has to roll back before the file can be read.
  Only a reader that knows that the task has ended opens the file for writing and thereby does so.

The file system needs working POSIX locks, as NFS has. Without them SQLite raises in the array task, and the driver
gives its calls up with that error.
"""

from __future__ import annotations

import pickle
import sqlite3
import time
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from ib_bench.execution.executor import CallResult, TransientEvent

_TRANSIENT_EVERY_S = 1.0
_LOCK_TIMEOUT_S = 300.0  # a reader whose machine has crashed keeps its lock until the file server notices

Task = tuple[str, int]
"""An array task: the name of its submission and its number there."""


class Attempt:
    """Writes the file of one attempt at an array task. Every row is on disk when its method returns.

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
        self._held: Any = None
        self._hold_until_s = 0.0
        with closing(sqlite3.connect(self._path)) as database:
            database.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY AUTOINCREMENT, call TEXT, kind TEXT, value)")

    def emit(self, call: str, event: Any) -> None:
        """Report an event. Of the transient events only the newest is kept, and written at most once a second."""
        if not isinstance(event, TransientEvent):
            self.write(call, "event", event)
        elif time.monotonic() >= self._hold_until_s:
            self.write(call, "transient", event)
        else:
            self._held = event

    def end(self, call: str, outcome: CallResult[Any]) -> None:
        """Report how a call ended."""
        if self._held is not None:
            self.write(call, "transient", self._held)
        self.write(call, "outcome", outcome)

    def write(self, call: str, kind: str, value: Any = None) -> None:
        """Add a row whose kind is "begin", "event", "transient" or "outcome"."""
        row = (call, kind, pickle.dumps(value))
        with closing(sqlite3.connect(self._path, timeout=_LOCK_TIMEOUT_S)) as database, database:
            if kind == "transient":
                database.execute("DELETE FROM rows WHERE call = ? AND kind = ?", (call, kind))
                self._held, self._hold_until_s = None, time.monotonic() + _TRANSIENT_EVERY_S
            database.execute("INSERT INTO rows (call, kind, value) VALUES (?, ?, ?)", row)


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
        self.outcomes: dict[str, CallResult[Any]] = {}

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
                rows = self._new_rows(path, running is None or task in running) if task in wanted else []
                for _, call, kind, value in rows:
                    self.begun[task].add(call)
                    if call in self.outcomes or task not in self._tasks.get(call, ()):
                        continue
                    try:
                        value = pickle.loads(value)
                    except (pickle.UnpicklingError, AttributeError, ImportError):  # of another version of the classes
                        continue
                    if kind == "outcome":
                        self.outcomes[call] = value
                    elif kind != "begin":
                        events.append((call, value))
        return events

    def _new_rows(self, path: Path, has_writer: bool) -> list[Any]:
        """Rows that were added to a file since the last look, as far as it can be read."""
        seen, newest = self._seen.get(path, (None, 0))
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if has_writer and stamp == seen:  # two changes may have the same stamp, so the last look always reads
                return []
            with closing(sqlite3.connect(f"{path.as_uri()}?mode={'ro' if has_writer else 'rw'}", uri=True)) as database:
                rows = database.execute("SELECT * FROM rows WHERE id > ? ORDER BY id", (newest,)).fetchall()
        except (sqlite3.Error, OSError):
            return []
        self._seen[path] = stamp, rows[-1][0] if rows else newest
        return rows
