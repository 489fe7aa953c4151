"""``ib-bench run``: a suite of measurements, side by side in worker processes."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.text import Text

from ib_bench import catalogue
from ib_bench.cli.display import display
from ib_bench.cli.executors import add_executor_arguments, chosen_executor
from ib_bench.cli.outputs import add_keep_weights, add_output_arguments, chosen_output
from ib_bench.cli.parsing import parse, require_writable_folder
from ib_bench.cli.suites import find_suite
from ib_bench.cli.wandb import log_quietly
from ib_bench.drawing.study import Study, study_of
from ib_bench.drawing.tables import rich_table
from ib_bench.drawing.terminal import say, show
from ib_bench.execution.executor import CallResult, Executor
from ib_bench.execution.slurm.driver import UnfinishedError
from ib_bench.plain_text import one_line
from ib_bench.quantities.job import Job
from ib_bench.quantities.num_states import num_states
from ib_bench.report.plan_table import plan_table
from ib_bench.results.archive import Records, stored_records
from ib_bench.results.kinds import record_kinds
from ib_bench.results.records import Record
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.jobs import Output, run_jobs
from ib_bench.runner.measure import require_room
from ib_bench.runner.plan import Plan, data_parameters, make_plan
from ib_bench.studies.estimate import estimate
from ib_bench.studies.futility import futility_notes
from ib_bench.studies.suite import covering, read_suite

_MAX_ROWS = 40  # of a table with a row for each result; for more, a table with a column for each model


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a suite, and print its tables and the path of its figure."""
    parser = ArgumentParser(
        prog=f"ib-bench {command}",
        description="Run a suite: measure every combination of its axes' values.",
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
    add_keep_weights(parser)
    options = parse(parser, arguments)
    executor = chosen_executor(options)
    suite = read_suite(find_suite(options.suite)).narrowed(options.axes)
    output = chosen_output(options, group=suite.name)
    cells = suite.cells(data_parameters)
    keeps = options.keep_weights == "best"
    if options.dry_run:
        return _dry_run(suite.name, make_plan(suite, cells, output.store, keeps), options, executor)
    if not options.fast_dev_run:
        plan = make_plan(suite, cells, output.store, keeps)
        return _run(suite.name, plan, options, executor, output, Path(options.figures))
    with tempfile.TemporaryDirectory() as folder:
        wandb = replace(output.wandb, mode="disabled")
        output = replace(output, store=Path(folder) / "store.sqlite", wandb=wandb)
        plan = make_plan(suite, covering(cells), output.store, keeps).shortened()
        return _run(suite.name, plan, options, executor, output, None)


def _dry_run(name: str, plan: Plan, options: Namespace, executor: Executor) -> int:
    require_writable_folder("store", str(Path(options.store).parent))
    stored, finished = Records(), set[str]()
    if Path(options.store).exists():
        stored = stored_records(options.store)
        with Store(options.store, create=False) as store:
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
    remaining = estimate(todo, stored, workers)
    show(plan_table(name, counts, remaining, workers))
    return 0


def _run(name: str, plan: Plan, options: Namespace, executor: Executor, output: Output, figures: Path | None) -> int:
    require_room(executor, max((job.num_cores for job in plan.jobs.values()), default=1))
    if figures is not None:
        require_writable_folder("figures", options.figures)
    keys = {job.key: key for key, job in plan.jobs.items()}  # a shortened job has another key than in the plan
    jobs: list[Job[Any]] = list(plan.jobs.values())
    outcomes: list[CallResult[Any]] = run_jobs(jobs, executor, output, display)
    records = {
        keys[job.key]: outcome.result for job, outcome in zip(jobs, outcomes, strict=True) if outcome.result is not None
    }
    console = Console()
    _print_results(name, plan, records, output, figures, console)
    return _list_failures(jobs, outcomes, console)


def _print_results(
    name: str, plan: Plan, records: Mapping[str, Record], output: Output, figures: Path | None, console: Console
) -> None:
    """Print the tables and the figure of the suite's results, and log them to W&B."""
    study = _study(name, plan, records, output)
    for quantity in catalogue.quantities():
        results = plan.results_of(quantity.name, records)
        notes = futility_notes(results)
        if 0 < len(results) <= _MAX_ROWS:
            show(quantity.listing(results, f"{name}: {quantity.caption}", notes), console)
        elif results:
            for table in quantity.tables(study):
                show(rich_table(replace(table, note="\n".join([table.note, *notes]))), console)
    if records:
        log_quietly(study.sources[name], output.wandb, name)
    for quantity in catalogue.quantities() if figures is not None else ():
        figure = quantity.overview(study, name)
        for path in figure.save(figures / name) if figure is not None and figures is not None else ():
            say(f"figure: {path}", console)


def _study(name: str, plan: Plan, records: Mapping[str, Record], output: Output) -> Study:
    """The suite's results with labels, without records that are only parts of other results."""
    keys = list(dict.fromkeys(key for record in records.values() for key in record.trials))
    with Store(output.store) as store:
        trials = store.get_many(TrialRecord, keys)
    source = Records.of_all([*trials, *{record.key: record for record in records.values()}.values()])
    results = [(name, one) for quantity in catalogue.quantities() for one in plan.results_of(quantity.name, records)]
    return study_of({name: source}, results, num_states)


def _list_failures(jobs: Sequence[Job[Any]], outcomes: Sequence[CallResult[Any]], console: Console) -> int:
    ended = [(job, outcome.error) for job, outcome in zip(jobs, outcomes, strict=True) if outcome.error is not None]
    failures = [(job, error) for job, error in ended if not isinstance(error, UnfinishedError)]
    for reason, count in Counter(str(error) for _, error in ended if isinstance(error, UnfinishedError)).items():
        say(f"{count} of {len(jobs)} not finished: {reason}", console)
    for job, error in failures:
        console.print(Text("failed", "bold red"), Text(one_line(f"{job.label}: {error!r}")), soft_wrap=True)
    if failures:
        say(f"{len(failures)} of {len(jobs)} failed; the same command tries them again", console)
    return 1 if failures else 0
