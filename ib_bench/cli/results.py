"""``ib-bench results``: searches and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from ib_bench.cli.parsing import listing_parser, parse
from ib_bench.cli.sources import many_records
from ib_bench.report.tables import to_csv, to_json, verdict_table
from ib_bench.report.terminal import show
from ib_bench.results.store import Store


@many_records()
def main(command: str, arguments: Sequence[str]) -> int:
    """List the searches of a store."""
    options = parse(listing_parser(command, "List the searches in a store and their verdicts."), arguments)
    with Store(options.store, create=False) as store:
        records = store.searches()
    if options.format == "table":
        show(verdict_table(records, title=f"{len(records)} searches in {options.store}"))
    elif options.format == "csv":
        print(to_csv([record.summary() for record in records]), end="")
    else:
        print(to_json([{**record.summary(), "config": record.config} for record in records]), end="")
    return 0
