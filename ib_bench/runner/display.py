"""Progress of jobs: bars on a terminal and in a notebook, elsewhere a line for each that has ended."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from ib_bench.drawing.texts import duration
from ib_bench.execution.ranks import speaks
from ib_bench.plain_text import one_line
from ib_bench.quantities.job import Job
from ib_bench.quantities.progress import Progress
from ib_bench.runner.counting import LINE_INTERVAL_S, print_line
from ib_bench.runner.watching import Batch, Watcher
from ib_bench.studies.estimate import TimeLeft

_SEPARATOR = " \N{MIDDLE DOT} "
_WIDE = 110
"""Columns of a terminal from which on a job's line has room for details."""


def display(batch: Batch) -> Watcher:
    """The display of the progress of jobs: in the cell of a notebook, or on the error stream."""
    console = Console(stderr=True)
    if console.is_jupyter:
        from ib_bench.runner.notebook_display import NotebookDisplay  # noqa: PLC0415 (needs IPython)

        return NotebookDisplay(batch)
    return Display(batch, console) if console.is_terminal else Lines(batch)


class Display(Watcher):
    """Draws one bar for all jobs, with the time that is left, and a line for each running job.

    Args:
        batch: the jobs.
        console: a terminal.
    """

    def __init__(self, batch: Batch, console: Console) -> None:
        self._bars = Bars(
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=10 if console.width >= _WIDE else 5),
            TextColumn("{task.fields[state]}", markup=False, table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
            auto_refresh=console.is_terminal,
        )
        self._is_wide = console.width >= _WIDE
        self._clock = _Clock(batch)
        self._jobs = batch.jobs
        self._names = [escape(one_line(name)) for name in short_names([job.label for job in batch.jobs])]
        self._what = batch.what
        self._lines: dict[int, TaskID] = {}
        self._waiting: dict[int, str] = {}
        total = sum(batch.costs_s)
        self._all = self._bars.add_task(f"[bold]all {escape(batch.what)}[/bold]", total=total, state=self._counts())
        self._bars.start()

    def leave(self, error: BaseException | None) -> None:
        """See :class:`Watcher`."""
        self._bars.stop()

    def show(self, index: int, newest: Progress) -> None:
        """See :class:`Watcher`."""
        job = self._jobs[index]
        self._clock.note(index, newest)
        self._waiting.pop(index, None)
        self._bars.update(self._all, completed=self._clock.cost_of_ended_s, state=self._counts())
        if index not in self._lines:
            self._lines[index] = self._bars.add_task(self._names[index], total=job.max_steps, state="")
        if newest.ended:
            outcome = (str(newest.verdict), "bold") if newest.error is None else ("failed", "bold red")
            self.say(Text.assemble(one_line(f"{job.label}: "), outcome))
            self._bars.remove_task(self._lines.pop(index))
            return
        state = _state(job, newest) if self._is_wide else _state_in_short(newest)
        self._bars.update(self._lines[index], completed=newest.num_steps, state=state)

    def say(self, line: Text) -> None:
        """Show a line above the bars."""
        self._bars.print(line)

    def lose(self, index: int) -> None:
        """See :class:`Watcher`."""
        self._clock.lose(index)
        if index in self._lines:
            self._bars.update(self._lines[index], completed=0, state="lost; will run again")

    def wait(self, index: int, reason: str) -> None:
        """See :class:`Watcher`."""
        self._waiting[index] = reason
        self._bars.update(self._all, state=self._counts())

    def _counts(self) -> str:
        counts = Counter(self._waiting.values())
        waiting = [f", {number} waiting for {reason}" for reason, number in counts.most_common(1)]
        return f"{self._clock.num_done} of {self._clock.num_jobs}, {self._clock.left}{''.join(waiting)}"


