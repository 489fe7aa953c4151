"""``ib-bench run``: a suite of measurements, side by side in worker processes."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.text import Text

from ib_bench.cli.executors import add_executor_arguments, chosen_executor, require_room
from ib_bench.cli.experiments import add_output_arguments
from ib_bench.cli.jobs import run_jobs
from ib_bench.cli.parsing import parse, require_writable_folder
from ib_bench.cli.plan import Plan, data_parameters, make_plan
from ib_bench.cli.suites import find_suite
from ib_bench.cli.wandb import log_quietly
from ib_bench.execution.executor import CallResult, Executor
from ib_bench.execution.slurm.driver import UnfinishedError
from ib_bench.report.figures import min_train_size_figure
from ib_bench.report.results import collect
from ib_bench.report.study_tables import (
    extrapolation_table,
    kappa_table,
    min_train_size_table,
    rich_table,
    with_warnings,
)
from ib_bench.report.tables import plan_table, verdict_table
from ib_bench.report.terminal import show
from ib_bench.results.archive import Records, stored_records
from ib_bench.results.records import ExtrapolationRecord, SearchRecord
from ib_bench.results.store import Store
from ib_bench.runner.extrapolation_job import ExtrapolationJob
from ib_bench.runner.job import Job
from ib_bench.runner.search_job import SearchJob
from ib_bench.studies.estimate import estimate
from ib_bench.studies.suite import covering, read_suite
from ib_bench.tracking.settings import WandbSettings

_FAST_DEV_STEPS = 2

_MAX_ROWS = 40  # of the table with brackets, trials and times; longer ones have a column for each model instead


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a suite, and print its tables and the path of its figure."""
    parser = ArgumentParser(
        prog=f"ib-bench {command}",
        description="Run a suite: everything that is measured for every combination of its axes' values.",
        exit_on_error=False,
    )
    parser.add_argument("suite", type=str, help="Path of a suite file, or the name of a shipped one (see ib-bench ls).")
    parser.add_argument(
        "--axes",
        type=dict[str, Any],
        default={},
        help="Keep only these values of an axis: --axes.modulus 5 --axes.max_length [5,10] --axes.model LSTM.",
    )
    parser.add_argument("--dry_run", action="store_true", help="Print how much there is to do, and do nothing.")
    parser.add_argument("--figures", type=str, default="figures", help="Folder for the figure.")
    parser.add_argument(
        "--fast_dev_run",
        action="store_true",
        help="Try the suite: every value of every axis once, for a few steps, keeping nothing.",
    )
    add_executor_arguments(parser)
    add_output_arguments(parser)
    options = parse(parser, arguments)
    executor = chosen_executor(options)
    suite = read_suite(find_suite(options.suite)).narrowed(options.axes)
    cells = suite.cells(data_parameters)
    if options.dry_run:
        return _dry_run(suite.name, make_plan(suite, cells, options), options, executor)
    if not options.fast_dev_run:
        return _run(suite.name, make_plan(suite, cells, options), options, executor)
    with tempfile.TemporaryDirectory() as folder:
        options.store, options.figures, options.wandb.mode = f"{folder}/store.sqlite", folder, "disabled"
        return _run(suite.name, _shortened(make_plan(suite, covering(cells), options)), options, executor)


def _dry_run(name: str, plan: Plan, options: Namespace, executor: Executor) -> int:
    require_writable_folder("store", str(Path(options.store).parent))
    stored = stored_records(options.store) if Path(options.store).exists() else Records()
    finished = {record.key for record in stored.finished}
    measured = {record.key for record in stored.extrapolations}
    todo = [job.work() for key, job in plan.searches.items() if key not in finished]
    todo += [
        replace(job.work(), max_trials=1) if _has_largest(job, finished | plan.searches.keys()) else job.work()
        for key, job in plan.extrapolations.items()
        if key not in measured
    ]
    counts = {
        "N*": (len(plan.verdicts), sum(key in finished for key in plan.verdicts)),
        "kappa": (
            len(plan.sharings),
            sum(finished.issuperset((joint, *parts.values())) for joint, parts in plan.sharings),
        ),
        "searches behind them": (len(plan.searches), sum(key in finished for key in plan.searches)),
        "extrapolations": (len(plan.extrapolations), sum(key in measured for key in plan.extrapolations)),
    }
    remaining = estimate(todo, stored.searches, list(stored.trials), executor.num_at_once)
    show(plan_table(name, counts, remaining, executor.num_at_once))
    return 0


