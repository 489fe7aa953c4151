"""All records of a store in one file, to publish, keep or compare: JSON lines, compressed.

The first line says what the file is; every other line is a record with its kind. Weights are no part of it.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ib_bench.errors import StoreError
from ib_bench.results.records import ExtrapolationRecord, SearchRecord, TrialRecord
from ib_bench.results.store import READERS, Store
from ib_bench.results.whole_file import write_whole

_FORMAT = "ib_bench records"
_GZIP = b"\x1f\x8b"
_VERSION = 1  # of this format, whatever the store's is


class StoredTrials(Collection[TrialRecord]):
    """The trials of a store, read when they are asked for: there may be hundreds of thousands.

    Args:
        path: of the store.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = path

    def __len__(self) -> int:
        with Store(self._path, create=False) as store:
            return store.num_trials()

    def __iter__(self) -> Iterator[TrialRecord]:
        with Store(self._path, create=False) as store:
            yield from store.trials()

    def __contains__(self, record: object) -> bool:
        return any(trial == record for trial in self)

    def with_keys(self, keys: Iterable[str]) -> list[TrialRecord]:
        """Those with the given keys, in their order; without those that the store lacks."""
        with Store(self._path, create=False) as store:
            return store.trials_with_keys(keys)


@dataclass(frozen=True)
class Records:
    """What was measured.

    Attributes:
        trials: all that have ended.
        searches: finished or not.
        extrapolations: all.
    """

    trials: Collection[TrialRecord] = field(default_factory=list)
    searches: list[SearchRecord] = field(default_factory=list)
    extrapolations: list[ExtrapolationRecord] = field(default_factory=list)

    @property
    def finished(self) -> list[SearchRecord]:
        """The searches that have a verdict."""
        return [record for record in self.searches if record.status == "finished"]

    def trials_of(self, search: SearchRecord) -> list[TrialRecord]:
        """The trials of a search, as far as they are there, in the order in which they were asked for."""
        if isinstance(self.trials, StoredTrials):
            return self.trials.with_keys(search.trials)
        trials = {trial.key: trial for trial in self.trials}
        return [trials[key] for key in search.trials if key in trials]

    def __str__(self) -> str:
        kinds = ("searches", "trials", "extrapolations")
        return ", ".join(f"{len(getattr(self, kind)):,} {kind}" for kind in kinds)


def stored_records(path: Path | str) -> Records:
    """Everything in a store; its trials are read from it when they are asked for.

    Raises:
        StoreError: there is no store at ``path``, or it cannot be read.
    """
    with Store(path, create=False) as store:
        return Records(StoredTrials(path), store.searches(), store.extrapolations())


def write_archive(records: Records, path: Path) -> None:
    """Write all records to a file; the same records give the same bytes.

    Raises:
        StoreError: the file cannot be written.
    """
    lines = [json.dumps({"format": _FORMAT, "schema_version": _VERSION})]
    for kind in READERS:
        for record in sorted(getattr(records, kind), key=lambda record: str(record.key)):
            lines.append(json.dumps({"kind": kind, **asdict(record)}, allow_nan=False, separators=(",", ":")))
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=buffer, mtime=0) as compressed:
        compressed.write("".join(f"{line}\n" for line in lines).encode())
    write_whole(path, lambda unfinished: unfinished.write_bytes(buffer.getvalue()))


def read_archive(path: Path) -> Records:
    """The inverse of :func:`write_archive`.

    Raises:
        StoreError: the file cannot be read, is no archive, or is of another schema version.
    """
    records = Records()
    for number, item in enumerate(_lines(path), start=2):
        try:
            kind = item.pop("kind")
            getattr(records, kind).append(READERS[kind](item))
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise StoreError(f"archive {str(path)!r} cannot be read: line {number} holds no record") from error
    return records


def is_archive(path: Path) -> bool:
    """Whether a file is compressed as archives are.

    Raises:
        StoreError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(2) == _GZIP
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be read: {error.strerror}") from error


def _lines(path: Path) -> Iterator[Any]:
    try:
        with gzip.open(path, mode="rt", encoding="utf-8") as lines:
            header = json.loads(next(lines, "null"))
            if not isinstance(header, dict) or header.get("format") != _FORMAT:
                raise StoreError(f"archive {str(path)!r} holds no ib_bench records")
            if (version := header.get("schema_version")) != _VERSION:
                raise StoreError(f"archive {str(path)!r} has schema version {version}, this ib-bench reads {_VERSION}")
            yield from map(json.loads, lines)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise StoreError(f"archive {str(path)!r} cannot be read: {error}") from error