class Lines(Watcher):
    """Prints a line for each job that has ended and, if there is only one, now and then for a size that it has judged.

    Args:
        batch: the jobs.
    """

    def __init__(self, batch: Batch) -> None:
        self._jobs = batch.jobs
        self._clock = _Clock(batch)
        self._printed_at_s = time.monotonic()
        self._num_evaluations = 0

    def leave(self, error: BaseException | None) -> None:
        """See :class:`Watcher`."""

    def show(self, index: int, newest: Progress) -> None:
        """See :class:`Watcher`."""
        self._clock.note(index, newest)
        job = self._jobs[index]
        if newest.ended:
            outcome = newest.verdict if newest.error is None else f"failed: {newest.error}"
            took = duration(self._clock.taken_s(index))
            of_all = f"{self._clock.num_done}/{self._clock.num_jobs}"
            self._print(f"{of_all} {job.label}: {outcome}  {took}, {self._clock.left}")
        elif len(self._jobs) == 1 and newest.num_evaluations > self._num_evaluations:
            self._num_evaluations = newest.num_evaluations
            if time.monotonic() - self._printed_at_s >= LINE_INTERVAL_S:
                of_all = f"{newest.num_evaluations}/{job.max_evaluations} at most"
                self._print(f"{of_all}: N = {newest.judged_size:,} is judged, {self._clock.left}")

    def lose(self, index: int) -> None:
        """See :class:`Watcher`."""
        self._clock.lose(index)
        self._print(f"{self._jobs[index].label}: its process is lost; the job will run again")

    def wait(self, index: int, reason: str) -> None:
        """See :class:`Watcher`."""

    def _print(self, line: str) -> None:
        self._printed_at_s = time.monotonic()
        if speaks():
            print_line(one_line(line))


class _Clock:
    """How many jobs are done, how long they took, and how much time is left."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._time_left = TimeLeft(batch.costs_s, batch.num_at_once)
        self._started_at_s: dict[int, float] = {}
        self._ended: dict[int, float] = {}

    def note(self, index: int, newest: Progress) -> None:
        now_s = time.monotonic()
        self._started_at_s.setdefault(index, now_s)
        if newest.ended and index not in self._ended:
            self._ended[index] = now_s - self._started_at_s[index]
            self._time_left.end(index, now_s)
        else:
            self._time_left.start(index, now_s)

    def lose(self, index: int) -> None:
        self._started_at_s.pop(index, None)
        self._time_left.lose(index)

    def taken_s(self, index: int) -> float:
        return self._ended[index]

    @property
    def num_done(self) -> int:
        return self._batch.num_stored + len(self._ended)

    @property
    def num_jobs(self) -> int:
        return self._batch.num_stored + len(self._batch.jobs)

    @property
    def cost_of_ended_s(self) -> float:
        return sum(self._batch.costs_s[index] for index in self._ended)

    @property
    def left(self) -> str:
        if self.num_done == self.num_jobs:
            return "all done"
        return f"about {duration(self._time_left.seconds(time.monotonic()))} left"


def short_names(labels: list[str]) -> list[str]:
    """Labels without the parts that all of them have, as long as something is left of each.

    Args:
        labels: whose parts are separated by middle dots.

    Example:
        >>> short_names(["LSTM · m=5 · L=4", "LSTM · m=5 · L=6"])
        ['L=4', 'L=6']
    """
    parts = [label.split(_SEPARATOR) for label in labels]
    common = set(parts[0]).intersection(*parts[1:]) if len(labels) > 1 else set()
    own = [[part for part in one if part not in common] for one in parts]
    return [_SEPARATOR.join(some or one) for some, one in zip(own, parts, strict=True)]


def _state(job: Job[Any], newest: Progress) -> str:
    size = "" if newest.size is None else f"N={newest.size:,} "
    loss = "" if newest.val_loss is None else f" loss {newest.val_loss:.1e}"
    evaluation = f"size {newest.num_evaluations + 1}/{job.max_evaluations}"
    trial = f"trial {newest.num_trials}/{job.num_configurations}"
    return f"{size}{evaluation} {trial} step {newest.num_steps:,}/{job.max_steps:,}{loss}"


def _state_in_short(newest: Progress) -> str:
    size = "" if newest.size is None else f"N={newest.size:,}"
    loss = "" if newest.val_loss is None else f" loss {newest.val_loss:.0e}"
    return f"{size}{loss}"
