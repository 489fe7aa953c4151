"""What is known of calls that run on other machines, as files in a folder that all of them see.

Files of a call begin with its id. Every attempt at it writes a journal of its own, so that an attempt that is taken
for dead and is not can spoil nothing:

    3f2a.000.journal    the first attempt: who makes it, its events, its outcome
    3f2a.001.journal    the second one
    3f2a.passing        the newest event of which only the newest counts
    3f2a.told           its caller has been told the outcome
"""

from __future__ import annotations

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ib_bench.execution.executor import CallResult, TransientEvent
from ib_bench.execution.slurm.journal import Journal, read_frames, replace_frame

_PASSING_EVERY_S = 1.0

Task = tuple[str, int]
"""An array task: the name of its submission and its number there."""


@dataclass(frozen=True)
class Began:
    """The first frame: an array task has begun an attempt."""

    task: Task


@dataclass(frozen=True)
class Event:
    """An event of the call that is not passing."""

    value: Any


@dataclass(frozen=True)
class Ended:
    """The last frame."""

    outcome: CallResult[Any]


class CallFiles:
    """The folder.

    Args:
        folder: of the files; it must exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def listing(self) -> dict[str, list[str]]:
        """Names of all files, by the id of their call, sorted: one look at the folder for all calls."""
        names: dict[str, list[str]] = defaultdict(list)
        for name in sorted(os.listdir(self.folder)):
            names[name.split(".")[0]].append(name)
        return names

    def tell(self, call: str) -> None:
        """Its caller has been told the outcome."""
        (self.folder / f"{call}.told").touch()

    def remove(self, calls: Iterable[str]) -> None:
        """Forget calls."""
        names = self.listing()
        for name in itertools.chain.from_iterable(names.get(call, []) for call in calls):
            (self.folder / name).unlink(missing_ok=True)


class Attempt:
    """The writing end of one attempt.

    Args:
        files: where.
        call: id of the call.
        task: that makes the attempt.
    """

    def __init__(self, files: CallFiles, call: str, task: Task) -> None:
        self._passing_path = files.folder / f"{call}.passing"
        self._passing: Any = None
        self._passing_at = -_PASSING_EVERY_S
        self._journal = self._open(files, call)
        self._journal.append(Began(task))

    @staticmethod
    def _open(files: CallFiles, call: str) -> Journal:
        for number in itertools.count():
            try:
                return Journal(files.folder / f"{call}.{number:03}.journal")
            except FileExistsError:
                continue
        raise AssertionError

    def emit(self, event: Any) -> None:
        """Write an event down; passing ones at most once a second."""
        if not isinstance(event, TransientEvent):
            self._journal.append(Event(event))
            return
        self._passing = event
        if time.monotonic() - self._passing_at >= _PASSING_EVERY_S:
            self._write_passing()

    def end(self, outcome: CallResult[Any]) -> None:
        """Write down how the call ended."""
        self._write_passing()
        self._journal.append(Ended(outcome))

    def close(self) -> None:
        """Nothing more is written."""
        self._journal.close()

    def _write_passing(self) -> None:
        if self._passing is not None:
            replace_frame(self._passing_path, self._passing)
            self._passing, self._passing_at = None, time.monotonic()


class Reader:
    """The reading end of a call: what is new since the last look.

    Args:
        files: where.
        call: id of the call.

    Attributes:
        began: the array tasks that have begun it.
        outcome: how it ended, or None.
        told: whether a caller had been told so before.
    """

    def __init__(self, files: CallFiles, call: str) -> None:
        self._folder = files.folder
        self._passing_path = files.folder / f"{call}.passing"
        self._offsets: dict[str, int] = {}
        self._passing_file = 0, 0
        self.began: set[Task] = set()
        self.outcome: CallResult[Any] | None = None
        self.told = False

    def news(self, names: Sequence[str]) -> list[Any]:
        """New events, in order; the newest passing one comes last.

        Args:
            names: of the call's files, as :meth:`CallFiles.listing` has them.
        """
        ended = self.outcome is not None
        self.told = self.told or any(name.endswith(".told") for name in names)
        events = [event for name in names if name.endswith(".journal") for event in self._read_on(name)]
        if self._passing_path.name in names or (self.outcome is not None and not ended):
            events += self._read_passing()
        return events

    def _read_on(self, name: str) -> list[Any]:
        path, offset = self._folder / name, self._offsets.get(name, 0)
        if path.stat().st_size <= offset:
            return []
        frames, self._offsets[name] = read_frames(path, offset)
        for frame in frames:
            if isinstance(frame, Began):
                self.began.add(frame.task)
            elif isinstance(frame, Ended) and self.outcome is None:
                self.outcome = frame.outcome
        return [frame.value for frame in frames if isinstance(frame, Event)]

    def _read_passing(self) -> list[Any]:
        try:
            stat = self._passing_path.stat()
        except FileNotFoundError:
            return []
        file = stat.st_ino, stat.st_mtime_ns  # of two files in one tick of the clock the numbers differ
        if file == self._passing_file:
            return []
        self._passing_file = file
        return read_frames(self._passing_path)[0]
