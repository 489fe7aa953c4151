"""The process that asks for calls: it reads the reports of array tasks, and submits again what is lost."""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ib_bench.errors import BenchError, FatalError
from ib_bench.execution.executor import Lost, Outcome, Waiting
from ib_bench.execution.slurm.folder import SlurmFolder
from ib_bench.execution.slurm.queue import Queue, Standing
from ib_bench.execution.slurm.reports import Reader, Task
from ib_bench.execution.slurm.settings import SlurmSettings

_MAX_TASKS = 1000  # of an array: Slurm's default MaxArraySize is 1,001
_LAST_TASKS_S = 10.0
_MAX_IDLE_REFUSALS = 6  # with pauses of 15, 30, ..., 240 seconds: 8 minutes, in which a controller restarts

Active = dict[Task, Standing]
MakeTask = Callable[[dict[str, list[Task]]], Callable[[], None]]
"""Makes the function of an array task from its calls, each with the tasks that have made it before and this one."""


class UnfinishedError(BenchError):
    """A call has no outcome yet."""


@dataclass(frozen=True)
class Patience:
    """How often the driver looks.

    Attributes:
        files_s: seconds between two looks at the folder.
        queue_s: seconds between two questions to the queue.
        grace_s: seconds from when a task leaves the queue until its calls count as lost; network file systems show new
            files up to a minute late.
        refusal_s: seconds, at most, from a submission that is refused to the next one. The pause begins at ``queue_s``,
            and doubles with every refusal.
    """

    files_s: float = 1.0
    queue_s: float = 15.0
    grace_s: float = 60.0
    refusal_s: float = 600.0


