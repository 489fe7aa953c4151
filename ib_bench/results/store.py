"""One SQLite file that holds every record, a table for each kind.

A record is written, in one transaction, as soon as it is there: a kill loses only trials in flight. A record's key is
the hash of its config, and the first writer wins, so nothing is stored twice. Each record has a checksum, and only a
record whose checksum does not fit is *damaged*. This version may be unable to read a sound record, because its shape is
newer or because another program wrote it; such a record stays where it is and counts as missing.
"""

from __future__ import annotations

import json
import shlex
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Literal

from ib_bench.plain_text import number_of
from ib_bench.results.codec import UnknownShapeError, UnreadableRecordError, decode, encode
from ib_bench.results.database import Database, checksum
from ib_bench.results.kinds import record_kinds
from ib_bench.results.record_store import R, RecordStore
from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialRecord

Fault = Literal["damaged", "newer", "unreadable"]
"""Why a row yields no record: its checksum does not fit, its shape is newer, or its content is wrong."""

FAULT_TEXTS: dict[Fault, str] = {
    "damaged": "damaged",
    "newer": "of a newer version of ib-bench",
    "unreadable": "unreadable",
}


@dataclass(frozen=True)
class Entry(Generic[R]):
    """A row of a table.

    Attributes:
        key: that the row is stored under.
        record: None if the row yields none.
        fault: why not.
        reason: the same in a sentence.
    """

    key: str
    record: R | None
    fault: Fault | None = None
    reason: str = ""


