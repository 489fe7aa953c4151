"""The process that asks for calls in array tasks: it reads what they write, and submits what is lost."""

from __future__ import annotations

import itertools
import math
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from ib_bench.errors import BenchError, FatalError
from ib_bench.execution.executor import CallResult, Function, Item, Lost, Result, Resume, Waiting
from ib_bench.execution.slurm.call_files import CallFiles, Reader, Task
from ib_bench.execution.slurm.folder import SlurmFolder
from ib_bench.execution.slurm.queue import Queue, Standing
from ib_bench.execution.slurm.settings import SlurmSettings
from ib_bench.execution.slurm.submissions import Submissions
from ib_bench.execution.slurm.task import ArrayTask

_MAX_TASKS = 1000  # of an array: Slurm's MaxArraySize is 1,001 unless it is told otherwise
_LEAVING_S = 10.0
_MAX_IDLE_REFUSALS = 6  # with pauses of 15, 30, ..., 240 seconds: 8 minutes, in which a controller restarts

Active = dict[Task, Standing]


class UnfinishedError(BenchError):
    """A call has no outcome yet."""


@dataclass(frozen=True)
class Patience:
    """How often the driver looks.

    Attributes:
        files_s: seconds between two looks at the folder.
        queue_s: seconds between two questions to the queue.
        grace_s: seconds after which a task that has left the queue has nothing more to say; network file systems show
            new files up to a minute late.
        refusal_s: seconds, at most, from a submission that is refused to the next one. The pause begins at ``queue_s``,
            and doubles with every refusal.
    """

    files_s: float = 1.0
    queue_s: float = 15.0
    grace_s: float = 60.0
    refusal_s: float = 600.0


