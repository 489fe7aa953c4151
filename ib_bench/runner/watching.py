"""Watchers receive the progress of running jobs: the store's list of running commands, a log file, a display."""

from __future__ import annotations

import logging
import os
import shlex
import socket
import sys
import threading
import time
import warnings
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType
from typing import Any

from ib_bench.errors import BenchError
from ib_bench.plain_text import number_of
from ib_bench.quantities.job import Job
from ib_bench.quantities.progress import Progress
from ib_bench.results.run_status import RunningJob, RunStatus, forget_past_runs, pid_started, put_run_status, utc_now
from ib_bench.results.store import Store

_LOGGER = logging.getLogger("ib_bench")

_STATUS_INTERVAL_S = 2.0
_HEARTBEAT_S = 60.0


@dataclass(frozen=True)
class Batch:
    """Jobs that run together.

    Attributes:
        jobs: that run, in the order in which they start.
        num_stored: how many others were in the store already.
        what: they are, in the plural.
        executor: name of where they run.
        costs_s: about how many seconds each takes.
        num_at_once: how many run side by side, as far as is known.
    """

    jobs: Sequence[Job[Any]]
    num_stored: int
    what: str
    executor: str
    costs_s: Sequence[float]
    num_at_once: int


class Watcher(ABC):
    """Context manager that receives the progress of running jobs."""

    def __enter__(self) -> Watcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave(error)

    @abstractmethod
    def show(self, index: int, newest: Progress) -> None:
        """There is news of the job with this index."""

    @abstractmethod
    def lose(self, index: int) -> None:
        """The process of this job has died; the job waits to be run again."""

    @abstractmethod
    def wait(self, index: int, reason: str) -> None:
        """The job waits for something before it can run."""

    @abstractmethod
    def leave(self, error: BaseException | None) -> None:
        """All jobs have ended, or the command has failed.

        Args:
            error: what ended the command, or None.
        """


def _ending(error: BaseException | None) -> str:
    """How a command has ended: ``ended``, ``interrupted`` or ``failed``."""
    if error is None:
        return "ended"
    return "failed" if isinstance(error, Exception) else "interrupted"


class StatusKeeper(Watcher):
    """Keeps in the store what this command does, for ``ib-bench status``.

    Also while there is no news of any job, as when all of them wait in a queue, it says from time to time that the
    command lives: on another host nothing else shows it.

    Args:
        store: path of the store.
        batch: the jobs that run.
        command: what the run is called; None is this process's command line.
    """

    def __init__(self, store: Path, batch: Batch, command: str | None = None) -> None:
        self._jobs = batch.jobs
        self._newest: dict[int, Progress] = {}
        self._started_at: dict[int, str] = {}
        self._failures: dict[int, str] = {}
        self._waiting: dict[int, str] = {}
        self._start = RunStatus(
            command=command or shlex.join(["ib-bench", *sys.argv[1:]]),
            host=socket.gethostname(),
            pid=os.getpid(),
            executor=batch.executor,
            what=batch.what,
            started_at=utc_now(),
            updated_at=utc_now(),
            state="running",
            num_jobs=batch.num_stored + len(batch.jobs),
            num_stored=batch.num_stored,
            max_evaluations=sum(job.max_evaluations for job in batch.jobs),
            pid_started=pid_started(os.getpid()),
        )
        self._store = Store(store)
        forget_past_runs(self._store)
        put_run_status(self._store, self._start)
        self._lock = threading.Lock()
        self._has_news = False
        self._over = threading.Event()
        self._writer = threading.Thread(target=self._keep_writing, daemon=True)
        self._writer.start()

    def show(self, index: int, newest: Progress) -> None:
        """See :class:`Watcher`."""
        with self._lock:
            self._has_news = True
            self._newest[index] = newest
            self._waiting.pop(index, None)
            self._started_at.setdefault(index, utc_now())
            if newest.error is not None:
                self._failures[index] = newest.error
            elif index in self._failures:
                del self._failures[index]

    def lose(self, index: int) -> None:
        """See :class:`Watcher`."""
        with self._lock:
            self._has_news = True
            self._newest.pop(index, None)
            self._started_at.pop(index, None)

    def wait(self, index: int, reason: str) -> None:
        """See :class:`Watcher`."""
        with self._lock:
            self._has_news = True
            self._waiting[index] = reason

    def leave(self, error: BaseException | None) -> None:
        """See :class:`Watcher`."""
        self._over.set()
        self._writer.join()
        reason = str(error) if isinstance(error, Exception) else None
        try:
            last = replace(self._now(), state=_ending(error), error=reason, jobs=[], num_waiting={})
            put_run_status(self._store, last)
        except BenchError:
            if error is None:  # otherwise the raised error says more
                raise
        finally:
            self._store.close()

    def _keep_writing(self) -> None:
        written_at = time.monotonic()
        while not self._over.wait(_STATUS_INTERVAL_S):
            if self._has_news or time.monotonic() - written_at >= _HEARTBEAT_S:
                with suppress(BenchError), Store(self._store.path, create=False) as store:  # leave() raises it
                    put_run_status(store, self._now())
                written_at = time.monotonic()

    def _now(self) -> RunStatus:
        """The current state of the command."""
        with self._lock:
            self._has_news = False
            ended = {index for index, newest in self._newest.items() if newest.ended}
            evaluations = [
                self._jobs[index].max_evaluations if index in ended else newest.num_evaluations
                for index, newest in self._newest.items()
            ]
            return replace(
                self._start,
                updated_at=utc_now(),
                num_finished=len(ended) - len(self._failures),
                failures=[(self._jobs[index].label, error) for index, error in self._failures.items()],
                num_evaluations=sum(evaluations),
                jobs=[self._running_job(index) for index in sorted(self._newest.keys() - ended)],
                num_waiting=dict(Counter(self._waiting.values())),
            )

    def _running_job(self, index: int) -> RunningJob:
        job, newest = self._jobs[index], self._newest[index]
        return RunningJob(
            label=job.label,
            place=newest.place,
            started_at=self._started_at[index],
            size=newest.size,
            num_evaluations=newest.num_evaluations,
            max_evaluations=job.max_evaluations,
            num_trials=newest.num_trials,
            max_trials=job.num_configurations,
            num_steps=newest.num_steps,
            max_steps=job.max_steps,
            val_loss=newest.val_loss,
        )


