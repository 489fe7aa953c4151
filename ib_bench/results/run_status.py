"""The state of running commands, kept in the store for `ib-bench status`."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from math import isfinite
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from ib_bench.results.codec import UnreadableRecordError, decode_plain
from ib_bench.results.records import Count
from ib_bench.results.store import Store

Pid = Annotated[int, Meta(ge=1, le=2**31 - 1)]

_FORGOTTEN_S = 86_400.0  # without an update; a living command sends one every minute


@dataclass(frozen=True)
class RunningJob:
    """A search or extrapolation that is under way.

    Attributes:
        label: what it is, in a few words.
        place: host and process that it runs in.
        started_at: UTC, ISO 8601.
        size: number of training sequences that is being tried, or None.
        num_evaluations: sizes judged so far, or trials of a curve.
        max_evaluations: how many there are at most.
        num_trials: trials of this size so far, the one in training included.
        max_trials: configurations of the grid.
        num_steps: optimizer steps of the trial in training.
        max_steps: of each trial.
        val_loss: its newest validation loss, in nats.
    """

    label: str
    place: str
    started_at: str
    size: Count | None
    num_evaluations: Count
    max_evaluations: Count
    num_trials: Count
    max_trials: Count
    num_steps: Count
    max_steps: Count
    val_loss: float | None

    def __post_init__(self) -> None:
        _require_time(self.started_at)


@dataclass(frozen=True)
class RunStatus:
    """A command that runs jobs, or has run them.

    Attributes:
        command: as it was given.
        host: that it runs on.
        pid: of its process there.
        executor: where its jobs run.
        what: they are, in the plural.
        started_at: UTC, ISO 8601.
        updated_at: UTC, ISO 8601.
        state: ``running``, ``ended``, ``interrupted`` or ``failed``; a command that was killed stays ``running``.
        num_jobs: how many there are in all.
        num_stored: how many of them were in the store already.
        num_finished: how many have ended with a result, without those.
        failures: of those that have ended without: what they are and why.
        num_evaluations: sizes judged, those that finished searches did not need included.
        max_evaluations: sizes that there are to judge at most.
        jobs: those under way.
        pid_started: when the process with this number began, as the system counts it; None where it does not say.
        error: what has made it fail, or None.
        num_waiting: calls that wait for a place, by what they wait for.
    """

    command: str
    host: str
    pid: Pid
    executor: str
    what: str
    started_at: str
    updated_at: str
    state: str
    num_jobs: Count
    num_stored: Count
    num_finished: Count = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    num_evaluations: Count = 0
    max_evaluations: Count = 0
    jobs: list[RunningJob] = field(default_factory=list)
    pid_started: str | None = None
    error: str | None = None
    num_waiting: dict[str, Count] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for time in (self.started_at, self.updated_at):
            _require_time(time)

    @property
    def key(self) -> str:
        """The key under which the status is stored."""
        return f"{self.host}:{self.pid}:{self.what}"

    @property
    def is_gone(self) -> bool:
        """Whether its process has died without a final state, as far as this host can see."""
        return self.state == "running" and self.is_here and not (_is_alive(self.pid) and self._has_its_pid)

    @property
    def is_here(self) -> bool:
        """Whether it runs on this host."""
        return self.host == socket.gethostname()

    @property
    def silent_s(self) -> float:
        """Seconds since the last news."""
        return (datetime.now(timezone.utc) - datetime.fromisoformat(self.updated_at)).total_seconds()

    @property
    def _has_its_pid(self) -> bool:
        """Whether the process with its number is still the same one, as far as this host can see."""
        return None in (self.pid_started, now := pid_started(self.pid)) or self.pid_started == now

    @property
    def elapsed_s(self) -> float:
        """Seconds from the start to the last news."""
        return (datetime.fromisoformat(self.updated_at) - datetime.fromisoformat(self.started_at)).total_seconds()

    @property
    def time_left_s(self) -> float | None:
        """Seconds it will take, if the sizes to come take as long as those judged; None before the first."""
        if not self.num_evaluations or self.state != "running":
            return None
        return self.elapsed_s / self.num_evaluations * (self.max_evaluations - self.num_evaluations)


def pid_started(pid: int) -> str | None:
    """When a process of this host began, in clock ticks since the system started; None outside Linux."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None


def utc_now() -> str:
    """ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def put_run_status(store: Store, status: RunStatus) -> None:
    """Keep the newest state of a command."""
    jobs = [job if isfinite(job.val_loss or 0.0) else replace(job, val_loss=None) for job in status.jobs]
    store.put_run(status.key, json.dumps(asdict(replace(status, jobs=jobs))))


def run_statuses(store: Store) -> list[RunStatus]:
    """The states of all commands in the store, in the order in which they began; damaged rows are skipped."""
    return [status for status in map(_run_status, store.runs().values()) if status is not None]


def forget_past_runs(store: Store) -> None:
    """Remove commands that have ended or died, and damaged rows."""
    for key, text in store.runs().items():
        status = _run_status(text)
        if status is None or status.state != "running" or status.is_gone or _is_long_silent(status):
            store.remove_run(key)


def _require_time(text: str) -> None:
    """Make sure that a text is a time with its zone.

    Raises:
        ValueError: it is not.
    """
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError(f"a time must say its zone, got {text!r}")


def _is_long_silent(status: RunStatus) -> bool:
    return not status.is_here and status.silent_s > _FORGOTTEN_S


def _run_status(text: str) -> RunStatus | None:
    """None if it is damaged, or another version's."""
    try:
        return decode_plain(RunStatus, text)
    except UnreadableRecordError:
        return None


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
