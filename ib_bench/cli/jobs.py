"""Jobs on an executor, followed by watchers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Any

from ib_bench.cli.progress import Display
from ib_bench.cli.watching import LogFile, StatusKeeper, Watcher
from ib_bench.execution.executor import Executor, Lost, Outcome, Waiting
from ib_bench.results.record_store import Record as StoredRecord
from ib_bench.results.store import Store
from ib_bench.runner.job import Job, Record, RemoteJob, run_job, run_remote_job
from ib_bench.runner.progress import Progress
from ib_bench.runner.search_job import SearchJob
from ib_bench.studies.neighbours import nearest_search

News = Progress | Lost | Waiting
Tell = Callable[[int, News], None]


def run_jobs(
    jobs: Sequence[Job[Record]], executor: Executor, what: str = "searches", log_file: str | None = None
) -> list[Outcome[Record]]:
    """Run jobs and show how far they are.

    Those whose result the store holds already are answered from it, and one that occurs twice is run once.

    Args:
        jobs: all with the same store.
        executor: where they run.
        what: they are, in the plural.
        log_file: path of a file to which everything that happens is appended, or None.

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
        outcomes.update(zip(todo, _run(list(todo.values()), executor, len(outcomes), what, log_file), strict=True))
    return [outcomes[job.key] for job in jobs]


def _run(
    jobs: Sequence[Job[Record]], executor: Executor, num_stored: int, what: str, log_file: str | None
) -> list[Outcome[Record]]:
    name = type(executor).__name__.lower()
    with ExitStack() as stack:
        watchers: list[Watcher] = []
        if log_file is not None:
            watchers.append(stack.enter_context(LogFile(log_file, jobs, num_stored, what, name)))
        if not executor.only_collects:  # else the status is that of whoever has submitted
            watchers.append(stack.enter_context(StatusKeeper(jobs, num_stored, what, name)))
        watchers.append(stack.enter_context(Display(jobs, num_stored, what)))
        return (_run_here if executor.is_local else _run_elsewhere)(jobs, executor, _Teller(watchers))


class _Teller:
    """Tells all watchers the news of a job.

    Args:
        watchers: that are told.
    """

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers
        self._newest: dict[int, Progress] = {}

    def __call__(self, index: int, news: News) -> None:
        """Tell them."""
        if isinstance(news, Lost) and news.error is not None:  # no more will come of it
            news = replace(self._newest.get(index, Progress()), error=news.error)
        for watcher in self._watchers:
            if isinstance(news, Progress):
                self._newest[index] = news
                watcher.show(index, news)
            elif isinstance(news, Waiting):
                watcher.wait(index, news.reason)
            else:
                self._newest.pop(index, None)
                watcher.lose(index)


def _run_here(jobs: Sequence[Job[Record]], executor: Executor, tell: Tell) -> list[Outcome[Record]]:
    """With the store at hand, in which every job keeps its own records."""
    return executor.run(run_job, jobs, tell)


def _run_elsewhere(jobs: Sequence[Job[Record]], executor: Executor, tell: Tell) -> list[Outcome[Record]]:
    """Without: records are sent back as events, and kept here."""
    with Store(jobs[0].store) as store:
        records = _RecordsOf(store)

        def handle(index: int, event: Any) -> None:
            if isinstance(event, News):
                tell(index, event)
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
        """What a job may make use of: trials of its experiment, and the search that says where to start."""
        keys = self._trials.get(json.dumps(asdict(job.config.experiment), sort_keys=True), [])
        needed: list[StoredRecord] = [*self._store.trials_with_keys(keys)]
        if isinstance(job, SearchJob) and job.settings.start == "auto":
            nearest = nearest_search(job.config, self._finished)
            needed += [] if nearest is None else [nearest]
        return tuple(needed)
