"""Write every table and figure of the study, from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console

from ib_bench.cli.parsing import parse
from ib_bench.cli.sources import add_source_arguments, chosen_sources
from ib_bench.drawing.tables import rich_table
from ib_bench.drawing.terminal import say, show
from ib_bench.importing import without_garbage_collection
from ib_bench.report.study_report import study_report
from ib_bench.runner.places import require_writable_folder


@without_garbage_collection()
def main(command: str, arguments: Sequence[str]) -> int:
    """Print the tables, and write them with figures and configs into a folder."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    add_source_arguments(parser)
    parser.add_argument("--out", type=str, default="report", help="Folder for tables, figures, configs, report.html.")
    parser.add_argument(
        "--search", type=str | None, help="Key, or start of the key, of the search whose loss curves are drawn."
    )
    options = parse(parser, arguments)
    sources = chosen_sources(options)
    require_writable_folder("out", options.out)
    report = study_report(sources, options.search)
    path = report.write(Path(options.out))
    console = Console()
    for table in report.tables:
        if table.rows:
            show(rich_table(table), console)
            console.print()
    say(f"report: {path}", console)
    return 0