class LogFile(Watcher):
    """Logs a line for each event to the logger ``ib_bench``, which writes to a file while jobs run.

    Args:
        path: of the file; lines are added to one that exists.
        batch: the jobs that run.

    Raises:
        BenchError: the file cannot be written.
    """

    def __init__(self, path: str, batch: Batch) -> None:
        self._jobs = batch.jobs
        self._what = batch.what
        self._newest: dict[int, Progress] = {}
        self._reasons: set[str] = set()
        self._handler = _file_handler(path)
        self._level = _LOGGER.level
        _LOGGER.addHandler(self._handler)
        _LOGGER.setLevel(logging.INFO)
        stored = f"{batch.num_stored} in the store"
        self._log(f"{number_of(len(batch.jobs), batch.what)} to run, {stored}; executor {batch.executor}")

    def show(self, index: int, newest: Progress) -> None:
        """See :class:`Watcher`."""
        old, label = self._newest.get(index), self._jobs[index].label
        self._newest[index] = newest
        if newest.place and (old is None or old.place != newest.place):
            again = "" if old is None else f" again, as {old.place} is lost"
            self._log(f"{label}: started{again} in {newest.place}")
        if newest.error is not None:
            self._log(f"{label}: failed: {newest.error}", logging.ERROR)
        elif newest.verdict is not None:
            self._log(f"{label}: {newest.verdict}")
        elif old is not None and newest.num_evaluations > old.num_evaluations:
            of = self._jobs[index].max_evaluations
            done = f"{newest.num_evaluations} of at most {number_of(of, 'evaluations')} done"
            self._log(f"{label}: {done}, the last at N = {newest.judged_size}")

    def lose(self, index: int) -> None:
        """See :class:`Watcher`."""
        newest = self._newest.pop(index, None)
        where = "before it has started" if newest is None else f"in {newest.place}"
        self._log(f"{self._jobs[index].label}: lost {where}; will run again", logging.WARNING)

    def wait(self, index: int, reason: str) -> None:
        """See :class:`Watcher`; each reason is logged once."""
        if reason not in self._reasons:
            self._reasons.add(reason)
            self._log(f"{self._jobs[index].label}: waiting for {reason} (other jobs may wait too)")

    def leave(self, error: BaseException | None) -> None:
        """See :class:`Watcher`."""
        verdicts = sum(newest.verdict is not None for newest in self._newest.values())
        failures = sum(newest.error is not None for newest in self._newest.values())
        rest = len(self._jobs) - verdicts - failures
        finished = f"{verdicts} of {number_of(len(self._jobs), self._what)} finished"
        counts = f"{finished}, {failures} failed" + (f", {rest} not finished" if rest else "")
        reason = f" ({error})" if _ending(error) == "failed" else ""
        try:
            self._log(f"{_ending(error)}{reason}: {counts}", logging.ERROR if reason else logging.INFO)
        finally:
            _LOGGER.removeHandler(self._handler)
            _LOGGER.setLevel(self._level)
            with suppress(OSError):  # the handler has warned about a full disk already
                self._handler.close()

    def _log(self, message: str, level: int = logging.INFO) -> None:
        _LOGGER.log(level, "%s", " ".join(message.split()))


class _UtcFormatter(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="seconds")


class _Handler(logging.FileHandler):
    """Warns once if it cannot write; never raises."""

    _has_complained = False

    def handleError(self, record: logging.LogRecord) -> None:
        if not self._has_complained:
            self._has_complained = True
            warnings.warn(f"log_file {self.baseFilename} cannot be written: {sys.exc_info()[1]}", stacklevel=2)


def _file_handler(path: str) -> logging.FileHandler:
    try:
        handler = _Handler(path, encoding="utf-8")
    except OSError as error:
        raise BenchError(f"log_file must be a file that can be written, got {path!r}: {error.strerror}") from error
    handler.setFormatter(_UtcFormatter("%(asctime)s %(levelname)s %(message)s"))
    return handler
