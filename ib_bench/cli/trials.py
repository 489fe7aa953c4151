"""``ib-bench trials``: the trials of searches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from ib_bench.cli.parsing import listing_parser, parse
from ib_bench.errors import BenchError
from ib_bench.report.tables import to_csv, to_json, trial_rows, trial_table
from ib_bench.report.terminal import show
from ib_bench.results.records import TrialRecord
from ib_bench.results.store import Store


def main(command: str, arguments: Sequence[str]) -> int:
    """List the trials of a store, or of one of its searches."""
    parser = listing_parser(command, "List the trials in a store; as JSON with config, validation curve and versions.")
    parser.add_argument(
        "--search", type=str | None, help="Only the trials of the search with this key, or start of key."
    )
    options = parse(parser, arguments)
    with Store(options.store, create=False) as store:
        trials = list(store.trials()) if options.search is None else _of_search(store, options.search)
    rows = trial_rows(trials)
    if options.format == "table":
        show(trial_table(rows))
    elif options.format == "csv":
        print(to_csv(rows), end="")
    else:
        print(to_json([{**row, **asdict(trial)} for row, trial in zip(rows, trials, strict=True)]), end="")
    return 0


def _of_search(store: Store, key: str) -> list[TrialRecord]:
    searches = [record for record in store.searches() if record.key.startswith(key)]
    if len(searches) != 1:
        raise BenchError(f"--search must be the key of one search, got {key!r}, which fits {len(searches)}")
    return store.trials_with_keys(searches[0].trials)
