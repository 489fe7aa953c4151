"""``ib-bench run``: a suite of searches, side by side in worker processes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser, Namespace
from rich.console import Console

from ib_bench.cli.experiments import add_output_arguments, resolved_config, search_job, search_parser
from ib_bench.cli.parsing import explained, parse
from ib_bench.cli.progress import run_jobs
from ib_bench.cli.suites import find_suite
from ib_bench.errors import BenchError, require
from ib_bench.execution.processes import make_executor, num_cores
from ib_bench.report.figures import min_train_size_figure
from ib_bench.report.tables import verdict_table
from ib_bench.runner import SearchJob
from ib_bench.studies.search import SearchSettings
from ib_bench.studies.suite import Suite, read_suite


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a suite, and print its table and the path of its figure."""
    parser = ArgumentParser(
        prog=f"ib-bench {command}",
        description="Run a suite: the product of its axes, one search each.",
        exit_on_error=False,
    )
    parser.add_argument("suite", type=str, help="Path of a suite file, or the name of a shipped one (see ib-bench ls).")
    parser.add_argument("--workers", type=int, default=num_cores(), help="Searches that run side by side.")
    parser.add_argument("--figures", type=str, default="figures", help="Folder for the figure.")
    parser.add_argument("--fast_dev_run", action="store_true", help="Run every search for a few steps; keep nothing.")
    add_output_arguments(parser)
    options = parse(parser, arguments)
    require(options.workers >= 1, "workers", options.workers, "an integer of at least 1")
    suite = read_suite(find_suite(options.suite))
    if not options.fast_dev_run:
        return _run(suite, suite_jobs(suite, options), options)
    with tempfile.TemporaryDirectory() as folder:
        options.store, options.figures, options.wandb.mode = f"{folder}/store.sqlite", folder, "disabled"
        return _run(suite, [_shortened(job) for job in suite_jobs(suite, options)], options)


def suite_jobs(suite: Suite, output: Namespace) -> list[SearchJob]:
    """The searches of a suite, each checked as ``ib-bench search`` would check it.

    Args:
        suite: base config and axes.
        output: holds ``store`` and ``wandb``.

    Raises:
        BenchError: one of the configs is wrong.
    """
    parser = search_parser("ib-bench run", "")
    jobs = []
    for config in suite.configs():
        try:
            options = parser.parse_object(config)
        except ArgumentError as error:
            raise BenchError(f"suite {suite.name!r}: {explained(error)}") from error
        settings = SearchSettings(**options.search)
        jobs.append(search_job(resolved_config(parser, options), settings, output, group=suite.name))
    return jobs


def _run(suite: Suite, jobs: list[SearchJob], options: Namespace) -> int:
    figures = Path(options.figures)
    existing = next(folder for folder in (figures, *figures.absolute().parents) if folder.exists())
    can_be_written = existing.is_dir() and os.access(existing, os.W_OK)
    require(can_be_written, "figures", options.figures, "a folder that can be written")
    outcomes = run_jobs(jobs, make_executor(options.workers))
    records = [outcome.result for outcome in outcomes if outcome.result is not None]
    console = Console()
    if records:
        title = f"{suite.name}: smallest training set that suffices (N*)"
        console.print(verdict_table(records, title))
        files = min_train_size_figure(records, title, figures / suite.name)
        for path in [] if options.fast_dev_run else files:
            console.print(f"figure: {path}", soft_wrap=True)
    failures = [(job, outcome.error) for job, outcome in zip(jobs, outcomes, strict=True) if outcome.error is not None]
    for job, error in failures:
        console.print(f"[bold red]failed[/bold red] {job.label}: {error!r}", soft_wrap=True)
    return 1 if failures else 0


def _shortened(job: SearchJob) -> SearchJob:
    settings = replace(
        job.settings,
        learning_rates=job.settings.learning_rates[:1],
        seeds=job.settings.seeds[:1],
        max_steps=2,
        max_size=64,
        max_evaluations=1,
    )
    return replace(job, settings=settings)
