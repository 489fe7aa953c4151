"""``ib-bench report``: every table and figure of the study, from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console

from ib_bench.cli.parsing import parse, require_writable_folder
from ib_bench.cli.sources import add_source_arguments, chosen_sources, many_records
from ib_bench.report.results import collect
from ib_bench.report.study_report import write_report
from ib_bench.report.study_tables import rich_table, study_tables
from ib_bench.report.terminal import show
from ib_bench.studies.claims import check_claims


@many_records()
def main(command: str, arguments: Sequence[str]) -> int:
    """Print the tables, and write them with figures and configs into a folder."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    add_source_arguments(parser)
    parser.add_argument("--out", type=str, default="report", help="Folder for tables, figures, configs, report.html.")
    parser.add_argument(
        "--search", type=str | None, help="Key, or start of key, of the search whose loss curves are drawn."
    )
    options = parse(parser, arguments)
    sources = chosen_sources(options)
    require_writable_folder("out", options.out)
    results = collect(sources)
    claims = {name: check_claims(records) for name, records in sources.items()}
    tables = study_tables(results, claims)
    path = write_report(results, tables, claims, options.search, Path(options.out))
    console = Console()
    for table in tables:
        if table.rows:
            show(rich_table(table), console)
            console.print()
    console.print(f"report: {path}", soft_wrap=True)
    return 0
