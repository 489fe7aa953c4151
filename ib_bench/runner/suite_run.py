"""A suite, measured: what ``ib_bench.run`` and ``ib-bench run`` do."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from rich.console import Group

from ib_bench import catalogue
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study, study_of
from ib_bench.drawing.tables import rich_table
from ib_bench.execution.executor import CallResult, Executor
from ib_bench.execution.slurm.driver import UnfinishedError
from ib_bench.quantities.num_states import num_states
from ib_bench.quantities.search.futility import futility_notes
from ib_bench.report.plan_table import plan_table
from ib_bench.results.archive import Records, StoredRecords, stored_records
from ib_bench.results.kinds import record_kinds
from ib_bench.results.records import PAPER_PROTOCOL, Record
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.counting import counted
from ib_bench.runner.executors import add_executor_arguments, chosen_executor
from ib_bench.runner.jobs import MakeWatcher, Output, run_jobs
from ib_bench.runner.measure import require_room
from ib_bench.runner.outputs import add_keep_weights, add_output_arguments, chosen_output
from ib_bench.runner.places import require_writable_folder
from ib_bench.runner.plan import Plan, data_parameters, make_plan
from ib_bench.runner.wandb_logging import log_quietly
from ib_bench.studies.divergence import divergence_notes
from ib_bench.studies.estimate import estimate
from ib_bench.studies.suite import Cell, Suite, covering

_MAX_ROWS = 40  # of a table with a row for each result; for more, a table with a column for each model


def add_suite_arguments(parser: Any) -> None:
    """Everything that can be said about a run of a suite, on the command line and from Python."""
    parser.add_argument(
        "--axes",
        type=dict[str, Any],
        default={},
        help="Keep only these values of an axis: --axes.modulus 5 --axes.max_length '[5,10]' --axes.model LSTM.",
    )
    parser.add_argument("--dry_run", action="store_true", help="Print how much there is to do, and run nothing.")
    parser.add_argument("--figures", type=str, default="figures", help="Folder for the figure.")
    parser.add_argument(
        "--fast_dev_run",
        action="store_true",
        help="Try the suite: every value of every axis once, for a few steps, storing nothing.",
    )
    add_executor_arguments(parser)
    add_output_arguments(parser)
    add_keep_weights(parser)


@dataclass(frozen=True)
class FinishedSuite:
    """The outcome of a suite's run.

    Attributes:
        name: of the suite.
        plan: its jobs and results.
        records: of the jobs that have ended well, by the key in the plan.
        trials: that they rest on, read from the store when they are asked for.
        errors: for each job that has not ended well, its label and why.
    """

    name: str
    plan: Plan
    records: Mapping[str, Record]
    trials: Collection[TrialRecord]
    errors: Sequence[tuple[str, Exception]]

    @property
    def failures(self) -> list[tuple[str, Exception]]:
        """The errors, except those of jobs that only wait."""
        return [(label, error) for label, error in self.errors if not isinstance(error, UnfinishedError)]

    @property
    def unfinished(self) -> Counter[str]:
        """The number of unfinished jobs, by the reason."""
        return Counter(str(error) for _, error in self.errors if isinstance(error, UnfinishedError))

    @property
    def source(self) -> Records:
        """The records of the suite alone."""
        return Records.of_all({record.key: record for record in self.records.values()}.values(), self.trials)

    def results(self, quantity: str) -> list[Any]:
        """The results of one quantity whose records are all there."""
        return self.plan.results_of(quantity, self.records)

    @cached_property
    def study(self) -> Study:
        """The results with labels, without records that are only parts of other results."""
        results = [(self.name, one) for quantity in catalogue.quantities() for one in self.results(quantity.name)]
        return study_of({self.name: self.source}, results, num_states)

    def tables(self) -> Iterator[Group]:
        """The tables of the results, as a terminal shows them."""
        for quantity in catalogue.quantities():
            results = self.results(quantity.name)
            diverged = divergence_notes(results, self.source.trials_with_keys)
            notes = [*diverged, *futility_notes(results)]
            if 0 < len(results) <= _MAX_ROWS:
                yield quantity.listing(results, f"{self.name}: {quantity.caption}", notes)
            elif results:
                for table in quantity.tables(self.study):
                    note = "\n".join([table.note, *notes])
                    yield rich_table(replace(table, note=note, protocol=PAPER_PROTOCOL))

    def figures(self) -> Iterator[Figure]:
        """The figures that the suite ends with."""
        for quantity in catalogue.quantities():
            if (figure := quantity.overview(self.study, self.name)) is not None:
                yield figure


def planned(suite: Suite, options: Namespace) -> Group:
    """The remaining work of a suite; runs nothing.

    Args:
        suite: narrowed already.
        options: of :func:`add_suite_arguments`.

    Raises:
        BenchError: an option is wrong, or a cell cannot be measured.
    """
    executor = chosen_executor(options)
    store = _output(suite, options).store
    plan = _plan(suite, suite.cells(data_parameters), store, options, is_counted=True)
    return planned_work(suite.name, plan, store, executor)


def planned_work(name: str, plan: Plan, path: Path, executor: Executor) -> Group:
    """The remaining work of a plan.

    Args:
        name: of what is planned.
        plan: the jobs and results.
        path: of the store.
        executor: that would run the jobs.
    """
    require_writable_folder("store", str(path.parent))
    stored, finished = Records(), set[str]()
    if path.exists():
        stored = stored_records(path)
        with Store(path, create=False) as store:
            finished = {key for key, job in plan.jobs.items() if job.stored(store) is not None}
    todo = [job.workload(finished | plan.jobs.keys()) for key, job in plan.jobs.items() if key not in finished]
    counts = {}
    for quantity in catalogue.quantities():
        wanted = [result.jobs for result in plan.results if result.quantity == quantity.name]
        if wanted:
            counts[quantity.title] = len(wanted), sum(finished.issuperset(keys) for keys in wanted)
    for kind in record_kinds():
        keys = {key for key, job in plan.jobs.items() if job.record is kind}
        alone = {result.jobs for result in plan.results if len(result.jobs) == 1 and keys.issuperset(result.jobs)}
        if len(keys) > len(alone):  # some are only there as parts of other results
            counts[f"{kind.table} behind them"] = len(keys), sum(key in finished for key in keys)
    workers = executor.num_at_once
    return plan_table(name, counts, estimate(todo, stored, workers), workers)


def run_suite(
    suite: Suite,
    options: Namespace,
    make_watcher: MakeWatcher | None,
    executor: Executor | None = None,
    command: str | None = None,
) -> FinishedSuite:
    """Measure every cell; what the store holds already is not measured again.

    Args:
        suite: narrowed already.
        options: of :func:`add_suite_arguments`.
        make_watcher: makes a display, or None.
        executor: where the jobs run; None takes the one of the options.
        command: see :class:`~ib_bench.runner.jobs.Output`.

    Raises:
        BenchError: an option is wrong, or a cell cannot be measured.
    """
    executor = executor or chosen_executor(options)
    output = replace(_output(suite, options), command=command)
    cells = suite.cells(data_parameters)
    if not options.fast_dev_run:
        plan = _plan(suite, cells, output.store, options, make_watcher is not None)
        return _logged(run_plan(suite.name, plan, executor, output, make_watcher), output)
    with tempfile.TemporaryDirectory() as folder:
        wandb = replace(output.wandb, mode="disabled")
        output = replace(output, store=Path(folder) / "store.sqlite", wandb=wandb)
        plan = _plan(suite, covering(cells), output.store, options, make_watcher is not None).shortened()
        finished = _logged(run_plan(suite.name, plan, executor, output, make_watcher), output)
        return replace(finished, trials=list(finished.trials))  # as the store goes with the folder


def _output(suite: Suite, options: Namespace) -> Output:
    return chosen_output(options, group=suite.name)


def _plan(suite: Suite, cells: Sequence[Cell], store: Path, options: Namespace, is_counted: bool) -> Plan:
    with counted("cells planned") if is_counted else nullcontext() as on_count:
        return make_plan(suite, cells, store, bool(options.keep_weights == "best"), on_count)


def run_plan(
    name: str, plan: Plan, executor: Executor, output: Output, make_watcher: MakeWatcher | None
) -> FinishedSuite:
    """Run the jobs of a plan.

    Args:
        name: of what is measured.
        plan: the jobs and results.
        executor: where the jobs run.
        output: where results go.
        make_watcher: makes a display, or None.
    """
    require_room(executor, max((job.num_cores for job in plan.jobs.values()), default=1))
    keys = {job.key: key for key, job in plan.jobs.items()}  # a shortened job has another key than in the plan
    jobs = list(plan.jobs.values())
    outcomes: list[CallResult[Any]] = run_jobs(jobs, executor, output, make_watcher)
    ended = list(zip(jobs, outcomes, strict=True))
    records = {keys[job.key]: outcome.result for job, outcome in ended if outcome.result is not None}
    errors = [(job.label, outcome.error) for job, outcome in ended if outcome.error is not None]
    trial_keys = list(dict.fromkeys(key for record in records.values() for key in record.trials))
    trials = StoredRecords(output.store, TrialRecord, trial_keys)
    return FinishedSuite(name, plan, records, trials, errors)


def _logged(finished: FinishedSuite, output: Output) -> FinishedSuite:
    if finished.records:
        log_quietly(finished.source, output.wandb, finished.name)
    return finished
