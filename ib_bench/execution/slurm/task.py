"""An array task: make its calls one after the other, and report their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Generic

from ib_bench.execution.executor import CallResult, Function, Item, Result, Resume, TransientEvent
from ib_bench.execution.picklable import picklable
from ib_bench.execution.slurm.reports import Attempt, Reader, Task


@dataclass
class ArrayTask(Generic[Item, Result]):
    """Some calls. A task that is run again continues from what earlier attempts have reported.

    Attributes:
        function: that is called.
        items: its arguments, by the ids of the calls.
        resume: see :class:`~ib_bench.execution.executor.Executor`.
        folder: of all submissions.
        tasks: for each call, the array tasks that have made it before, and last this one.
    """

    function: Function[Item, Result]
    items: dict[str, Item]
    resume: Resume[Item] | None
    folder: Path
    tasks: dict[str, list[Task]]
    _cut_short: bool = field(default=False, init=False)

    def __call__(self) -> None:
        """Make the calls that have not ended."""
        self._cut_short = False
        items, reader = dict(self.items), Reader(self.folder, self.tasks)
        for call, event in reader.news(running=()):
            if self.resume is not None and not isinstance(event, TransientEvent):
                items[call] = self.resume(items[call], event)
        attempt = Attempt(self.folder, next(iter(self.tasks.values()))[-1])
        for call, item in items.items():
            if call not in reader.outcomes:
                self._make(call, item, attempt)

    def checkpoint(self) -> Any:
        """The task that submitit queues again at the time limit or after pre-emption: the same one."""
        from submitit.helpers import DelayedSubmission  # noqa: PLC0415 (only within a task of submitit's)

        self._cut_short = True
        return DelayedSubmission(self)

    def _make(self, call: str, item: Item, attempt: Attempt) -> None:
        attempt.write(call, "begin")
        try:
            attempt.end(call, CallResult(result=self.function(item, partial(attempt.emit, call))))
        except Exception as error:
            if self._cut_short:  # submitit could not queue the task again, which is no failure of the call
                raise
            attempt.end(call, CallResult(error=picklable(error)))
