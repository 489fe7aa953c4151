"""Records of several stores and archives in one: equal records are kept once, contradictions are listed.

Two records with one key are the same result if all fields that the config determines are equal, up to rounding, in
which machines differ. Times, places and package versions are not compared, and metrics only if both records carry the
same version of the metrics' definitions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from ib_bench.errors import BenchError, StoreError
from ib_bench.results.archive import archive_records, is_archive
from ib_bench.results.codec import to_plain
from ib_bench.results.database import damaged
from ib_bench.results.kinds import record_kinds
from ib_bench.results.records import Record
from ib_bench.results.store import Fault, Store

OnProgress = Callable[[int], None]
"""Receives the number of records read so far."""

_BATCH = 500  # records in one transaction
_ROUNDING = 1e-3  # relative tolerance: differences in last bits grow during training
_DEFINITION = "metric_definition"


@dataclass(frozen=True)
class Conflict:
    """Two results under one key.

    Attributes:
        key: of both.
        label: what was measured.
        source: the store or archive that holds the one that is not kept.
        differences: what differs: a name, with the value that is kept and the one that is not.
    """

    key: str
    label: str
    source: str
    differences: list[str]


@dataclass
class Merge:
    """The result of a merge.

    Attributes:
        num_added: records that are new, or newer states of searches.
        num_same: records that already there, those included that differ by rounding.
        num_rounded: those that differ by rounding.
        conflicts: results that contradict those that already there.
        left_out: for each source, keys of rows that no other source has, by their fault.
    """

    num_added: int = 0
    num_same: int = 0
    num_rounded: int = 0
    conflicts: list[Conflict] = field(default_factory=list)
    left_out: dict[str, dict[Fault, set[str]]] = field(default_factory=dict)


def merge(out: Path, sources: Sequence[Path], on_progress: OnProgress) -> Merge:
    """Add the records of stores and archives to a store, which is made if it is missing.

    Args:
        out: the store.
        sources: stores of any version that can be read, and archives.
        on_progress: receives the progress.

    Raises:
        BenchError: a source is missing, holds no records or is ``out`` itself, or ``out`` is an archive; then nothing
            is written.
        StoreError: ``out`` cannot be used.
    """
    if out.name.endswith(".jsonl.gz") or (out.is_file() and is_archive(out)):
        raise BenchError(f"{str(out)!r} is an archive, to which nothing can be added; name a store to merge into")
    for source in sources:
        if not source.exists():
            raise StoreError(
                f"{str(source)!r} does not exist; name stores, or archives made by `ib-bench store export`"
            )
        if out.exists() and source.samefile(out):
            raise BenchError(f"{str(source)!r} is the store to merge into; name only the others")
    merged = Merge()
    opened = [_opened(source, merged) for source in sources]
    with Store(out) as store:
        num_read = 0
        for source, records in zip(sources, opened, strict=True):
            added: set[str] = set()
            same: set[str] = set()
            while batch := list(islice(records, _BATCH)):
                store.add_all(_news(store, batch, str(source), merged, added, same))
                num_read += len(batch)
                on_progress(num_read)
            merged.num_added += len(added)
            merged.num_same += len(same - added)
        merged.left_out = {source: _missing(faults, store) for source, faults in merged.left_out.items()}
    merged.left_out = {source: faults for source, faults in merged.left_out.items() if faults}
    return merged


def _missing(faults: dict[Fault, set[str]], store: Store) -> dict[Fault, set[str]]:
    """Those keys that the store does not hold under any kind."""
    kinds = record_kinds()
    missing = {
        fault: {key for key in keys if not any(store.has(kind, [key]) for kind in kinds)}
        for fault, keys in faults.items()
    }
    return {fault: keys for fault, keys in missing.items() if keys}


def _opened(source: Path, merged: Merge) -> Iterator[Record]:
    """A source's records. The first is read at once, so that a file that is no source writes nothing."""
    records = _records(source, merged)
    first = next(records, None)
    return iter(()) if first is None else chain([first], records)


def _records(source: Path, merged: Merge) -> Iterator[Record]:
    if is_archive(source):
        yield from list(archive_records(source))  # all are read first, so that one bad line refuses the archive whole
        return
    faults: dict[Fault, set[str]] = {}
    with Store(source, create=False) as store:
        (answer,) = store.database.row("PRAGMA quick_check(1)")
        if answer != b"ok":  # found before anything is written
            raise damaged(source, str(answer, errors="replace"))
        for kind in record_kinds():
            for entry in store.entries(kind):
                if entry.record is not None:
                    yield entry.record
                elif entry.fault is not None:
                    faults.setdefault(entry.fault, set()).add(entry.key)
    if faults:
        merged.left_out[str(source)] = faults


def _news(
    store: Store, records: Sequence[Record], source: str, merged: Merge, added: set[str], same: set[str]
) -> list[Record]:
    """The records to add; for each of the others, note whether it is the same as the stored one."""
    news: dict[str, Record] = {}
    for record in records:
        old = news.get(record.key) or store.get(type(record), record.key)
        if old is None or record.supersedes(old):
            news[record.key] = record
            added.add(record.key)
        elif found := differences(old, record):
            merged.conflicts.append(Conflict(record.key, record.title, source, found))
        else:
            same.add(record.key)
            merged.num_rounded += _results(old, record) != _results(record, old)
    return list(news.values())


def differences(old: Record, new: Record) -> list[str]:
    """Differences between two records with one key, beyond rounding: names of fields, with short values.

    Args:
        old: the one to go by.
        new: the other; as long as it is not finished, it contradicts nothing.
    """
    if not new.finished:
        return []
    mine, other = _results(old, new), _results(new, old)
    names = [name for name in other if not _is_close(mine.get(name), other[name])]
    headline = {name: (getattr(old, name), getattr(new, name)) for name in new.headline}
    texts = [f"{name} {one}, not {two}" for name, (one, two) in headline.items() if not _is_close(one, two)]
    return texts or names


def _results(record: Record, other: Record) -> dict[str, Any]:
    """What the config determines, as plain data, as far as it can be compared with another record."""
    left_out = set(record.incidental)
    if getattr(record, _DEFINITION, None) != getattr(other, _DEFINITION, None):
        left_out |= {"metrics", _DEFINITION}
    return {name: value for name, value in to_plain(record).items() if name not in left_out}


def _is_close(one: Any, other: Any) -> bool:
    """Whether two values of plain data are equal, floating-point numbers up to rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_ROUNDING)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_is_close(one[name], other[name]) for name in one)
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_is_close, one, other))
    return bool(one == other)
