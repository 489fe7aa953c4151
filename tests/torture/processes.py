"""Commands in process groups of their own, marked in the environment, so that whatever they leave behind is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

MARK = "IB_BENCH_TORTURE"
_ENDS_WITHIN_S = 15.0


class Command:
    """A running ``ib-bench``.

    Args:
        folder: to run it in.
        arguments: of it.
        environment: what it finds beside this process's own.
    """

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self._arguments = arguments
        self._number = time.monotonic_ns()
        self.mark = f"{folder}:{self._number}"
        self._stdout, self._stderr = folder / f"{self._number}.out", folder / f"{self._number}.err"
        with self._stdout.open("w") as stdout, self._stderr.open("w") as stderr:
            self.process = subprocess.Popen(
                [str(Path(sys.executable).parent / "ib-bench"), *arguments],
                cwd=folder,
                env={**os.environ, **(environment or {}), MARK: self.mark},
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=_hear_ctrl_c,
            )

    @property
    def is_on_ray(self) -> bool:
        """Whether Ray is its executor."""
        return "ray" in self._arguments

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._stdout.read_text()

    @property
    def err(self) -> str:
        """What it has printed on stderr so far."""
        return self._stderr.read_text()

    def ends_within(self, seconds: float) -> bool:
        """Whether it ends in this time, or has ended."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def finish(self, timeout_s: float = 300) -> int:
        """Its exit code, once it has ended."""
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """Kill -9, the process alone."""
        self.process.kill()
        self.process.wait()

    def wait_until_it_hears(self) -> None:
        """Until SIGTERM is caught: before, not even the interpreter has started."""
        while self.process.poll() is None and not _catches(self.process.pid, signal.SIGTERM):
            time.sleep(0.005)

    def workers(self) -> list[int]:
        """Process ids of the worker processes that train, or get ready to."""
        servers = {pid for pid in marked(self.mark) if "forkserver" in command_line(pid)}
        return [pid for pid in servers if parent_of(pid) in servers]

    def ray_workers(self) -> list[int]:
        """Process ids of the processes in which Ray makes a call."""
        return [pid for pid in marked(self.mark) if command_line(pid).startswith("ray::_call")]

    def num_left(self) -> int:
        """Processes that outlive it, see :func:`num_left`."""
        return num_left(self.mark)


def num_left(mark: str) -> int:
    """Processes with a mark that outlive what started them for longer than an end takes; they are killed."""
    deadline = time.monotonic() + _ENDS_WITHIN_S
    while left := marked(mark):
        if time.monotonic() > deadline:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            return len(left)
        time.sleep(0.02)
    return 0


def marked(mark: str) -> list[int]:
    """Process ids of those that have the mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    return [pid for pid in _process_ids() if wanted in _read(pid, "environ").split(b"\0")]


def command_line(pid: int) -> str:
    """Of a process; empty if it is gone."""
    return _read(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace")


def parent_of(pid: int) -> int:
    """Process id of a process's parent; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _process_ids() -> Iterator[int]:
    return (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:  # it has ended
        return b""


def _catches(pid: int, number: int) -> bool:
    for line in _read(pid, "status").decode().splitlines():
        if line.startswith("SigCgt:"):
            return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def _hear_ctrl_c() -> None:
    """Also where the tests themselves were started to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
