"""Live progress of jobs, on a terminal only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Column

from ib_bench.quantities.job import Job
from ib_bench.quantities.progress import Progress
from ib_bench.runner.watching import Watcher


class Display(Watcher):
    """Draws one bar for all jobs, in evaluated sizes at most, and a line for each running job."""

    def __init__(self, jobs: Sequence[Job[Any]], num_stored: int, what: str) -> None:
        console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=10),
            TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            console=console,
            expand=True,
            disable=not console.is_terminal,
        )
        self._jobs = jobs
        self._newest = [Progress() for _ in jobs]
        self._num_stored = num_stored
        self._what = what
        self._lines: dict[int, TaskID] = {}
        self._waiting: dict[int, str] = {}
        total = sum(job.max_evaluations for job in jobs)
        self._all = self._bars.add_task(f"[bold]all {what}[/bold]", total=total, state=self._counts())

        self._bars.start()

    def leave(self, error: BaseException | None) -> None:
        """See :class:`Watcher`."""
        self._bars.stop()

    def show(self, index: int, newest: Progress) -> None:
        """See :class:`Watcher`."""
        job = self._jobs[index]
        self._newest[index] = newest
        self._waiting.pop(index, None)
        self._bars.update(self._all, completed=self._num_evaluations(), state=self._counts())
        if index not in self._lines:
            self._lines[index] = self._bars.add_task(job.label, total=job.max_steps, state="")
        if newest.ended:
            if not self._bars.disable:
                told = f"[bold]{newest.verdict}[/bold]" if newest.error is None else "[bold red]failed[/bold red]"
                self._bars.print(f"{job.label}: {told}")
            self._bars.remove_task(self._lines.pop(index))
            return
        self._bars.update(self._lines[index], completed=newest.num_steps, state=_state(job, newest))

    def lose(self, index: int) -> None:
        """See :class:`Watcher`."""
        if index in self._lines:
            self._bars.update(self._lines[index], completed=0, state="lost, to be run again")

    def wait(self, index: int, reason: str) -> None:
        """See :class:`Watcher`."""
        self._waiting[index] = reason
        self._bars.update(self._all, state=self._counts())

    def _num_evaluations(self) -> int:
        """Evaluations done; those that a finished search did not need count as done."""
        pairs = zip(self._jobs, self._newest, strict=True)
        return sum(job.max_evaluations if new.ended else new.num_evaluations for job, new in pairs)

    def _counts(self) -> str:
        done = self._num_stored + sum(newest.ended for newest in self._newest)
        counts = Counter(self._waiting.values())
        waiting = [f", {number} wait for {reason}" for reason, number in counts.most_common(1)]
        return f"{done} of {self._num_stored + len(self._jobs)} {self._what}{''.join(waiting)}"


def _state(job: Job[Any], newest: Progress) -> str:
    size = "" if newest.size is None else f"N={newest.size:,} "
    loss = "" if newest.val_loss is None else f" loss {newest.val_loss:.1e}"
    evaluation = f"size {newest.num_evaluations + 1}/{job.max_evaluations}"
    trial = f"trial {newest.num_trials}/{job.num_configurations}"
    return f"{size}{evaluation} {trial} step {newest.num_steps:,}/{job.max_steps:,}{loss}"
