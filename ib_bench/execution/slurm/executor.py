"""Calls on a cluster: job arrays of Slurm, through submitit.

The process that asks for the calls, the driver, and the array tasks that make them share a folder that all nodes see,
and nothing else. Tasks report to files in it (:mod:`~ib_bench.execution.slurm.reports`). The driver reads them, and
asks Slurm which tasks have not ended. Nobody waits for a message, so each of them may be killed at any time:

- A task whose time is up, or that is pre-empted, is queued again by submitit or by Slurm; a task whose node has failed,
  by Slurm. It continues from the reported events. If its time is up and nothing was reported from which it could
  continue, the call that it makes fails.
- A task that has ended without an outcome of a call (killed, cancelled) is submitted again by the driver. A call that
  it had begun gets an array task of its own, where it cannot end other calls with it.
- Array tasks that Slurm refuses, for example because a limit is reached, are submitted again later. The driver fails if
  Slurm never accepted any, or if none is queued any more and Slurm still refuses after some minutes.
- Array tasks stay queued when the driver is gone. The next driver that is asked for the same calls finds out which of
  them have ended, are queued, or are lost.

To end everything, interrupt the driver, which would submit cancelled tasks again, and `scancel` the jobs it names. Two
drivers may share a folder; a call that both ask for may then be made twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

from ib_bench.execution.executor import CallResult, Executor, Function, Item, Result, Resume, SharedOptions
from ib_bench.execution.slurm.driver import Driver, Patience
from ib_bench.execution.slurm.folder import SlurmFolder
from ib_bench.execution.slurm.queue import Queue, SlurmQueue
from ib_bench.execution.slurm.reports import Task
from ib_bench.execution.slurm.settings import SlurmSettings
from ib_bench.execution.slurm.task import ArrayTask


class Slurm(Executor):
    """Makes calls in array tasks of Slurm.

    Event handlers must be idempotent: events that an earlier driver has handled are repeated. An outcome is returned or
    raised once; a call that is asked for again after that is made again.

    Args:
        settings: what is asked of Slurm.
        call_id: identifies a call from one driver to the next; two items with the same id are the same call.
        collect_only: submit nothing and wait for nothing: calls without outcome get an :class:`UnfinishedError`.
        queue: that array tasks wait in; None for Slurm's.
        patience: how often to look; None for the defaults.

    Raises:
        BenchError: submitit or Slurm is not installed, or the folder cannot be written.
    """

    settings_class = SlurmSettings
    takes = frozenset({"collect"})
    is_local = False

    @classmethod
    def from_settings(cls, settings: SlurmSettings, shared: SharedOptions) -> Slurm:
        """See :meth:`Executor.from_settings`."""
        return cls(settings, shared.call_id, shared.collect)

    def __init__(
        self,
        settings: SlurmSettings,
        call_id: Callable[[Any], str],
        collect_only: bool = False,
        queue: Queue | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._settings, self._call_id, self.only_collects = settings, call_id, collect_only
        self.cores_per_call = settings.cpus_per_task
        self.cores_advice = f"at most slurm.cpus_per_task, {settings.cpus_per_task}"
        self._folder = SlurmFolder(settings.folder)
        self._folder.check()
        self._queue = SlurmQueue(settings) if queue is None else queue
        self._patience = Patience() if patience is None else patience

    def run(
        self,
        function: Function[Item, Result],
        items: Sequence[Item],
        on_event: Callable[[int, Any], None],
        resume: Resume[Item] | None = None,
    ) -> list[CallResult[Result]]:
        """See :meth:`Executor.run`; an interrupt leaves array tasks in the queue.

        Raises:
            BenchError: Slurm does not answer at the beginning, or refuses the array tasks when none is queued.
            FatalError: a call raised it, or the folder cannot be used any more; the other array tasks stay queued.
            ValueError: two items have the same id.
            KeyboardInterrupt: the user interrupts; its text says which jobs stay queued.
        """
        if not items:
            return []
        ids = [_file_name(function, self._call_id(item)) for item in items]
        if len(set(ids)) < len(ids):
            raise ValueError("two items have the same id")
        by_id = dict(zip(ids, items, strict=True))
        index = {call: number for number, call in enumerate(ids)}

        def make_task(tasks: dict[str, list[Task]]) -> ArrayTask[Item, Result]:
            items_of_task = {call: by_id[call] for call in tasks}
            return ArrayTask(function, items_of_task, resume, self._folder.path, tasks, self._settings)

        def handle(call: str, event: Any) -> None:
            on_event(index[call], event)

        driver = Driver(self._settings, self._folder, self._queue, self._patience, ids, make_task, handle)
        return driver.collect() if self.only_collects else driver.finish()


def _file_name(function: Function[Any, Any], call_id: str) -> str:
    """A name that every file system takes, for any id."""
    return hashlib.sha256(f"{function.__module__}.{function.__qualname__} {call_id}".encode()).hexdigest()[:24]
