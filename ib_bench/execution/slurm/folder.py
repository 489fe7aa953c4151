"""The folder that a driver and its array tasks share.

Each submission has a folder of its own in it:

    submission.json    the calls of each array task, and the parameters that Slurm was given
    3f2a.delivered     a caller has received the outcome of the call 3f2a
    *.sqlite           reports of the array tasks (:mod:`~ib_bench.execution.slurm.reports`)
    *.pkl, *.err, ...  files of submitit, and logs

``submission.json`` is written before Slurm is asked, under the name that Slurm knows the submission by. So a driver
that is killed in between leaves nothing that the next driver could submit twice.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ib_bench.errors import FatalError, InvalidOptionError
from ib_bench.execution.slurm.reports import Task
from ib_bench.results.whole_file import write_text_whole

_OPTION = "slurm.folder"
_ALLOWED = "a folder that can be written"


class Submission(NamedTuple):
    """Array tasks that were submitted together."""

    name: str
    chunks: list[list[str]]  # the calls of each task
    parameters: dict[str, Any]
    delivered: set[str]


class SlurmFolder:
    """A folder that need not exist yet.

    Args:
        path: of the folder.
    """

    def __init__(self, path: Path) -> None:
        self._given = path
        self.path = path.absolute()

    def check(self) -> None:
        """Find out whether the folder can be written, or could be made.

        Raises:
            InvalidOptionError: it cannot.
        """
        try:
            nearest = next(folder for folder in (self.path, *self.path.parents) if folder.exists())
            with tempfile.TemporaryFile(dir=nearest):  # permissions are not enough: some file systems take no files
                pass
        except OSError:
            raise InvalidOptionError(_OPTION, str(self._given), _ALLOWED) from None

    def submissions(self) -> Iterator[Submission]:
        """All submissions, oldest first."""
        for path in sorted(self.path.glob("*/submission.json")):
            with suppress(FileNotFoundError, ValueError):  # another driver removes it, or was killed while writing it
                chunks, parameters = json.loads(path.read_text(encoding="utf-8"))
                delivered = {mark.stem for mark in path.parent.glob("*.delivered")}
                yield Submission(path.parent.name, chunks, parameters, delivered)

    @contextmanager
    def new_submission(self, chunks: Sequence[Sequence[str]], parameters: dict[str, Any]) -> Iterator[str]:
        """The name of a new submission, whose tasks are queued within the context.

        An error removes the submission again, and the folder if this made it.
        """
        name = f"ib-bench-{time.strftime('%Y%m%d-%H%M%S')}-{time.time_ns() % 10**9:09}"
        folder = self.path / name
        made = [parent for parent in folder.parents if not parent.exists()]
        try:
            folder.mkdir(parents=True)
            write_text_whole(folder / "submission.json", json.dumps([chunks, parameters]))
            yield name
        except Exception:
            shutil.rmtree(folder, ignore_errors=True)
            for parent in made:
                with suppress(OSError):
                    parent.rmdir()
            raise

    def deliver(self, call: str, tasks: Sequence[Task]) -> None:
        """Note that a caller has received the outcome of a call."""
        for name, _ in tasks:
            with suppress(FileNotFoundError):  # another driver has removed the submission
                (self.path / name / f"{call}.delivered").touch()

    def tidy_up(self, busy: Container[str]) -> None:
        """Remove submissions of which all outcomes have been received, except those named as busy."""
        for submission in self.submissions():
            if submission.name not in busy and submission.delivered.issuperset(chain.from_iterable(submission.chunks)):
                shutil.rmtree(self.path / submission.name, ignore_errors=True)

    def last_log_line(self, task: Task) -> str | None:
        """The last line in the log of an array task that says something."""
        name, number = task
        logs = (self.path / name).glob("*_0_log.err")  # JOB_0_log.err, or in an array JOB_NUMBER_0_log.err
        own = [log for log in sorted(logs) if log.name.split("_")[1:-2] in ([], [str(number)])]
        texts = [log.read_text(encoding="utf-8", errors="replace") for log in own]
        lines = [line.strip() for text in texts for line in text.splitlines()]
        lines = [line for line in lines if line and "Exited with exit code" not in line]
        return lines[-1] if lines else None

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Within it, files of the folder are read and written.

        Raises:
            FatalError: that fails, for example because the disk is full.
        """
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise FatalError(f"{_OPTION} must be {_ALLOWED}, got {str(self._given)!r}: {reason}") from error
