"""Jobs on an executor, with the store, W&B and watchers around them."""

from __future__ import annotations

import json
import os
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic

from ib_bench.errors import BenchError
from ib_bench.execution.cuda_failure import cuda_failure
from ib_bench.execution.executor import CallResult, Emit, Executor, Lost, Waiting
from ib_bench.execution.main_module import require_classes_reachable
from ib_bench.quantities.job import Job, R
from ib_bench.quantities.progress import Progress, ProgressReporter
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.archive import Records, StoredRecords
from ib_bench.results.identity import canonical
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Record
from ib_bench.results.reference import reference_records
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.notices import tell_once
from ib_bench.runner.watching import Batch, LogFile, StatusKeeper, Watcher
from ib_bench.studies.estimate import expected_costs
from ib_bench.tracking.settings import WandbSettings
from ib_bench.user_code import look_in

News = Progress | Lost | Waiting
Tell = Callable[[int, News], None]
MakeWatcher = Callable[[Batch], Watcher]
"""Makes a watcher of jobs."""


@dataclass(frozen=True)
class Output:
    """The destinations of results.

    Attributes:
        store: path of the store.
        wandb: where results are logged.
        group: name of the suite that they belong to, or None.
        log_file: path of a file to which everything that happens is appended, or None.
        command: what ``ib-bench status`` calls the run; None is this process's command line.
    """

    store: Path
    wandb: WandbSettings = field(default_factory=WandbSettings)
    group: str | None = None
    log_file: str | None = None
    command: str | None = None


@dataclass(frozen=True)
class LocalCall(Generic[R]):
    """A job for a process that can reach the store.

    Attributes:
        job: what to measure.
        output: where results go.
    """

    job: Job[R]
    output: Output


@dataclass(frozen=True)
class RemoteCall(Generic[R]):
    """A job for a machine that cannot reach the store.

    Attributes:
        job: what to measure.
        output: where results go; the path of the store means nothing there.
        records: the records in the store that the job may need.
        folder: working folder of the command, where a user's own classes may be.
    """

    job: Job[R]
    output: Output
    records: tuple[Record, ...]
    folder: str

    def after(self, event: object) -> RemoteCall[R]:
        """The same call after an event of it: a record that it has sent need not be made again."""
        return replace(self, records=(*self.records, event)) if isinstance(event, Record) else self


def run_local(call: LocalCall[R], emit: Emit) -> R:
    """Run a job on the machine that has its store; a function that other processes find by its name."""
    with Store(call.output.store) as store:
        return _run_job(call.job, call.output, emit, store)


def run_remote(call: RemoteCall[R], emit: Emit) -> R:
    """Run a job far from its store: new records are emitted, for the store's machine to keep."""
    look_in(call.folder)
    return _run_job(call.job, call.output, emit, MemoryStore(call.records, emit))


def _run_job(job: Job[R], output: Output, emit: Emit, store: RecordStore) -> R:
    progress = ProgressReporter(emit)
    with _logged_to_wandb(job, output, store) as observed:
        try:
            if job.config.experiment.source_digests:
                from ib_bench.training.sources import require_planned_code  # noqa: PLC0415 (loads torch)

                require_planned_code(job.config.experiment)
            return job.run(progress, observed)
        except Exception as error:
            if cuda_failure() is None:  # else the job has not failed: the executor runs it again, or raises
                progress.fail(error)
            raise


@contextmanager
def _logged_to_wandb(job: Job[Any], output: Output, store: RecordStore) -> Iterator[RecordStore]:
    """The store, every new state of the job's own record in which is logged."""
    if output.wandb.is_disabled:
        yield store
        return
    from ib_bench.tracking.live import LiveLogging  # noqa: PLC0415 (importing wandb takes a second)

    with LiveLogging(job, output.wandb, output.group, store) as observed:
        yield observed


def run_jobs(
    jobs: Sequence[Job[R]], executor: Executor, output: Output, make_watcher: MakeWatcher | None = None
) -> list[CallResult[R]]:
    """Run jobs; those whose result the store holds are answered from it, and one that occurs twice is run once.

    Args:
        jobs: what to measure, of any stages.
        executor: where they run.
        output: where results go.
        make_watcher: makes a display, or None.

    Returns:
        How each job ended, in the order of the jobs.

    Raises:
        StoreError: the store cannot be used, or jobs that only read it find none.
    """
    if not jobs:
        return []
    _require_reachable(jobs, executor)
    outcomes: dict[str, CallResult[R]] = {}
    different = {job.key: job for job in jobs}
    with Store(output.store, create=not all(job.reads_only for job in jobs)) as store:
        for key, job in different.items():
            if (record := job.stored(store)) is not None:
                outcomes[key] = CallResult(result=record)
    if outcomes:
        tell_once(_stored_text(len(outcomes), len(different), output.store))
    for part in _parts(list(different.values()), executor):
        todo = [job for job in part if job.key not in outcomes]
        if todo:
            ordered, costs_s = _longest_first(todo, different, output.store)
            name = type(executor).__name__.lower()
            what = " and ".join(dict.fromkeys(job.record.table for job in ordered))
            batch = Batch(ordered, len(part) - len(todo), what, name, costs_s, executor.num_at_once)
            ended = _run(batch, executor, output, make_watcher)
            outcomes.update(zip((job.key for job in ordered), ended, strict=True))
    return [outcomes[job.key] for job in jobs]


