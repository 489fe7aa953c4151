"""``ib-bench results``: what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ib_bench import catalogue
from ib_bench.cli.filters import add_filter_arguments, filtered
from ib_bench.cli.parsing import listing_parser, parse
from ib_bench.drawing.columns import csv_text, flat_table, json_text
from ib_bench.drawing.terminal import show
from ib_bench.importing import without_garbage_collection
from ib_bench.plain_text import number_of
from ib_bench.quantities.quantity import Quantity
from ib_bench.quantities.search.futility import futility_notes
from ib_bench.results.archive import Records, stored_records
from ib_bench.results.records import listing_order
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.results import all_results
from ib_bench.studies.divergence import divergence_notes
from ib_bench.studies.suite import DEFAULT_QUANTITY


@without_garbage_collection()
def main(command: str, arguments: Sequence[str]) -> int:
    """List the results of one kind in a store."""
    parser = listing_parser(
        command, "List the results in a store, finished or not: searches, or the kind that --kind names."
    )
    names = ", ".join(quantity.name for quantity in catalogue.quantities())
    parser.add_argument("--kind", type=str, default=DEFAULT_QUANTITY, help=f"Kind of result: {names}.")
    add_filter_arguments(parser)
    options = parse(parser, arguments)
    quantity: Quantity[Any] = catalogue.quantity(options.kind)
    records = stored_records(options.store)
    results = filtered(all_results(quantity, records), options)
    if options.format == "table":
        results.sort(key=lambda one: listing_order(one.labels))
        what = quantity.title if quantity.record is None else quantity.record.table
        with Store(options.store, create=False) as store:
            diverged = divergence_notes(results, lambda keys: store.get_many(TrialRecord, keys))
        notes = [*diverged, *futility_notes(results)]
        if not results:
            notes += _others(quantity, records)
        show(quantity.listing(results, number_of(len(results), f"{what} in {options.store}"), notes))
    elif options.format == "csv":
        print(csv_text(flat_table(results, quantity.columns)), end="")
    else:
        print(json_text([quantity.detail_json(result) for result in results]), end="")
    return 0


def _others(quantity: Quantity[Any], records: Records) -> list[str]:
    """What else a store holds; nothing if that is nothing."""
    kinds = [(one.name, one.record) for one in catalogue.quantities() if one.record is not None and one is not quantity]
    found = [(name, kind, len(records.of(kind))) for name, kind in kinds]
    held = [f"{number_of(number, kind.table)} (--kind {name})" for name, kind, number in found if number]
    return [f"The store holds {', '.join(held)}."] if held else []
