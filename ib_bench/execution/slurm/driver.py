"""The process that asks for calls: it reads the reports of array tasks, and submits again what is lost."""

from __future__ import annotations

import itertools
import math
import time
import warnings
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ib_bench.errors import BenchError, FatalError, LostProcessError
from ib_bench.execution.executor import CallResult, Lost, Waiting
from ib_bench.execution.slurm.folder import SlurmFolder
from ib_bench.execution.slurm.queue import Queue, Standing
from ib_bench.execution.slurm.reports import Reader, Task
from ib_bench.execution.slurm.settings import SlurmSettings

_MAX_TASKS = 1000  # of an array: Slurm's default MaxArraySize is 1,001
_LAST_TASKS_S = 10.0
_MAX_IDLE_REFUSALS = 6  # with pauses of 15, 30, ..., 240 seconds: 8 minutes, enough for a controller to restart

Active = dict[Task, Standing]
MakeTask = Callable[[dict[str, list[Task]]], Callable[[], None]]
"""Makes the function of an array task from its calls, each with the tasks that have made it before and this one."""


class UnfinishedError(BenchError):
    """A call has no outcome yet."""


class Patience(NamedTuple):
    """The intervals at which the driver polls, in seconds."""

    files_s: float = 1.0  # between two reads of the folder
    queue_s: float = 15.0  # between two calls of squeue; 1, 2, 4, ..., 32 times that after refusals
    grace_s: float = 60.0  # until a task that has left the queue is lost; NFS shows new files up to a minute late


