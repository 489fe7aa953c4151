"""The reference results that ship with the package."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import as_file, files

from ib_bench.errors import BenchError
from ib_bench.results.archive import Records, archive_records
from ib_bench.results.records import Record

SUITES = ("small", "study", "published")
"""Their archives, without ``.jsonl.gz``; no record is in two of them. ``study`` includes
``lengths`` and ``kappa``, ``published`` includes ``householder``."""


def reference_records() -> Records:
    """All records of the reference results.

    Raises:
        BenchError: this installation lacks them.
    """
    return Records.of_all(record for suite in SUITES for record in _records_of(suite))


def _records_of(suite: str) -> Iterator[Record]:
    resource = files("ib_bench.results") / f"{suite}.jsonl.gz"
    if not resource.is_file():
        raise BenchError(f"the reference results of the suite {suite} are missing from this installation")
    with as_file(resource) as path:
        yield from archive_records(path)
