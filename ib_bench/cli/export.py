"""``ib-bench export``: all records of a store in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console

from ib_bench.cli.parsing import DEFAULT_STORE, parse
from ib_bench.results.archive import stored_records, write_archive


def main(command: str, arguments: Sequence[str]) -> int:
    """Write a store's records, which the same records always write as the same bytes."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    parser.add_argument("file", type=str, help="Where to, such as records.jsonl.gz: JSON lines, compressed.")
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store.")
    options = parse(parser, arguments)
    records = stored_records(options.store)
    write_archive(records, Path(options.file))
    counts = (
        f"{len(records.searches)} searches, {len(records.trials)} trials, {len(records.extrapolations)} extrapolations"
    )
    Console().print(f"{options.file}: {counts}", soft_wrap=True)
    return 0
