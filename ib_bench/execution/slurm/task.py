"""An array task: make its calls one after the other, and report their results."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic

from ib_bench.errors import BenchError, LostProcessError
from ib_bench.execution.cuda_failure import cuda_failure
from ib_bench.execution.executor import CallResult, Function, Item, Result, Resume, TransientEvent
from ib_bench.execution.picklable import picklable
from ib_bench.execution.slurm.reports import Attempt, Reader, Task
from ib_bench.execution.slurm.settings import SlurmSettings
from ib_bench.results.records import Record

_EARLY_S = 180.0  # Slurm signals up to a minute early, and imports may have taken minutes before the calls
_EARLY_SHARE = 0.1  # of a short time limit


@dataclass
class ArrayTask(Generic[Item, Result]):
    """Some calls. A task that is run again continues from what earlier attempts have reported.

    Attributes:
        function: that is called.
        items: its arguments, by the ids of the calls.
        resume: see :class:`~ib_bench.execution.executor.Executor`.
        folder: of all submissions.
        tasks: for each call, the array tasks that have made it before, and last this one.
        settings: with the time limit; None in tasks that an earlier version has queued.
    """

    function: Function[Item, Result]
    items: dict[str, Item]
    resume: Resume[Item] | None
    folder: Path
    tasks: dict[str, list[Task]]
    settings: SlurmSettings | None = None
    _cut_short: bool = field(default=False, init=False)
    _is_in_vain: bool = field(default=False, init=False)
    _has_progress: bool = field(default=False, init=False)
    _started_s: float = field(default=0.0, init=False)

    def __call__(self) -> None:
        """Make the calls that have not ended."""
        self._cut_short = self._is_in_vain = self._has_progress = False
        self._started_s = time.monotonic()
        items, reader = dict(self.items), Reader(self.folder, self.tasks)
        for call, event in reader.news(running=()):
            if self.resume is not None and not isinstance(event, TransientEvent):
                items[call] = self.resume(items[call], event)
        attempt = Attempt(self.folder, next(iter(self.tasks.values()))[-1])
        for call, item in items.items():
            if call not in reader.outcomes and not self._is_in_vain:  # else seconds are left; the driver submits it
                self._make(call, item, attempt)

    def checkpoint(self) -> Any:
        """The task that submitit queues again at the time limit or after pre-emption: the same one.

        Raises:
            BenchError: the time is up, and the next attempt would start where this one did. As submitit handles a
                signal, this is raised in the middle of a call, which fails with it.
        """
        from submitit.helpers import DelayedSubmission  # noqa: PLC0415 (only within a task of submitit's)

        if self.settings is not None and self._has_timed_out(self.settings) and not self._has_progress:
            self._is_in_vain = True
            raise BenchError(
                f"no trial ended within slurm.timeout_min ({self.settings.timeout_min} minutes); raise it above the "
                f"time of the longest trial"
            )
        self._cut_short = True
        return DelayedSubmission(self)

    def _has_timed_out(self, settings: SlurmSettings) -> bool:
        """Whether it runs for so long that a signal announces the time limit; otherwise it is pre-empted."""
        limit_s = 60.0 * settings.timeout_min
        early_s = min(settings.signal_delay_s + min(_EARLY_S, _EARLY_SHARE * limit_s), limit_s / 2)
        return time.monotonic() - self._started_s >= limit_s - early_s

    def _make(self, call: str, item: Item, attempt: Attempt) -> None:
        attempt.write(call, "begin")
        try:
            attempt.end(call, CallResult(result=self.function(item, partial(self._emit, attempt, call))))
        except Exception as error:
            if self._cut_short:  # submitit could not queue the task again, which is no failure of the call
                raise
            reason = cuda_failure()
            if reason is not None:  # no failure of the call either: the driver submits what has not ended again
                raise LostProcessError(f"CUDA has failed, and this task cannot use it any more ({reason})") from error
            attempt.end(call, CallResult(error=picklable(error)))
        self._has_progress = True

    def _emit(self, attempt: Attempt, call: str, event: Any) -> None:
        self._has_progress = self._has_progress or _is_progress(event)
        attempt.emit(call, event)


def _is_progress(event: Any) -> bool:
    """Whether a call that is made again has less to do after this event of it."""
    return event.finished if isinstance(event, Record) else not isinstance(event, TransientEvent)
