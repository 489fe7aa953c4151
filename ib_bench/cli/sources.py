"""Which records a command is about: a store, the reference results, or both."""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ib_bench.results.archive import Records, stored_records
from ib_bench.results.reference import reference_records
from ib_bench.runner.places import DEFAULT_STORE


def add_source_arguments(parser: ArgumentParser, verb: str = "Show") -> None:
    """The arguments of :func:`chosen_sources`.

    Args:
        parser: that gets them.
        verb: what the command does with records.
    """
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store.")
    parser.add_argument(
        "--reference",
        action="store_true",
        help=f"{verb} the reference results that ship with the package, next to those of the store if it exists.",
    )


def chosen_sources(options: Namespace) -> dict[str, Records]:
    """The records, by the name of where they are from.

    Raises:
        StoreError: there is no store, and the reference results are not asked for.
    """
    sources = {}
    if not options.reference or Path(options.store).exists():
        sources[Path(options.store).name] = stored_records(options.store)  # the name alone: reports are published
    if options.reference:
        sources["reference"] = reference_records()
    return sources
