"""The reference results that ship with the package: the suite ``small``, run on two CPU cores."""

from __future__ import annotations

from importlib.resources import as_file, files

from ib_bench.errors import BenchError
from ib_bench.results.archive import Records, read_archive

_FILE = "small.jsonl.gz"


def reference_records() -> Records:
    """All records of the reference results.

    Raises:
        BenchError: this installation lacks them.
    """
    resource = files("ib_bench.results") / _FILE
    if not resource.is_file():
        raise BenchError("the reference results are missing from this installation")
    with as_file(resource) as path:
        return read_archive(path)