class Store(RecordStore):
    """A store of records.

    Args:
        path: of the SQLite file.
        create: make the file if there is none; otherwise its absence is an error.
        exclusive: let no other process have it open; raises if one has.

    Raises:
        StoreError: the path cannot be written, holds something else, or a store of a newer version; also raised by
            every method, if the file is malformed, the disk is full or the file cannot be written.
    """

    def __init__(self, path: Path | str, create: bool = True, exclusive: bool = False) -> None:
        self.path = Path(path)
        self.database = Database(self.path, create, exclusive)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        self.database.close()

    def get(self, kind: type[R], key: str) -> R | None:
        """See :class:`RecordStore`; a row without a readable record counts as missing, with a warning."""
        row = self._row(kind, key)
        if row is None:
            return None
        entry = _entry(kind, *row)
        if entry.fault is not None:
            text = f"the record {key} among the {kind.table} of store {str(self.path)!r} is {FAULT_TEXTS[entry.fault]}"
            warnings.warn(f"{text} and counts as missing", stacklevel=1)  # one place, so that Python shows each once
        return entry.record

    def all(self, kind: type[R]) -> Iterator[R]:
        """See :class:`RecordStore`; rows without a readable record are left out, with a warning."""
        return self._readable(kind, self.entries(kind))

    def by_key(self, kind: type[R]) -> Iterator[R]:
        """As :meth:`all`, in the order of the keys."""
        return self._readable(kind, self._entries(kind, "key"))

    def get_many(self, kind: type[R], keys: Iterable[str]) -> list[R]:
        """Records with the given keys, in their order, without those that are not here; as :meth:`all`."""
        return list(self.each(kind, keys))

    def each(self, kind: type[R], keys: Iterable[str]) -> Iterator[R]:
        """As :meth:`get_many`, one after the other."""
        rows = (row for row in (self._row(kind, key) for key in keys) if row is not None)
        return self._readable(kind, (_entry(kind, *row) for row in rows))

    def has(self, kind: type[Record], keys: Iterable[str]) -> bool:
        """See :class:`RecordStore`; quick, as records are not read but only their checksums compared."""
        return all(self._is_sound(kind, key) for key in keys)

    def count(self, kind: type[Record]) -> int:
        """Number of records of a kind, unreadable ones included."""
        if not self.database.has_table(kind.table):
            return 0
        return int(self.database.row(f"SELECT count(*) FROM {kind.table}")[0])

    def version(self) -> str:
        """Another text whenever records were added, or replaced by newer states; trials are only added."""
        numbers = []
        for kind in record_kinds():
            what = "count(*)" if kind is TrialRecord else "count(*) || '/' || total(checksum)"
            found = self.database.has_table(kind.table) and self.database.row(f"SELECT {what} FROM {kind.table}")[0]
            numbers.append(found.decode() if isinstance(found, bytes) else str(int(found)))
        return "-".join(numbers)

    def add(self, record: Record) -> None:
        """See :class:`RecordStore`; a row without a readable record is replaced."""
        self.add_all([record])

    def add_all(self, records: Iterable[Record]) -> None:
        """Keep records of any kind: all of them or, after an error, none."""
        with self.database.transaction():
            for record in records:
                self._put(record)

    def entries(self, kind: type[R]) -> Iterator[Entry[R]]:
        """All rows of a kind, in the order in which they were first added."""
        return self._entries(kind, "rowid")

    def trials_by_experiment(self) -> dict[str, list[str]]:
        """Keys of the trials of each experiment, which is given as JSON with sorted keys."""
        experiment = "json_extract(record, '$.config.experiment')"
        where = f"json_valid(record) AND json_valid({experiment})"
        canonical: dict[bytes, str] = {}
        keys: dict[str, list[str]] = {}
        for key, text in self.database.rows(f"SELECT key, {experiment} FROM trials WHERE {where}"):
            if text not in canonical:
                canonical[text] = json.dumps(json.loads(_text(text)), sort_keys=True)
            keys.setdefault(canonical[text], []).append(_text(key))
        return keys

    def remove_damaged(self) -> list[str]:
        """Remove the rows of all kinds whose checksum does not fit; returns their keys."""
        keys = []
        with self.database.transaction():
            for kind in record_kinds():
                if not self.database.has_table(kind.table):
                    continue
                rows = self.database.rows(f"SELECT rowid, key, record, checksum FROM {kind.table}")
                damaged = [(row[0], row[1]) for row in rows if not _has_its_checksum(*row[1:])]
                for rowid, key in damaged:
                    self.database.execute(f"DELETE FROM {kind.table} WHERE rowid = ?", (rowid,))
                    keys.append(_text(key))
        return keys

    def put_run(self, key: str, text: str) -> None:
        """Keep the newest state of a running command, as JSON."""
        with self.database.transaction():
            self.database.execute(
                "INSERT INTO runs (key, record) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET record = excluded.record",
                (key, text),
            )

    def runs(self) -> dict[str, str]:
        """The states of runs by their keys, oldest first."""
        rows = self.database.rows("SELECT key, record FROM runs ORDER BY rowid")
        return {_text(key): _text(text) for key, text in rows}

    def remove_run(self, key: str) -> None:
        """Forget one, if it is there."""
        with self.database.transaction():
            self.database.execute("DELETE FROM runs WHERE key = ?", (key,))

    def _entries(self, kind: type[R], order: Literal["rowid", "key"]) -> Iterator[Entry[R]]:
        if self.database.has_table(kind.table):
            for row in self.database.rows(f"SELECT key, record, checksum FROM {kind.table} ORDER BY {order}"):
                yield _entry(kind, *row)

    def _row(self, kind: type[Record], key: str) -> Any:
        if not self.database.has_table(kind.table):
            return None
        return self.database.row(f"SELECT key, record, checksum FROM {kind.table} WHERE key = ?", (key,))

    def _is_sound(self, kind: type[Record], key: str) -> bool:
        row = self._row(kind, key)
        return row is not None and _has_its_checksum(*row)

    def _readable(self, kind: type[R], entries: Iterable[Entry[R]]) -> Iterator[R]:
        faults: Counter[Fault] = Counter()
        for entry in entries:
            if entry.record is None:
                faults[entry.fault or "unreadable"] += 1
            else:
                yield entry.record
        for fault, count in faults.items():
            warnings.warn(
                f"left out of store {str(self.path)!r}: {number_of(count, kind.table)}, {FAULT_TEXTS[fault]}; "
                f"`ib-bench store check --store {shlex.quote(str(self.path))}` lists them",
                stacklevel=1,
            )

    def _put(self, record: Record) -> None:
        kind = type(record)
        row = self._row(kind, record.key)
        old = None if row is None else _entry(kind, *row).record
        if old is not None and old.finished:
            return
        text = encode(record)
        values: dict[str, object] = {"record": text, "checksum": checksum(record.key.encode(), text.encode())}
        if "finished" in self.database.make_table(kind.table):
            values["finished"] = record.finished
        self.database.execute(
            f"INSERT INTO {kind.table} (key, {', '.join(values)}) VALUES (?{', ?' * len(values)})"
            f" ON CONFLICT (key) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in values)}",
            (record.key, *values.values()),
        )


def _entry(kind: type[R], key: object, text: object, stored_checksum: object) -> Entry[R]:
    if not _has_its_checksum(key, text, stored_checksum):
        return Entry(_text(key), None, "damaged", "its checksum does not fit")
    assert isinstance(text, bytes)
    try:
        record = decode(kind, text)
    except UnknownShapeError as error:
        return Entry(_text(key), None, "newer", str(error))
    except UnreadableRecordError as error:
        return Entry(_text(key), None, "unreadable", str(error))
    if record.key != _text(key):
        return Entry(_text(key), None, "unreadable", f"it says that its key is {record.key}")
    return Entry(record.key, record)


def _has_its_checksum(key: object, text: object, stored_checksum: object) -> bool:
    return isinstance(key, bytes) and isinstance(text, bytes) and checksum(key, text) == stored_checksum


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