@dataclass
class Driver:
    """Runs some calls until they have ended.

    Attributes:
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

    settings: SlurmSettings
    folder: SlurmFolder
    queue: Queue
    patience: Patience
    calls: Sequence[str]
    make_task: MakeTask
    on_event: Callable[[str, Any], None]

    def __post_init__(self) -> None:
        self._tasks: dict[str, list[Task]] = {call: [] for call in self.calls}
        self._delivered_tasks: dict[str, list[Task]] = {call: [] for call in self.calls}
        self._parameters: dict[str, Any] = {}
        with self.folder.in_use():
            for submission in self.folder.submissions():
                self._parameters[submission.name] = submission.parameters
                self._add_tasks(submission.name, submission.chunks, submission.delivered)
        self._reader = Reader(self.folder.path, self._tasks)
        self._outcomes = self._reader.outcomes
        self._undelivered = list(self.calls)
        self._missing_since_s: dict[str, float] = {}
        self._waits_for: dict[str, str] = {}
        self._jobs: set[str] = set()
        self._was_accepted = False
        self._num_refusals = 0
        self._submit_from_s = -math.inf

    def finish(self) -> list[CallResult[Any]]:
        """Submit the calls that are not queued, and wait for all; raises what :meth:`Slurm.run` raises."""
        active = self.queue.active()
        if active is None:
            raise BenchError("Slurm does not answer: squeue fails")
        try:
            self._wait(active)
        except (BenchError, KeyboardInterrupt) as error:
            if self._jobs:
                jobs = " ".join(sorted(self._jobs))
                advice = (
                    "its jobs keep running in Slurm; repeat the command to wait for them, or cancel them with "
                    f"scancel {jobs}"
                )
                error.args = (f"{error}; {advice}" if str(error) else advice,)
            raise
        self._tidy_up()
        return [self._outcomes[call] for call in self.calls]

    def collect(self) -> list[CallResult[Any]]:
        """The outcomes there are. Other calls get an :class:`UnfinishedError` that says how far they are."""
        active = self.queue.active()
        for call in self.calls:  # an interrupted driver may have received a failure that the user has never seen
            self._tasks[call] = self._tasks[call] or self._delivered_tasks[call]
        self._read(active)
        if not self._undelivered:
            self._tidy_up()
        for call in self._undelivered:
            self._outcomes[call] = CallResult(error=UnfinishedError(self._state(call, active)))
        return [self._outcomes[call] for call in self.calls]

    def _wait(self, active: Active) -> None:
        self._jobs = self._jobs_in(active)
        self._was_accepted = bool(self._jobs)
        self._warn_of_other_parameters(active)
        answer: Active | None = active
        asked_at_s = time.monotonic()
        while True:
            self._read(answer)  # after asking the queue, so that the reports of ended tasks are complete
            if answer is not None:
                self._submit_lost(answer)
            if not self._undelivered:
                return
            time.sleep(self.patience.files_s)
            answer = None
            if time.monotonic() - asked_at_s >= self.patience.queue_s:
                answer, asked_at_s = self.queue.active(), time.monotonic()

    def _warn_of_other_parameters(self, active: Active) -> None:
        """Queued jobs keep their original options, even if the user has since corrected them."""
        tasks = [task for task in itertools.chain.from_iterable(self._tasks.values()) if task in active]
        parameters = self.settings.parameters()
        differ = [task for task in tasks if self._parameters[task[0]] != parameters]
        if jobs := sorted({active[task].job.split("_")[0] for task in differ}):
            names = " ".join(jobs)
            warnings.warn(
                f"the jobs {names} were submitted with other options and keep them; to submit their searches with the "
                f"new options, interrupt this command, run scancel {names}, and repeat it",
                stacklevel=2,
            )

    def _read(self, active: Active | None) -> None:
        for call, event in self._reader.news(active):
            self.on_event(call, event)
        for call in [call for call in self._undelivered if call in self._outcomes]:
            self._deliver(call, self._outcomes[call])

    def _deliver(self, call: str, outcome: CallResult[Any]) -> None:
        """An outcome is delivered once, so that the next driver that is asked for a failed call makes it again."""
        self._outcomes[call] = outcome
        with self.folder.in_use():
            self.folder.deliver(call, self._tasks[call])
        self._undelivered.remove(call)
        if isinstance(outcome.error, FatalError):
            raise outcome.error

    def _submit_lost(self, active: Active) -> None:
        """Submit calls that are in no active task, and give up those that are lost too often."""
        lost = []
        now_s = time.monotonic()
        self._jobs = self._jobs_in(active)
        for call in list(self._undelivered):
            if standing := self._standing(call, active):
                self._missing_since_s.pop(call, None)
                self._report_waiting(call, standing)
            elif not self._tasks[call]:
                lost.append(call)
            elif now_s - self._missing_since_s.setdefault(call, now_s) >= self.patience.grace_s:
                if self._num_losses(call, active) < self.settings.max_attempts:
                    lost.append(call)
                else:
                    self._give_up(call)
        if now_s >= self._submit_from_s:
            self._submit(self._chunks(lost))

    def _standing(self, call: str, active: Active) -> Standing | None:
        """Of the newest array task of a call that has not ended."""
        return next((active[task] for task in reversed(self._tasks[call]) if task in active), None)

    def _report_waiting(self, call: str, standing: Standing) -> None:
        if self._has_begun(call):
            return
        reason = "Slurm" if standing.reason in ("", "None") else f"Slurm ({standing.reason})"
        reason = reason if standing.state == "PENDING" else "its turn in a task"
        if self._waits_for.get(call) != reason:
            self._waits_for[call] = reason
            self.on_event(call, Waiting(reason))

    def _give_up(self, call: str) -> None:
        limit = self.settings.max_attempts
        reason = f"its array task ended without a result {'once' if limit == 1 else f'{limit} times'}"
        if line := self.folder.last_log_line(self._tasks[call][-1]):
            reason = f"{reason}; the log ends with: {line}"
        self.on_event(call, Lost(reason))
        self._deliver(call, CallResult(error=LostProcessError(reason)))

    def _num_losses(self, call: str, active: Active) -> int:
        """Ended array tasks that have begun the call, or that have not begun any call."""
        begun = [self._reader.begun[task] for task in self._tasks[call] if task not in active]
        return sum(call in calls or not calls for calls in begun)

    def _has_begun(self, call: str) -> bool:
        return any(call in self._reader.begun[task] for task in self._tasks[call])

    def _chunks(self, calls: Sequence[str]) -> list[list[str]]:
        """Calls for array tasks. One that has ended a task before gets a task of its own."""
        new = [call for call in calls if not self._has_begun(call)]
        size = self.settings.chunk_size
        alone = [[call] for call in calls if self._has_begun(call)]
        return alone + [new[first : first + size] for first in range(0, len(new), size)]

    def _submit(self, chunks: Sequence[list[str]]) -> None:
        """Submit array tasks, fewer at once where Slurm refuses many (a limit of jobs, or of an array's size).

        After a refusal of a single one (a limit, a controller that restarts) the rest stays lost until later.
        """
        first, size = 0, _MAX_TASKS
        while first < len(chunks):
            block = chunks[first : first + size]
            try:
                self._submit_array(block)
            except FatalError:
                raise
            except BenchError:
                if len(block) > 1:
                    size = len(block) // 2
                    continue
                self._num_refusals += 1
                may_pass = self._was_accepted and self._num_refusals < _MAX_IDLE_REFUSALS
                if not self._jobs and not may_pass:
                    raise
                pause_s = self.patience.queue_s * 2 ** min(self._num_refusals - 1, 5)
                self._submit_from_s = time.monotonic() + pause_s
                return
            self._was_accepted, self._num_refusals = True, 0
            first += len(block)

    def _submit_array(self, chunks: Sequence[list[str]]) -> None:
        with self.folder.in_use(), self.folder.new_submission(chunks, self.settings.parameters()) as name:
            tasks = [
                self.make_task({call: [*self._tasks[call], (name, number)] for call in chunk})
                for number, chunk in enumerate(chunks)
            ]
            self._jobs.add(self.queue.submit(name, self.folder.path / name, tasks))
        self._add_tasks(name, chunks)
        for call in itertools.chain.from_iterable(chunks):
            if self._missing_since_s.pop(call, None) is not None:
                self.on_event(call, Lost())

    def _add_tasks(self, name: str, chunks: Sequence[Sequence[str]], delivered: Container[str] = ()) -> None:
        for number, chunk in enumerate(chunks):
            for call in self._tasks.keys() & chunk:
                (self._delivered_tasks if call in delivered else self._tasks)[call].append((name, number))

    def _jobs_in(self, active: Mapping[Task, Standing]) -> set[str]:
        tasks = itertools.chain.from_iterable(self._tasks.values())
        return {active[task].job.split("_")[0] for task in tasks if task in active}

    def _tidy_up(self) -> None:
        """Remove submissions that are no longer needed, once the last tasks have closed their logs."""
        deadline_s = time.monotonic() + _LAST_TASKS_S
        while (active := self.queue.active()) and self._jobs_in(active) and time.monotonic() < deadline_s:
            time.sleep(min(0.5, self.patience.files_s))
        if active is not None:
            with self.folder.in_use():
                self.folder.tidy_up(busy={name for name, _ in active})

    def _state(self, call: str, active: Active | None) -> str:
        if not self._tasks[call]:
            return "it has never been submitted"
        if active is None:
            return "it has been submitted, and Slurm does not answer"
        if (standing := self._standing(call, active)) is None:
            return "its array task has ended without a result"
        waits = standing.state == "RUNNING" and not self._has_begun(call)
        return f"it {'waits for its turn in a task' if waits else 'is'} {standing}"
