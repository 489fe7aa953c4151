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
from ib_bench.execution.executor import CallResult, Executor, Lost, Waiting
from ib_bench.results.store import Store
from ib_bench.runner.job import Job, Record, RemoteJob, run_job, run_remote_job
from ib_bench.runner.progress import Progress

News = Progress | Lost | Waiting
Tell = Callable[[int, News], None]


def run_jobs(
    jobs: Sequence[Job[Record]], executor: Executor, what: str = "searches", log_file: str | None = None
) -> list[CallResult[Record]]:
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
    outcomes: dict[str, CallResult[Record]] = {}
    different = {job.key: job for job in jobs}
    with Store(jobs[0].store) as store:
        for key, job in different.items():
            if (record := job.stored(store)) is not None:
                outcomes[key] = CallResult(result=record)
    todo = {key: job for key, job in different.items() if key not in outcomes}
    if todo:
        outcomes.update(zip(todo, _run(list(todo.values()), executor, len(outcomes), what, log_file), strict=True))
    return [outcomes[job.key] for job in jobs]


def _run(
    jobs: Sequence[Job[Record]], executor: Executor, num_stored: int, what: str, log_file: str | None
) -> list[CallResult[Record]]:
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


def _run_here(jobs: Sequence[Job[Record]], executor: Executor, tell: Tell) -> list[CallResult[Record]]:
    """With the store at hand, in which every job keeps its own records."""
    return executor.run(run_job, jobs, tell)


def _run_elsewhere(jobs: Sequence[Job[Record]], executor: Executor, tell: Tell) -> list[CallResult[Record]]:
    """Without: records are sent back as events, and kept here."""
    with Store(jobs[0].store) as store:
        trials = store.trials_by_experiment()

        def remote(job: Job[Record]) -> RemoteJob[Record]:
            """A job with the trials of its experiment, none of which it then trains again."""
            keys = trials.get(json.dumps(asdict(job.config.experiment), sort_keys=True), [])
            return RemoteJob(job, tuple(store.trials_with_keys(keys)), os.getcwd())

        def handle(index: int, event: Any) -> None:
            if isinstance(event, News):
                tell(index, event)
            else:
                store.add(event)

        return executor.run(run_remote_job, list(map(remote, jobs)), handle, RemoteJob.after)