def _stored_text(num_stored: int, num_jobs: int, store: Path) -> str:
    """Says that answers come from the store."""
    if num_jobs == 1:
        return f"the result comes from the store {store}: nothing is trained"
    rest = "nothing is trained" if num_stored == num_jobs else "the others are measured"
    return f"{num_stored:,} of {num_jobs:,} results come from the store {store}: {rest}"


def _require_reachable(jobs: Sequence[Job[Any]], executor: Executor) -> None:
    """Make sure that the processes in which trials run can import the users' classes.

    Raises:
        BenchError: they cannot.
    """
    for job in jobs:
        if not executor.in_this_process or job.num_cores > 1:
            require_classes_reachable(list(job.config.experiment.source_digests), executor.is_local)


def _parts(jobs: Sequence[Job[R]], executor: Executor) -> list[list[Job[R]]]:
    """What is run together: everything, or one stage after the other if the executor keeps no order among calls."""
    stages: dict[int, list[Job[R]]] = {}
    for job in jobs:
        stages.setdefault(0 if executor.takes_after else job.stage, []).append(job)
    return [stages[stage] for stage in sorted(stages)]


def _longest_first(
    jobs: Sequence[Job[R]], all_jobs: Mapping[str, Job[R]], store: Path
) -> tuple[list[Job[R]], list[float]]:
    """The jobs, stage after stage, and in each those first that take longest; with their expected costs in seconds.

    So no worker starts a long job while the others end. What a job finds does not depend on the order.
    """
    stored = Records({kind: StoredRecords(store, kind) for kind in (TrialRecord, SearchRecord)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged records: code that needs one of them warns
        costs_s = expected_costs([job.workload(all_jobs.keys()) for job in jobs], stored, _reference)
    order = sorted(range(len(jobs)), key=lambda index: (jobs[index].stage, -costs_s[index]))
    return [jobs[index] for index in order], [costs_s[index] for index in order]


def _reference() -> Records:
    with suppress(BenchError):  # an installation may lack them
        return reference_records()
    return Records()


def _dependencies(jobs: Sequence[Job[Any]]) -> dict[int, list[int]]:
    """For a job's index, those of the jobs that have to end before."""
    stages = [job.stage for job in jobs]
    places = {job.key: index for index, job in enumerate(jobs)}
    after = {}
    for index, job in enumerate(jobs):
        lower = range(bisect_left(stages, stages[index]))
        after[index] = list(lower) if job.uses is None else [places[key] for key in job.uses if key in places]
    return {index: others for index, others in after.items() if others}


def _run(batch: Batch, executor: Executor, output: Output, make_watcher: MakeWatcher | None) -> list[CallResult[Any]]:
    jobs = batch.jobs
    with ExitStack() as stack:
        watchers: list[Watcher] = []
        if output.log_file is not None:
            watchers.append(stack.enter_context(LogFile(output.log_file, batch)))
        if not executor.only_collects:  # otherwise the status is that of the command that submitted
            watchers.append(stack.enter_context(StatusKeeper(output.store, batch, output.command)))
        if make_watcher is not None:
            watchers.append(stack.enter_context(make_watcher(batch)))
        tell = _Teller(watchers)
        if not executor.is_local:
            return _run_elsewhere(jobs, executor, output, tell)
        calls = [LocalCall(job, output) for job in jobs]
        after: dict[str, Any] = {"after": _dependencies(jobs)} if executor.takes_after else {}
        return executor.run(run_local, calls, tell, **after)


class _Teller:
    """Passes the news of a job on to all watchers.

    Args:
        watchers: that receive it.
    """

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers
        self._newest: dict[int, Progress] = {}

    def __call__(self, index: int, news: News) -> None:
        """Pass it on."""
        if isinstance(news, Lost) and news.error is not None:  # the job is given up
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


def _run_elsewhere(jobs: Sequence[Job[R]], executor: Executor, output: Output, tell: Tell) -> list[CallResult[R]]:
    """Run jobs on machines without the store: they send records back as events, and this process stores them."""
    with Store(output.store) as store:
        by_experiment = store.trials_by_experiment()

        def handle(index: int, event: Any) -> None:
            if isinstance(event, News):
                tell(index, event)
            else:
                store.add(event)

        def call(job: Job[R]) -> RemoteCall[R]:
            keys = job.trial_keys(store)
            if keys is None:
                keys = by_experiment.get(json.dumps(canonical(job.config.experiment), sort_keys=True), [])
            trials = store.get_many(TrialRecord, keys)
            return RemoteCall(job, output, (*trials, *job.needed(store)), os.getcwd())

        return executor.run(run_remote, [call(job) for job in jobs], handle, RemoteCall.after)