class Driver:
    """Runs some calls until they have ended.

    Args:
        settings: what is asked of Slurm.
        folder: that tasks write into.
        queue: that array tasks wait in.
        patience: how often to look.
        calls: their ids.
        make_task: makes the function of an array task.
        on_event: receives the id of a call and an event of it.

    Raises:
        FatalError: the folder cannot be used.
    """

    def __init__(
        self,
        settings: SlurmSettings,
        folder: SlurmFolder,
        queue: Queue,
        patience: Patience,
        calls: Sequence[str],
        make_task: MakeTask,
        on_event: Callable[[str, Any], None],
    ) -> None:
        self._settings, self._folder, self._queue, self._patience = settings, folder, queue, patience
        self._make_task, self._on_event = make_task, on_event
        self._tasks: dict[str, list[Task]] = {call: [] for call in calls}
        with folder.in_use():
            self._submissions = folder.submissions()
        for name, submission in self._submissions.items():
            self._add_tasks(name, submission.chunks)
        self._reader = Reader(folder.path, self._tasks)
        self._outcomes = self._reader.outcomes
        self._undelivered = list(calls)
        self._missing_since_s: dict[str, float] = {}
        self._waits_for: dict[str, str] = {}
        self._jobs: set[str] = set()
        self._was_accepted = False
        self._num_refusals = 0
        self._submit_from_s = -math.inf

    def finish(self) -> list[Outcome[Any]]:
        """Wait for all calls, and submit those that are not in the queue; returns how they ended.

        Raises:
            BenchError: the queue does not answer at the beginning, or refuses tasks when none is in it.
            FatalError: the folder cannot be used any more.
            KeyboardInterrupt: the user interrupts; its text says which jobs stay queued.
        """
        active = self._queue.active()
        if active is None:
            raise BenchError("Slurm does not answer: squeue, which lists what is queued, fails")
        try:
            self._wait(active)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self._queued_jobs()) from None
        except BenchError as error:
            if self._jobs:
                error.args = (f"{error}; {self._queued_jobs()}",)
            raise
        self._tidy_up()
        return list(map(self._outcomes.__getitem__, self._tasks))

    def collect(self) -> list[Outcome[Any]]:
        """The outcomes there are. Other calls get an :class:`UnfinishedError` that says how far they are."""
        active = self._queue.active()
        self._read(active)
        if not self._undelivered:
            self._tidy_up()
        for call in self._undelivered:
            self._outcomes[call] = Outcome(error=UnfinishedError(self._state(call, active)))
        return list(map(self._outcomes.__getitem__, self._tasks))

    def _wait(self, active: Active) -> None:
        self._jobs = self._jobs_in(active)
        self._was_accepted = bool(self._jobs)
        self._warn_of_other_parameters(active)
        answer: Active | None = active
        asked_at_s = time.monotonic()
        while True:
            self._read(answer)  # after the question to the queue, so that the reports of ended tasks are complete
            if answer is not None:
                self._submit_lost(answer)
            if not self._undelivered:
                return
            time.sleep(self._patience.files_s)
            answer = None
            if time.monotonic() - asked_at_s >= self._patience.queue_s:
                answer, asked_at_s = self._queue.active(), time.monotonic()

    def _warn_of_other_parameters(self, active: Active) -> None:
        """Queued jobs keep their original options, even if the user has since corrected them."""
        tasks = [task for task in itertools.chain.from_iterable(self._tasks.values()) if task in active]
        parameters = self._settings.parameters()
        differ = [task for task in tasks if self._submissions[task[0]].parameters != parameters]
        if jobs := sorted({active[task].job.split("_")[0] for task in differ}):
            names = " ".join(jobs)
            warnings.warn(
                f"the jobs {names} were submitted with other options and keep them; to submit their searches with the "
                f"new options, interrupt this command, run scancel {names}, and repeat it",
                stacklevel=2,
            )

    def _read(self, active: Active | None) -> None:
        for call, event in self._reader.news(active):
            self._on_event(call, event)
        for call in [call for call in self._undelivered if call in self._outcomes]:
            self._deliver(call, self._outcomes[call])

    def _deliver(self, call: str, outcome: Outcome[Any]) -> None:
        """An outcome is delivered once, so that the next driver that is asked for a failed call makes it again."""
        self._outcomes[call] = outcome
        with self._folder.in_use():
            self._folder.deliver(call, self._tasks[call])
        self._undelivered.remove(call)
        if isinstance(outcome.error, FatalError):
            raise outcome.error

    def _submit_lost(self, active: Active) -> None:
        """Submit calls that are in no active task, and give up those that are lost too often."""
        lost = []
        now_s = time.monotonic()
        self._jobs = self._jobs_in(active)
        for call in list(self._undelivered):
            tasks = self._tasks[call]
            if standings := [active[task] for task in tasks if task in active]:
                self._missing_since_s.pop(call, None)
                self._report_waiting(call, standings[-1])
            elif not tasks:
                lost.append(call)
            elif now_s - self._missing_since_s.setdefault(call, now_s) >= self._patience.grace_s:
                if self._num_losses(call, active) < self._settings.max_attempts:
                    lost.append(call)
                else:
                    self._give_up(call)
        if now_s >= self._submit_from_s:
            self._submit(self._chunks(lost))

    def _report_waiting(self, call: str, standing: Standing) -> None:
        if self._has_begun(call):
            return
        reason = "Slurm" if standing.reason in ("", "None") else f"Slurm ({standing.reason})"
        reason = reason if standing.state == "PENDING" else "its turn in a task"
        if self._waits_for.get(call) != reason:
            self._waits_for[call] = reason
            self._on_event(call, Waiting(reason))

    def _give_up(self, call: str) -> None:
        line = self._folder.last_log_line(self._tasks[call][-1])
        log = f"; the log ends with: {line}" if line else ""
        reason = f"its array task ended without a result {_times(self._settings.max_attempts)}{log}"
        self._on_event(call, Lost(reason))
        self._deliver(call, Outcome(error=RuntimeError(reason)))

    def _num_losses(self, call: str, active: Active) -> int:
        """Ended array tasks that have begun the call, or that have not begun any call."""
        begun = [self._reader.begun[task] for task in self._tasks[call] if task not in active]
        return sum(call in calls or not calls for calls in begun)

    def _has_begun(self, call: str) -> bool:
        return any(call in self._reader.begun[task] for task in self._tasks[call])

    def _chunks(self, calls: Sequence[str]) -> list[list[str]]:
        """Calls for array tasks. One that has ended a task before gets a task of its own."""
        new = [call for call in calls if not self._has_begun(call)]
        size = self._settings.chunk_size
        alone = [[call] for call in calls if self._has_begun(call)]
        return alone + [new[first : first + size] for first in range(0, len(new), size)]

    def _submit(self, chunks: Sequence[list[str]]) -> None:
        """Submit array tasks; after a refusal (a limit, a controller that restarts) the rest stays lost until later."""
        for first in range(0, len(chunks), _MAX_TASKS):
            try:
                self._submit_array(chunks[first : first + _MAX_TASKS])
            except FatalError:
                raise
            except BenchError:
                self._num_refusals += 1
                may_pass = self._was_accepted and self._num_refusals < _MAX_IDLE_REFUSALS
                if not self._jobs and not may_pass:
                    raise
                pause_s = self._patience.queue_s * 2.0 ** min(self._num_refusals - 1, 30)
                self._submit_from_s = time.monotonic() + min(pause_s, self._patience.refusal_s)
                return
            self._was_accepted, self._num_refusals = True, 0

    def _submit_array(self, chunks: Sequence[list[str]]) -> None:
        with self._folder.in_use(), self._folder.new_submission(chunks, self._settings.parameters()) as name:
            tasks = [
                self._make_task({call: [*self._tasks[call], (name, number)] for call in chunk})
                for number, chunk in enumerate(chunks)
            ]
            self._jobs.add(self._queue.submit(name, self._folder.path / name, tasks))
        self._add_tasks(name, chunks)
        for call in itertools.chain.from_iterable(chunks):
            if self._missing_since_s.pop(call, None) is not None:
                self._on_event(call, Lost())

    def _add_tasks(self, name: str, chunks: Sequence[Sequence[str]]) -> None:
        for number, chunk in enumerate(chunks):
            for call in self._tasks.keys() & chunk:
                self._tasks[call].append((name, number))

    def _jobs_in(self, active: Mapping[Task, Standing]) -> set[str]:
        tasks = itertools.chain.from_iterable(self._tasks.values())
        return {active[task].job.split("_")[0] for task in tasks if task in active}

    def _tidy_up(self) -> None:
        """Remove submissions that nobody needs any more, once the last tasks have closed their logs."""
        deadline_s = time.monotonic() + _LAST_TASKS_S
        while (active := self._queue.active()) and self._jobs_in(active) and time.monotonic() < deadline_s:
            time.sleep(min(0.5, self._patience.files_s))
        if active is not None:
            with self._folder.in_use():
                self._folder.tidy_up(busy={name for name, _ in active})

    def _state(self, call: str, active: Active | None) -> str:
        tasks = self._tasks[call]
        if not tasks:
            return "it has never been submitted"
        if active is None:
            return "it has been submitted, and Slurm does not answer"
        for task in reversed(tasks):
            if task in active:
                waits = active[task].state == "RUNNING" and call not in self._reader.begun[task]
                return f"it {'waits for its turn in a task' if waits else 'is'} {active[task]}"
        return f"its array task has ended without a result ({_times(self._num_losses(call, active))})"

    def _queued_jobs(self) -> str:
        if not self._jobs:
            return "none of its jobs is queued in Slurm"
        jobs = " ".join(sorted(self._jobs))
        return f"its jobs go on in Slurm; the same command comes back to them, and this ends them: scancel {jobs}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
