"""``ib-bench trials``: the trials of searches and other results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ib_bench.cli.filters import add_filter_arguments, filtered
from ib_bench.cli.parsing import listing_parser, parse
from ib_bench.drawing.columns import csv_text, flat_table, json_row, json_text, listing
from ib_bench.drawing.terminal import show
from ib_bench.drawing.trial_columns import TRIAL_COLUMNS
from ib_bench.errors import BenchError
from ib_bench.plain_text import number_of
from ib_bench.results.kinds import record_kinds
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord


def main(command: str, arguments: Sequence[str]) -> int:
    """List the trials of a store, or of one of its results."""
    parser = listing_parser(command, "List the trials in a store; as JSON with config, validation curve and versions.")
    parser.add_argument(
        "--search", type=str | None, help="Only trials of the result with this key, or start of the key."
    )
    add_filter_arguments(parser)
    options = parse(parser, arguments)
    with Store(options.store, create=False) as store:
        found: Iterable[TrialRecord] = store.all(TrialRecord)
        trials = filtered(found if options.search is None else _trials_of(store, options.search), options)
    if options.format == "table":
        show(listing(trials, TRIAL_COLUMNS, number_of(len(trials), f"trials in {options.store}")))
    elif options.format == "csv":
        print(csv_text(flat_table(trials, TRIAL_COLUMNS)), end="")
    else:
        rows = [{**json_row(trial, TRIAL_COLUMNS), "config": trial.config.to_json()} for trial in trials]
        print(json_text(rows), end="")
    return 0


def _trials_of(store: Store, key: str) -> list[TrialRecord]:
    others = [kind for kind in record_kinds() if kind is not TrialRecord]
    found = [record for kind in others for record in store.all(kind) if record.key.startswith(key)]
    if len(found) != 1:
        raise BenchError(f"--search must be the key of one result, got {key!r}, which matches {len(found)} results")
    return store.get_many(TrialRecord, found[0].trials)
