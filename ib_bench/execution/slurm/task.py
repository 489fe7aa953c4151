"""What an array task does: call a function on its items, one after the other, and write down what comes of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, Generic

from ib_bench.execution.executor import CallResult, Function, Item, Result, Resume, TransientEvent
from ib_bench.execution.picklable import picklable
from ib_bench.execution.slurm.call_files import Attempt, CallFiles, Reader, Task


class ArrayTask(Generic[Item, Result]):
    """Some calls; made anew after it was cut short, it goes on from what is written down.

    Args:
        work: the function.
        items: its arguments, by the ids of the calls.
        resume: what is left of an item after an event of its call.
        folder: of the :class:`CallFiles`.
        task: this array task.
    """

    def __init__(
        self,
        work: Function[Item, Result],
        items: dict[str, Item],
        resume: Resume[Item] | None,
        folder: Path,
        task: Task,
    ) -> None:
        self._work = work
        self._items = items
        self._resume = resume
        self._folder = folder
        self._task = task
        self._cut_short = False

    def __call__(self) -> None:
        """Make the calls that have not ended yet."""
        self._cut_short = False
        files = CallFiles(self._folder)
        for call, item in self._items.items():
            reader = Reader(files, call)
            events = reader.news(files.listing().get(call, []))
            if reader.outcome is None:
                self._make(call, self._remaining(item, events), files)

    def checkpoint(self) -> Any:
        """What submitit queues again when time is up or the task is pre-empted: the same, as all else is in files."""
        from submitit.helpers import DelayedSubmission  # noqa: PLC0415 (only within a task of submitit's)

        self._cut_short = True
        return DelayedSubmission(self)

    def _remaining(self, item: Item, events: list[Any]) -> Item:
        if self._resume is not None:
            for event in events:
                item = item if isinstance(event, TransientEvent) else self._resume(item, event)
        return item

    def _make(self, call: str, item: Item, files: CallFiles) -> None:
        with closing(Attempt(files, call, self._task)) as attempt:
            try:
                attempt.end(CallResult(result=self._work(item, attempt.emit)))
            except Exception as error:
                if self._cut_short:  # submitit could not queue it again, which is no fault of the call
                    raise
                attempt.end(CallResult(error=picklable(error)))