class Driver(Generic[Item, Result]):
    """Brings some calls to their ends.

    Args:
        settings: what is asked of Slurm.
        folder: that tasks write into; it is made here.
        queue: that array tasks wait in.
        patience: how often to look.
        work: the function.
        items: its arguments, by the ids of the calls.
        on_event: receives the id of a call and an event of it.
        resume: what is left of an item after an event of its call.

    Raises:
        FatalError: the folder cannot be used.
    """

    def __init__(
        self,
        settings: SlurmSettings,
        folder: SlurmFolder,
        queue: Queue,
        patience: Patience,
        work: Function[Item, Result],
        items: dict[str, Item],
        on_event: Callable[[str, Any], None],
        resume: Resume[Item] | None,
    ) -> None:
        folder.make()
        self._folder, self._files = folder, CallFiles(folder.calls)
        self._submissions = self._remembered()
        self._settings, self._queue, self._patience = settings, queue, patience
        self._work, self._items, self._on_event, self._resume = work, items, on_event, resume
        self._readers = {call: Reader(self._files, call) for call in items}
        self._outcomes: dict[str, CallResult[Result]] = {}
        self._missing_since_s: dict[str, float] = {}
        self._waits_for: dict[str, str] = {}
        self._jobs: set[str] = set()
        self._was_accepted = False
        self._num_refusals = 0
        self._submit_from_s = -math.inf

    def finish(self) -> list[CallResult[Result]]:
        """Wait for all calls, and submit those that are not in the queue; returns how they ended.

        Raises:
            BenchError: the queue does not answer at the beginning, or refuses tasks when none is in it.
            FatalError: the folder cannot be used any more.
            KeyboardInterrupt: the user interrupts; its text says what goes on.
        """
        active = self._queue.active()
        try:
            self._finish(active)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(self._farewell()) from None
        except BenchError as error:
            self._folder.unmake()
            if self._jobs:
                error.args = (f"{error}; {self._farewell()}",)
            raise
        self._tidy_up()
        return [self._outcomes[call] for call in self._items]

    def collect(self) -> list[CallResult[Result]]:
        """What there is now; calls without outcome get an :class:`UnfinishedError` that says where they stand."""
        active = self._queue.active()
        self._read()
        if not self._unfinished():
            self._tidy_up()
        for call in self._unfinished():
            self._outcomes[call] = CallResult(error=UnfinishedError(self._standing(call, active)))
        self._folder.unmake()
        return [self._outcomes[call] for call in self._items]

    def _finish(self, active: Active | None) -> None:
        asked_at_s = time.monotonic()
        if active is None:
            raise BenchError("Slurm does not answer: squeue, which lists what is queued, fails")
        self._jobs = self._jobs_in(active)
        self._was_accepted = bool(self._jobs)
        self._warn_of_other_parameters(active)
        self._forget_failures(active)
        while True:
            self._read()  # after the question to the queue: what a task that has left it wrote is there
            if active is not None:
                self._submit_lost(active)
            if not self._unfinished():
                return
            time.sleep(self._patience.files_s)
            active = None
            if time.monotonic() - asked_at_s >= self._patience.queue_s:
                active, asked_at_s = self._queue.active(), time.monotonic()

    def _warn_of_other_parameters(self, active: Active) -> None:
        """What is queued keeps what it was submitted with, which may be the mistake that the user has mended."""
        tasks = [task for call in self._items for task in self._submissions.tasks(call) if task in active]
        differ = [task for task in tasks if self._submissions.parameters(task) != self._settings.parameters()]
        if jobs := sorted({active[task].job.split("_")[0] for task in differ}):
            names = " ".join(jobs)
            warnings.warn(
                f"the jobs {names} were submitted with other options, and are waited for as they are; to submit their "
                f"searches anew, interrupt this command, scancel {names}, and repeat it",
                stacklevel=2,
            )

    def _unfinished(self) -> list[str]:
        return [call for call in self._items if call not in self._outcomes]

    def _forget_failures(self, active: Active) -> None:
        """A failure that a caller has been told of is not told again: the call is made anew."""
        failures = set()
        with self._folder.in_use():
            names = self._files.listing()
            for call in self._items:
                reader = Reader(self._files, call)
                reader.news(names.get(call, []))
                if reader.told and (reader.outcome is None or reader.outcome.error is not None):
                    failures.add(call)
            self._files.remove(failures)
            self._submissions.forget(failures, active)

    def _read(self) -> None:
        with self._folder.in_use():
            names = self._files.listing()
        for call in self._unfinished():
            reader = self._readers[call]
            with self._folder.in_use():
                events = reader.news(names.get(call, []))
            for event in events:  # whose handling may fail for reasons of its own
                self._on_event(call, event)
            if reader.outcome is not None:
                self._end(call, reader.outcome)

    def _end(self, call: str, outcome: CallResult[Result]) -> None:
        self._outcomes[call] = outcome
        with self._folder.in_use():
            self._files.tell(call)
        if isinstance(outcome.error, FatalError):
            raise outcome.error

    def _submit_lost(self, active: Active) -> None:
        """Submit calls that are in no task that is active, and give up those that are lost too often."""
        lost = []
        now_s = time.monotonic()
        self._jobs = self._jobs_in(active)
        for call in self._unfinished():
            tasks = self._submissions.tasks(call)
            if standings := [active[task] for task in tasks if task in active]:
                self._missing_since_s.pop(call, None)
                self._tell_standing(call, standings[-1])
            elif not tasks:
                lost.append(call)
            elif now_s - self._missing_since_s.setdefault(call, now_s) >= self._patience.grace_s:
                if self._num_losses(call, active) < self._settings.max_attempts:
                    lost.append(call)
                else:
                    reason = self._obituary(call)
                    self._on_event(call, Lost(reason))
                    self._end(call, CallResult(error=RuntimeError(reason)))
        if now_s >= self._submit_from_s:
            self._submit_in_blocks(self._chunks(lost))

    def _tell_standing(self, call: str, standing: Standing) -> None:
        """What a call waits for, if that is news."""
        if self._readers[call].began:
            return
        reason = "Slurm" if standing.reason in ("", "None") else f"Slurm ({standing.reason})"
        reason = reason if standing.state == "PENDING" else "its turn in a task"
        if self._waits_for.get(call) != reason:
            self._waits_for[call] = reason
            self._on_event(call, Waiting(reason))

    def _jobs_in(self, active: Active) -> set[str]:
        tasks = itertools.chain.from_iterable(map(self._submissions.tasks, self._items))
        return {active[task].job.split("_")[0] for task in tasks if task in active}

    def _num_losses(self, call: str, active: Active) -> int:
        """Array tasks that have begun a call and not ended it, or that have ended without beginning any call."""
        ended = [task for task in self._submissions.tasks(call) if task not in active]
        return sum(task in self._readers[call].began or not self._has_begun_any(task) for task in ended)

    def _has_begun_any(self, task: Task) -> bool:
        """Calls that nobody asks for now have been told to an earlier driver: they were begun."""
        readers = [self._readers.get(call) for call in self._submissions.chunk(task)]
        return any(reader is None or task in reader.began for reader in readers)

    def _chunks(self, calls: Sequence[str]) -> list[list[str]]:
        """Calls that have ended a task before are alone, where they harm no other."""
        new = [call for call in calls if not self._readers[call].began]
        size = self._settings.chunk_size
        alone = [[call] for call in calls if self._readers[call].began]
        return alone + [new[first : first + size] for first in range(0, len(new), size)]

    def _submit_in_blocks(self, chunks: Sequence[Sequence[str]]) -> None:
        """A refusal, as where a limit is reached or the controller restarts, leaves calls lost until a later time."""
        for first in range(0, len(chunks), _MAX_TASKS):
            try:
                self._submit(chunks[first : first + _MAX_TASKS])
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

    def _submit(self, chunks: Sequence[Sequence[str]]) -> None:
        with self._folder.in_use():
            name = self._submissions.begin(chunks, self._settings.parameters())
            tasks = [
                ArrayTask(
                    self._work,
                    {call: self._items[call] for call in chunk},
                    self._resume,
                    self._files.folder,
                    (name, number),
                )
                for number, chunk in enumerate(chunks)
            ]
            try:
                self._jobs.add(self._queue.submit(name, self._submissions.folder / name, tasks))
            except (BenchError, OSError):  # as if it had never begun: earlier losses of its calls still count
                shutil.rmtree(self._submissions.folder / name, ignore_errors=True)
                self._submissions = self._remembered()
                raise
        for call in itertools.chain.from_iterable(chunks):
            if self._missing_since_s.pop(call, None) is not None:
                self._on_event(call, Lost())

    def _remembered(self) -> Submissions:
        with self._folder.in_use():
            return Submissions(self._folder.submissions)

    def _tidy_up(self) -> None:
        """Remove what nobody wants any more, once the last tasks have closed their logs."""
        deadline_s = time.monotonic() + _LEAVING_S
        while (active := self._queue.active()) and time.monotonic() < deadline_s:
            if not any(task in active for call in self._items for task in self._submissions.tasks(call)):
                break
            time.sleep(min(0.5, self._patience.files_s))
        busy = set() if active is None else set(active)
        with self._folder.in_use():
            told = {
                call  # of drivers that were killed; whoever wants it still has asked for it now
                for call, names in self._files.listing().items()
                if any(name.endswith(".told") for name in names) and busy.isdisjoint(self._submissions.tasks(call))
            }
            self._files.remove(told | set(self._items))
            self._submissions.forget(told | set(self._items), active)

    def _standing(self, call: str, active: Active | None) -> str:
        tasks = self._submissions.tasks(call)
        if not tasks:
            return "it has never been submitted"
        if active is None:
            return "it has been submitted, and Slurm does not answer"
        for task in reversed(tasks):
            if task in active:
                waits = active[task].state == "RUNNING" and task not in self._readers[call].began
                return f"it {'waits for its turn in a task' if waits else 'is'} {active[task]}"
        return f"its array task has ended without a result ({_times(self._num_losses(call, active))})"

    def _obituary(self, call: str) -> str:
        line = self._submissions.newest_log_line(call)
        log = f"; the log ends with: {line}" if line else ""
        return f"its array task ended without a result {_times(self._settings.max_attempts)}{log}"

    def _farewell(self) -> str:
        if not self._jobs:
            return "nothing of it is queued in Slurm"
        jobs = " ".join(sorted(self._jobs))
        return f"its jobs go on in Slurm; the same command comes back to them, and this ends them: scancel {jobs}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
