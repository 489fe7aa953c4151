"""``ib-bench run``: a suite of measurements, side by side in worker processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console
from rich.text import Text

from ib_bench.cli.parsing import parse
from ib_bench.drawing.terminal import say, show
from ib_bench.errors import BenchError, require
from ib_bench.plain_text import one_line
from ib_bench.runner.display import display
from ib_bench.runner.places import require_writable_folder
from ib_bench.runner.suite_run import FinishedSuite, add_suite_arguments, planned, run_suite
from ib_bench.runner.suites import find_suite
from ib_bench.studies.suite import read_suite


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a suite, and print its tables and the path of its figure."""
    parser = ArgumentParser(
        prog=f"ib-bench {command}",
        description="Run a suite: measure every combination of its axes' values.",
        exit_on_error=False,
    )
    parser.add_argument("suite", type=str, help="Path of a suite file, or the name of a shipped one (see ib-bench ls).")
    add_suite_arguments(parser)
    options = parse(parser, arguments)
    suite = read_suite(find_suite(options.suite)).narrowed(options.axes)
    console = Console()
    if options.dry_run:
        require(not options.fast_dev_run, "fast_dev_run", True, "left out with --dry_run")
        show(planned(suite, options), console)
        return 0
    if not options.fast_dev_run:
        require_writable_folder("figures", options.figures)
    finished = run_suite(suite, options, display)
    figures = () if options.fast_dev_run else finished.figures()
    paths = [path for figure in figures for path in figure.save(Path(options.figures) / figure.name)]
    for table in finished.tables():  # after the files, as nobody may read it to its end
        show(table, console)
    for path in paths:
        say(f"figure: {path}", console)
    return list_failures(finished, console)


def _reason(error: Exception) -> str:
    """What an error says, with its class unless it is an error of this package, whose sentence is enough."""
    return str(error) if isinstance(error, BenchError) else repr(error)


def list_failures(finished: FinishedSuite, console: Console) -> int:
    """Print which jobs have not ended well; the exit code.

    Args:
        finished: what was run.
        console: where to.
    """
    num_jobs = len(finished.plan.jobs)
    for reason, count in finished.unfinished.items():
        say(f"{count} of {num_jobs} not finished: {reason}", console)
    for label, error in finished.failures:
        console.print(Text("failed", "bold red"), Text(one_line(f"{label}: {_reason(error)}")), soft_wrap=True)
    if finished.failures:
        say(f"{len(finished.failures)} of {num_jobs} failed; the same command tries them again", console)
    return 1 if finished.failures else 0