def _has_largest(job: ExtrapolationJob, searches: Collection[str]) -> bool:
    """Whether a search trains, or has trained, the trials of which an extrapolation wants the best."""
    return job.settings.vectorize is not True and job.search.key in searches


def _run(name: str, plan: Plan, options: Namespace, executor: Executor) -> int:
    require_room(executor, max((job.settings.spread for job in plan.searches.values()), default=1))
    figures = Path(options.figures)
    require_writable_folder("figures", options.figures)
    searches, extrapolations = list(plan.searches.values()), list(plan.extrapolations.values())
    outcomes = dict(zip(plan.searches, run_jobs(searches, executor, log_file=options.log_file), strict=True))
    measured = run_jobs(extrapolations, executor, "extrapolations", options.log_file)
    records = {key: outcome.result for key, outcome in outcomes.items() if outcome.result is not None}
    lengths = [outcome.result for outcome in measured if outcome.result is not None]
    with Store(options.store) as store:
        trials = store.trials_with_keys(_trial_keys(records.values(), lengths))
    results = collect({name: Records(trials, list(records.values()), lengths)})
    console = Console()
    verdicts = [records[key] for key in plan.verdicts if key in records]
    tables = []
    title = f"{name}: smallest training set that suffices (N*)"
    if 0 < len(verdicts) <= _MAX_ROWS:
        show(verdict_table(verdicts, title), console)
    elif verdicts:
        wanted = {record.key for record in verdicts}
        tables.append(min_train_size_table([row for row in results.searches if row["key"] in wanted]))
    if plan.sharings and results.sharings:
        tables.append(kappa_table(results.sharings))
    if lengths:
        tables.append(extrapolation_table(results.extrapolations))
    for table in tables:
        show(rich_table(with_warnings(table, results.records)), console)
    if results.searches or lengths:
        log_quietly(results.sources[name], WandbSettings(**options.wandb), name)
    if verdicts := [record for record in verdicts if record.max_size]:
        files = min_train_size_figure(verdicts, title, figures / name)
        for path in [] if options.fast_dev_run else files:
            console.print(f"figure: {path}", soft_wrap=True)
    return _list_failures([*searches, *extrapolations], [*outcomes.values(), *measured], console)


def _trial_keys(searches: Iterable[SearchRecord], extrapolations: Iterable[ExtrapolationRecord]) -> list[str]:
    """Keys of all trials that results rest on, each once."""
    keys = [key for record in searches for evaluation in record.evaluations for key in evaluation.trials]
    return list(dict.fromkeys([*keys, *(record.trial for record in extrapolations if record.trial is not None)]))


def _list_failures(jobs: Sequence[Job[Any]], outcomes: Sequence[CallResult[Any]], console: Console) -> int:
    ended = [(job, outcome.error) for job, outcome in zip(jobs, outcomes, strict=True) if outcome.error is not None]
    failures = [(job, error) for job, error in ended if not isinstance(error, UnfinishedError)]
    for reason, count in Counter(str(error) for _, error in ended if isinstance(error, UnfinishedError)).items():
        console.print(f"{count} of {len(jobs)} not finished: {reason}", soft_wrap=True)
    for job, error in failures:
        console.print("[bold red]failed[/bold red]", Text(f"{job.label}: {error!r}"), soft_wrap=True)
    if failures:
        console.print(f"{len(failures)} of {len(jobs)} failed; the same command tries them again")
    return 1 if failures else 0


def _shortened(plan: Plan) -> Plan:
    """The plan with trials of a few steps; what rests on what stays the same."""
    searches = {key: _shortened_search(job) for key, job in plan.searches.items()}
    extrapolations = {
        key: replace(
            job, search=_shortened_search(job.search), extrapolation=replace(job.extrapolation, num_sequences=2)
        )
        for key, job in plan.extrapolations.items()
    }
    return replace(plan, searches=searches, extrapolations=extrapolations)


def _shortened_search(job: SearchJob) -> SearchJob:
    settings = replace(
        job.settings,
        learning_rates=job.settings.learning_rates[:1],
        seeds=job.settings.seeds[:1],
        max_steps=_FAST_DEV_STEPS,
        max_size=64,
        max_evaluations=1,
    )
    return replace(job, settings=settings)
