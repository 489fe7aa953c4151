"""Write every table and figure of the study, from records alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console

from ib_bench.address_space import FIGURES_GB, require_address_space
from ib_bench.cli.parsing import parse
from ib_bench.cli.sources import add_source_arguments, chosen_sources
from ib_bench.drawing.tables import rich_table
from ib_bench.drawing.terminal import say, show
from ib_bench.errors import InvalidOptionError, StoreError
from ib_bench.importing import without_garbage_collection
from ib_bench.plain_text import number_of
from ib_bench.report.server import ReportServer
from ib_bench.report.study_report import study_report
from ib_bench.results.archive import Records
from ib_bench.results.store import Store
from ib_bench.runner.places import require_writable_folder
from ib_bench.scoring.league import shipped_leagues

_OUT, _PORT = "report", 8765
_MAX_PRINTED = 500
"""Numbers of a table that a terminal shows; larger tables are files."""


def main(command: str, arguments: Sequence[str]) -> int:
    """Print the smaller tables, and write all of them with figures and configs into a folder; or serve the page."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    add_source_arguments(parser)
    parser.add_argument(
        "--out", type=str | None, help=f"Folder for tables, figures, configs and report.html; {_OUT} if left out."
    )
    parser.add_argument(
        "--search", type=str | None, help="Key, or start of the key, of the search whose loss curves are drawn."
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="Write nothing; show the page in a browser on this machine, and again whenever the store has changed.",
    )
    parser.add_argument("--port", type=int | None, help=f"Port of --serve, {_PORT} if left out; 0 takes a free one.")
    options = parse(parser, arguments)
    require_address_space(FIGURES_GB, "a report")
    if options.serve:
        return _serve(options)
    if options.port is not None:
        raise InvalidOptionError("port", options.port, "left out without --serve")
    with without_garbage_collection():
        return _write(options)


def _write(options: Namespace) -> int:
    out = _OUT if options.out is None else options.out
    sources = chosen_sources(options)
    require_writable_folder("out", out)
    report = study_report(sources, options.search, shipped_leagues(sources, options.reference))
    path = report.write(Path(out))
    console = Console()
    num_left_out = 0
    for table in report.tables:
        if len(table.rows) * len(table.columns) > _MAX_PRINTED:
            num_left_out += 1
        elif table.rows:
            show(rich_table(table), console)
            console.print()
    if num_left_out:
        say(f"{number_of(num_left_out, 'tables')} too large to print: {path.parent / 'tables'}", console)
    say(f"report: {path}", console)
    return 0


def _serve(options: Namespace) -> int:
    """Until Ctrl-C, which is how it ends."""
    if options.out is not None:
        raise InvalidOptionError("out", options.out, "left out with --serve, which writes nothing")
    store = Path(options.store)

    def version() -> str:
        """Changes with every record that is written."""
        try:
            with Store(store, create=False) as opened:
                return opened.version()
        except StoreError:  # there is none yet, or it cannot be read now
            return "none"

    def page(of_version: str) -> str:
        sources = chosen_sources(options) if options.reference or store.exists() else {store.name: Records()}
        return study_report(sources, options.search, shipped_leagues(sources, options.reference)).page(of_version)

    with ReportServer(_PORT if options.port is None else options.port, version, page) as server:
        server.page()  # says now what is wrong with the options, and is ready when the browser asks
        say(f"report: {server.address} (Ctrl-C ends it)", Console())
        server.serve_until_stopped()
        say("report: no longer served", Console())
    return 0
