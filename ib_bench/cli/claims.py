"""Check the claims of the paper, or results that others have published, against the records."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Literal

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.text import Text

from ib_bench.cli.parsing import parse
from ib_bench.cli.sources import add_source_arguments, chosen_sources
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.tables import StudyTable, markdown, rich_table
from ib_bench.drawing.terminal import say, show
from ib_bench.errors import require
from ib_bench.report.claims_table import claims_table, pairs_table
from ib_bench.report.published_table import published_table, replication_json
from ib_bench.runner.places import DEFAULT_STORE
from ib_bench.studies.claims import Claim, check_claims
from ib_bench.studies.published import replications

_Format = Literal["table", "markdown", "json"]


def main(command: str, arguments: Sequence[str]) -> int:
    """Check every claim, and print what would decide the open ones."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    add_source_arguments(parser)
    parser.add_argument("--pairs", action="store_true", help="List all compared pairs of results instead.")
    parser.add_argument("--published", action="store_true", help="Check other published results instead.")
    parser.add_argument("--format", type=_Format, default="table", help="Output format; json has every pair.")
    options = parse(parser, arguments)
    require(not (options.pairs and options.published), "pairs", options.pairs, "left out with --published")
    if options.published:
        _check_published(options)
    else:
        _check_claims(options)
    return 0


def _check_claims(options: Namespace) -> None:
    claims = {name: check_claims(records) for name, records in chosen_sources(options).items()}
    if options.format == "json":
        rows = [{"source": source, **claim.to_json()} for source, checked in claims.items() for claim in checked]
        print(json_text(rows), end="")
        return
    _print(pairs_table(claims) if options.pairs else claims_table(claims), options)
    if options.format == "table" and not options.pairs:
        _print_what_to_measure(next(iter(claims.values())), options)


def _check_published(options: Namespace) -> None:
    found = {name: list(replications(records)) for name, records in chosen_sources(options).items()}
    if options.format == "json":
        rows = [{"source": source, **replication_json(one)} for source, own in found.items() for one in own]
        print(json_text(rows), end="")
        return
    _print(published_table(found), options)


def _print(table: StudyTable, options: Namespace) -> None:
    if options.format == "markdown":
        print(markdown(table), end="")
    else:
        show(rich_table(table))


def _print_what_to_measure(claims: Sequence[Claim], options: Namespace) -> None:
    console = Console()
    for claim in claims:
        console.print(Text.assemble((claim.name, "bold"), f" {claim.text}"))
        if claim.verdict == "not enough data":
            here = "" if options.store == DEFAULT_STORE else f" --store {shlex.quote(options.store)}"
            say(f"    to decide it: {claim.advice(here)}", console)
