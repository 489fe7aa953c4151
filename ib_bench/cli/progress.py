"""Live progress of searches and extrapolations, on a terminal only."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

from ib_bench.execution.executor import Executor, Outcome
from ib_bench.results.record_store import Record as StoredRecord
from ib_bench.results.store import Store
from ib_bench.runner import Job, Record, RemoteJob, run_job, run_remote_job
from ib_bench.runner import Progress as JobProgress

Show = Callable[[int, JobProgress], None]


def run_jobs(jobs: Sequence[Job[Record]], executor: Executor, what: str = "searches") -> list[Outcome[Record]]:
    """Run jobs and show how far they are.

    Those whose result the store holds already are answered from it, and one that occurs twice is run once.

    Args:
        jobs: all with the same store.
        executor: where they run.
        what: they are, in the plural.

    Returns:
        How each job ended, in the order of the jobs.
    """
    if not jobs:
        return []
    outcomes: dict[str, Outcome[Record]] = {}
    different = {job.key: job for job in jobs}
    with Store(jobs[0].store) as store:
        for key, job in different.items():
            if (record := job.stored(store)) is not None:
                outcomes[key] = Outcome(result=record)
    todo = {key: job for key, job in different.items() if key not in outcomes}
    if todo:
        with _Display(list(todo.values()), num_stored=len(outcomes), what=what) as display:
            run = _run_here if executor.is_local else _run_elsewhere
            outcomes.update(zip(todo, run(list(todo.values()), executor, display.show), strict=True))
    return [outcomes[job.key] for job in jobs]


def _run_here(jobs: Sequence[Job[Record]], executor: Executor, show: Show) -> list[Outcome[Record]]:
    """With the store at hand, in which every job keeps its own records."""
    return executor.run(run_job, jobs, show)


def _run_elsewhere(jobs: Sequence[Job[Record]], executor: Executor, show: Show) -> list[Outcome[Record]]:
    """Without: records are sent back as events, and kept here."""
    with Store(jobs[0].store) as store:
        records = _RecordsOf(store)

        def handle(index: int, event: Any) -> None:
            if isinstance(event, JobProgress):
                show(index, event)
            else:
                store.add(event)

        remote = [RemoteJob(job, records.needed_by(job), os.getcwd()) for job in jobs]
        return executor.run(run_remote_job, remote, handle, RemoteJob.after)


class _RecordsOf:
    """What a store holds, by the experiment it is about."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._trials = store.trials_by_experiment()
        self._finished = [search for search in store.searches() if search.status == "finished"]

    def needed_by(self, job: Job[Any]) -> tuple[StoredRecord, ...]:
        """What a job may make use of: trials of its experiment, and searches that say where to start."""
        keys = self._trials.get(json.dumps(asdict(job.config.experiment), sort_keys=True), [])
        return (*self._store.trials_with_keys(keys), *(self._finished if job.settings.start == "auto" else []))


class _Display:
    """One bar for everything, in evaluations of sizes at most, and one line for each running search."""

    def __init__(self, jobs: Sequence[Job[Any]], num_stored: int, what: str) -> None:
        console = Console(stderr=True)
        self._progress = Progress(
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
        self._newest = [JobProgress() for _ in jobs]
        self._num_stored = num_stored
        self._what = what
        self._lines: dict[int, TaskID] = {}
        total = sum(job.max_evaluations for job in jobs)
        self._all = self._progress.add_task(f"[bold]all {what}[/bold]", total=total, state=self._counts())

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, index: int, newest: JobProgress) -> None:
        """Show news of the search with this index."""
        job = self._jobs[index]
        self._newest[index] = newest
        self._progress.update(self._all, completed=self._num_evaluations(), state=self._counts())
        if index not in self._lines:
            self._lines[index] = self._progress.add_task(job.label, total=job.settings.max_steps, state="")
        if newest.verdict is not None:
            if not self._progress.disable:
                self._progress.print(f"{job.label}: [bold]{newest.verdict}[/bold]")
            self._progress.remove_task(self._lines.pop(index))
            return
        self._progress.update(self._lines[index], completed=newest.num_steps, state=_state(job, newest))

    def _num_evaluations(self) -> int:
        """Evaluations done; those that a finished search did not need count as done."""
        pairs = zip(self._jobs, self._newest, strict=True)
        return sum(job.max_evaluations if new.verdict else new.num_evaluations for job, new in pairs)

    def _counts(self) -> str:
        done = self._num_stored + sum(newest.verdict is not None for newest in self._newest)
        return f"{done} of {self._num_stored + len(self._jobs)} {self._what}"


def _state(job: Job[Any], newest: JobProgress) -> str:
    size = "" if newest.size is None else f"N={newest.size:,} "
    loss = "" if newest.val_loss is None else f" loss {newest.val_loss:.1e}"
    evaluation = f"size {newest.num_evaluations + 1}/{job.max_evaluations}"
    trial = f"trial {newest.num_trials}/{len(job.settings.grid())}"
    return f"{size}{evaluation} {trial} step {newest.num_steps:,}/{job.settings.max_steps:,}{loss}"
