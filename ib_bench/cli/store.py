"""``ib-bench store``: maintain a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser

from ib_bench import catalogue
from ib_bench.cli.parsing import parse
from ib_bench.cli.submission import add_submission_arguments, export_submission, require_no_submission_arguments
from ib_bench.drawing.columns import Table, flat_table, json_text, write_csv, write_parquet
from ib_bench.drawing.terminal import say, show
from ib_bench.drawing.texts import OutputFormat
from ib_bench.drawing.trial_columns import TRIAL_COLUMNS
from ib_bench.errors import InvalidOptionError, UnknownNameError, require
from ib_bench.importing import without_garbage_collection
from ib_bench.plain_text import number_of
from ib_bench.quantities.quantity import Quantity
from ib_bench.report.findings import conflicts_table, findings_table
from ib_bench.results.archive import Records, stored_records, write_archive
from ib_bench.results.integrity import check_store
from ib_bench.results.merge import merge
from ib_bench.results.store import FAULT_TEXTS
from ib_bench.results.trial_record import TrialRecord
from ib_bench.results.vacuum import vacuum
from ib_bench.results.whole_file import write_whole
from ib_bench.runner.counting import counted
from ib_bench.runner.places import DEFAULT_STORE, require_writable_file
from ib_bench.runner.protocols import add_protocol_argument
from ib_bench.scoring.protocol import DEFAULT_PROTOCOL

_ARCHIVE = ".jsonl.gz"


@without_garbage_collection()
def main(command: str, arguments: Sequence[str]) -> int:
    """Run a subcommand."""
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, SUBCOMMANDS))
        lines = [f"  {name:{width}}  {summary}" for name, (_, summary) in SUBCOMMANDS.items()]
        print("\n".join([f"usage: ib-bench {command} SUBCOMMAND ...", "", *lines]))
        return 0
    name, *rest = arguments
    if name not in SUBCOMMANDS:
        raise UnknownNameError(f"subcommand of {command}", name, SUBCOMMANDS)
    run, summary = SUBCOMMANDS[name]
    prog = f"ib-bench {command} {name}"
    return run(ArgumentParser(prog=prog, description=f"{summary.capitalize()}.", exit_on_error=False), rest)


def _check(parser: ArgumentParser, arguments: Sequence[str]) -> int:
    _add_store(parser)
    parser.add_argument(
        "--submission", type=str | None, help="Folder of a submitted score: compute every number in it again."
    )
    add_protocol_argument(parser)
    parser.add_argument("--format", type=OutputFormat, default="table", help="Output format.")
    options = parse(parser, arguments)
    if options.submission is not None:
        require(options.store == DEFAULT_STORE, "store", options.store, "left out with --submission")
        from ib_bench.scoring.submission import check_submission  # noqa: PLC0415 (loads numpy)

        findings = check_submission(Path(options.submission), options.protocol)
    else:
        require(options.protocol == DEFAULT_PROTOCOL, "protocol", options.protocol, "left out without --submission")
        with counted("records") as on_progress:
            findings = check_store(Path(options.store), on_progress)
    if options.format == "json":
        print(json_text([asdict(finding) for finding in findings]), end="")
    else:
        show(findings_table(findings, options.submission or options.store))
    return int(any(finding.state in ("damaged", "failure") for finding in findings))


def _export(parser: ArgumentParser, arguments: Sequence[str]) -> int:
    parser.add_argument(
        "file",
        type=str,
        nargs="?",
        help=f"Output file: {_ARCHIVE} holds all records, .csv and .parquet one kind. Not used with --submission.",
    )
    _add_store(parser)
    whats = _exports()
    known = ", ".join(whats)
    parser.add_argument(
        "--what", type=str | None, help=f"Kind of records in a .csv or .parquet: {known}; default: trials."
    )
    add_submission_arguments(parser)
    options = parse(parser, arguments)
    if options.submission is not None:
        return export_submission(options)
    require_no_submission_arguments(options)
    path = Path(options.file)
    require_writable_file("file", options.file, options.store)
    if path.name.endswith(_ARCHIVE):
        require(options.what is None, "what", options.what, f"left out for a {_ARCHIVE} file, which holds all records")
        records = stored_records(options.store)
        written = write_archive(records, path)
        counts = ", ".join(f"{number:,} {kind}" for kind, number in written.items())
    elif path.suffix in (".csv", ".parquet"):
        what = options.what or TrialRecord.table
        if what not in whats:
            raise UnknownNameError("what", what, whats)
        columns = whats[what](stored_records(options.store))
        write_whole(path, partial(write_csv if path.suffix == ".csv" else write_parquet, columns))
        counts = number_of(len(next(iter(columns.values()), [])), f"rows of {what}")
    else:
        raise InvalidOptionError("file", options.file, f"a name that ends in {_ARCHIVE}, .csv or .parquet")
    say(f"{options.file}: {counts}")
    return 0


def _exports() -> dict[str, Callable[[Records], Table]]:
    """For each kind of rows, the function that makes flat columns of records."""
    exports: dict[str, Callable[[Records], Table]] = {
        TrialRecord.table: lambda records: flat_table(records.trials, TRIAL_COLUMNS)
    }
    for quantity in catalogue.quantities():
        name = quantity.name if quantity.record is None else quantity.record.table
        exports[name] = partial(_exported, quantity)
    return exports


def _exported(quantity: Quantity[Any], records: Records) -> Table:
    return quantity.exported(quantity.results(records) if quantity.record is None else records.of(quantity.record))


def _merge(parser: ArgumentParser, arguments: Sequence[str]) -> int:
    parser.add_argument("out", type=str, help="Store to add to; created if it does not exist.")
    parser.add_argument("sources", type=str, nargs="+", help=f"Stores and {_ARCHIVE} archives.")
    options = parse(parser, arguments)
    with counted("records read") as on_progress:
        merged = merge(Path(options.out), list(map(Path, options.sources)), lambda done: on_progress(done, None))
    if merged.conflicts:
        show(conflicts_table(merged.conflicts))
    for source, faults in merged.left_out.items():
        for fault, keys in faults.items():
            say(f"{source}: {number_of(len(keys), 'records')} left out: {FAULT_TEXTS[fault]}")
    rounded = f" ({merged.num_rounded:,} of them up to rounding)" if merged.num_rounded else ""
    counts = f"{number_of(merged.num_added, 'records')} added, {merged.num_same:,} already there{rounded}"
    say(f"{options.out}: {counts}, {number_of(len(merged.conflicts), 'conflicts')}")
    return int(bool(merged.conflicts))


def _vacuum(parser: ArgumentParser, arguments: Sequence[str]) -> int:
    _add_store(parser)
    parser.add_argument("--dry_run", action="store_true", help="Print what would be removed, and change nothing.")
    options = parse(parser, arguments)
    done = vacuum(Path(options.store), options.dry_run)
    word = "would be removed" if options.dry_run else "removed"
    say(f"{number_of(len(done.damaged), 'records')} {word} as damaged: {', '.join(done.damaged) or 'none'}")
    say(f"{number_of(len(done.files), 'files')} {word}: {', '.join(map(str, done.files)) or 'none'}")
    after = "" if done.bytes_after is None else f", {_megabytes(done.bytes_after)} after"
    say(f"{options.store}: {_megabytes(done.bytes_before)} before{after}")
    return 0


SUBCOMMANDS: dict[str, tuple[Callable[[ArgumentParser, Sequence[str]], int], str]] = {
    "check": (_check, "find damage: the file, checksums, keys, trials, and files next to the store"),
    "export": (_export, "write records into a file, for other programs or to publish"),
    "merge": (_merge, "add the records of stores and archives to a store, and show conflicts"),
    "vacuum": (_vacuum, "delete damaged records and leftover files, and shrink the store"),
}


def _add_store(parser: ArgumentParser) -> None:
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store.")


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f} MB"
