"""Calls on a cluster: job arrays of Slurm, through submitit.

The process that asked for the calls, the driver, and the tasks that make them share nothing but a folder that all nodes
see. Tasks write down what happens (:mod:`~ib_bench.execution.slurm.call_files`); the driver reads it, and asks Slurm
which tasks have not ended. Nobody waits for anybody, so each of them may be killed at any time:

- A task whose time is up, or that is pre-empted, is queued again by submitit or by Slurm, and a task whose node has
  failed by Slurm. It then goes on from the events that are written down.
- A task that has ended without an outcome of a call, killed or cancelled, is submitted anew by the driver: a call that
  it had begun in an array task of its own, so that it can harm no other.
- Array tasks that Slurm refuses, as where a limit is reached, are submitted again later. The driver ends if none was
  ever accepted, or if none is queued any more and Slurm still refuses after some minutes.
- A driver that is gone leaves its tasks in the queue. The next one, asked for the same calls, finds out which of them
  have ended, are queued, or are lost.

To end everything, interrupt the driver, which would submit anew what is cancelled, and `scancel` the jobs it names. Two
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
from ib_bench.execution.slurm.settings import SlurmSettings


class Slurm(Executor):
    """Makes calls in array tasks of Slurm.

    Events of a call that an earlier driver has passed on are passed on again, so who handles them must not mind to see
    them twice. Files of calls are removed when all calls of a run have ended and their events have been handled.

    Args:
        settings: what is asked of Slurm.
        call_id: what a call is known by from one driver to the next; two items with the same id are the same call.
        collect_only: submit nothing and wait for nothing: calls without outcome get an :class:`UnfinishedError`.
        queue: that array tasks wait in; None for Slurm's.
        patience: how often to look.

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
        self._settings = settings
        self._call_id = call_id
        self.only_collects = collect_only
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
        """See :meth:`Executor.run`; an interrupt leaves array tasks alone, and says so.

        Raises:
            BenchError: Slurm refuses the array tasks when none is queued.
            FatalError: a call raised it, or the folder cannot be used any more; the other array tasks stay queued.
            ValueError: two items have the same id.
            KeyboardInterrupt: the user interrupts; its text says what goes on.
        """
        if not items:
            return []
        ids = [_file_name(function, self._call_id(item)) for item in items]
        if len(set(ids)) < len(ids):
            raise ValueError("two items have the same id")
        index = {call: number for number, call in enumerate(ids)}
        driver = Driver(
            self._settings,
            self._folder,
            self._queue,
            self._patience,
            function,
            dict(zip(ids, items, strict=True)),
            lambda call, event: on_event(index[call], event),
            resume,
        )
        return driver.collect() if self.only_collects else driver.finish()


def _file_name(function: Function[Any, Any], call_id: str) -> str:
    """One that every file system takes, for any id."""
    return hashlib.sha256(f"{function.__module__}.{function.__qualname__} {call_id}".encode()).hexdigest()[:24]
