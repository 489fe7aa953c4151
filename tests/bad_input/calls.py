"""Commands called in this process, as a stranger would: what they may do with bad input, and what they may not.

The one rule: a command succeeds, or it prints one sentence, exits with code 2 and has written nothing. It never shows a
traceback, and takes neither long nor much memory.
"""

from __future__ import annotations

import io
import resource
import shutil
import signal
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from ib_bench.cli import main
from ib_bench.errors import warn_in_one_sentence
from ib_bench.runner import jobs

MAX_SECONDS = 10.0
"""Of processor time."""

MAX_BYTES = 1_000_000_000
ENOUGH_SECONDS = 5.0
"""Of processor time: a command that trains for so long has accepted its input."""

HANGS_SECONDS = 60.0
"""Of processor time: a command that trains nothing ends before, also where all is well."""

FINDS = {"check": "a model that does not pass", "doctor": "what is missing", "store": "damage", "run": "failed jobs"}
"""Commands with exit code 1, and what it says."""


class Enough(BaseException):
    """Training goes on; nothing more is to be learned."""


class Trainings:
    """Cuts what is trained to a few steps, and says whether anything was; a page is served for no time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.have_begun = False
        original = jobs.run_jobs

        def short(wanted: Sequence[Any], *others: Any, **options: Any) -> Any:
            self.have_begun = True
            return original([job.shortened() for job in wanted], *others, **options)

        for module in ("ib_bench.runner.measure", "ib_bench.runner.suite_run"):
            monkeypatch.setattr(f"{module}.run_jobs", short)
        monkeypatch.setattr("ib_bench.report.server.ReportServer.serve_until_stopped", lambda server: None)


def call(arguments: Sequence[str], folder: Path, trainings: Trainings | None = None) -> str:
    """Call a command in a folder, check the rule, and remove what it has made.

    Args:
        arguments: of ``ib-bench``.
        folder: the working folder; what is there is compared before and after.
        trainings: of this process, if the command may train.

    Returns:
        How it ended: ``accepted``, ``found`` or the sentence.
    """
    before = listing(folder)
    out, err = io.StringIO(), io.StringIO()
    start = time.process_time()  # whatever else runs on the machine
    exit_code: object = None
    if trainings is not None:
        trainings.have_begun = False
    try:
        with redirect_stdout(out), redirect_stderr(err), _limited_memory(), _patience(trainings), _own_warnings():
            try:
                exit_code = main(list(arguments))
            except SystemExit as end:  # of --help
                exit_code = end.code
            except Enough:
                assert trainings is not None and trainings.have_begun, f"{arguments} hangs"
                exit_code = 0
        seconds = time.process_time() - start
        return _judged(arguments, exit_code, err.getvalue(), seconds, before, listing(folder))
    finally:
        _remove_new(folder, before)


def _judged(
    arguments: Sequence[str],
    exit_code: object,
    err: str,
    seconds: float,
    before: Mapping[Path, bytes | None],
    after: Mapping[Path, bytes | None],
) -> str:
    assert "Traceback" not in err, err
    if exit_code in (0, None):
        return "accepted"
    if exit_code == 1:
        assert arguments[0] in FINDS, f"{arguments}: exit code 1\n{err}"
        return "found"
    assert exit_code == 2, f"{arguments}: {exit_code}\n{err}"
    lines = [line for line in err.splitlines() if not line.startswith("ib-bench: warning: ")]
    assert len(lines) == 1 and lines[0].startswith("ib-bench") and ": error: " in lines[0], err
    assert len(lines[0]) < 3000, err
    assert "Error in /" not in lines[0] or "cannot be built" in lines[0], err
    assert after == before, f"{arguments} has written {set(after.items()) ^ set(before.items())}"
    assert seconds < MAX_SECONDS, f"{arguments}: {seconds:.0f} s"
    return lines[0]


def listing(folder: Path) -> dict[Path, bytes | None]:
    """Everything in a folder, with the contents of small files."""
    ignored = ("__pycache__",)
    return {
        path: path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if not any(name in path.parts for name in ignored) and not path.name.endswith(("-wal", "-shm"))
    }


def _remove_new(folder: Path, before: Mapping[Path, bytes | None]) -> None:
    for path in sorted(set(folder.rglob("*")) - set(before), reverse=True):
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
    for path, content in before.items():
        if content is not None and (not path.is_file() or path.read_bytes() != content):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


@contextmanager
def _own_warnings() -> Iterator[None]:
    """Warnings as the command line prints them."""
    kept = warnings.formatwarning
    warn_in_one_sentence()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("default", category=UserWarning, module="ib_bench")
        yield
    warnings.formatwarning = kept


@contextmanager
def _limited_memory() -> Iterator[None]:
    """An allocation beyond the limit fails, as on a machine that is full."""
    used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + MAX_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


@contextmanager
def _patience(trainings: Trainings | None) -> Iterator[None]:
    """Raise :class:`Enough` after a while of processor time; pytest's own timeout has the other timer."""
    last = time.process_time() + HANGS_SECONDS

    def stop(number: int, frame: FrameType | None) -> None:
        if (trainings is not None and trainings.have_begun) or time.process_time() > last:
            raise Enough

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, ENOUGH_SECONDS, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
