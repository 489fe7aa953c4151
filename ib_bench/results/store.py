"""One SQLite file that holds every trial, search and extrapolation.

A trial is written, in one transaction, as soon as it has ended: whatever kills the program, only trials in flight are
lost. A record's key is the hash of its config, and the first writer wins, so nothing is stored twice. Each record has a
checksum: a damaged one counts as missing, and gives way to whoever measures it again.
"""

from __future__ import annotations

import json
import shlex
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from ib_bench.results.database import Database, checksum
from ib_bench.results.record_store import Record, RecordStore
from ib_bench.results.records import (
    ExtrapolationRecord,
    Json,
    SearchRecord,
    TrialRecord,
    extrapolation_record,
    search_record,
    trial_record,
)

Kind = TypeVar("Kind", bound=Record)

READERS: dict[str, Callable[[Json], Record]] = {
    "trials": trial_record,
    "searches": search_record,
    "extrapolations": extrapolation_record,
}
"""For each table, what makes a record of its JSON."""

_TABLE_OF = {TrialRecord: "trials", SearchRecord: "searches", ExtrapolationRecord: "extrapolations"}


class Store(RecordStore):
    """A store of trials, searches and extrapolations.

    Args:
        path: of the SQLite file.
        create: make the file if there is none; otherwise its absence is an error.
        exclusive: let no other process have it open, and be refused where one has.

    Raises:
        StoreError: the path cannot be written, holds something else, or a store of a newer version; also raised by
            every method, where the file is malformed, the disk is full or the file cannot be written.
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

    def trial(self, key: str) -> TrialRecord | None:
        """The trial with this key, or None; a damaged one counts as missing, with a warning."""
        return self._one("trials", trial_record, key)

    def has_trials(self, keys: Iterable[str]) -> bool:
        """See :class:`RecordStore`; quick, as records are not read but only their checksums compared."""
        return all(self._is_sound("trials", key) for key in keys)

    def trials(self) -> Iterator[TrialRecord]:
        """All trials, in the order in which they ended; damaged ones are left out, with a warning."""
        return self._all("trials", trial_record)

    def trials_with_keys(self, keys: Iterable[str]) -> list[TrialRecord]:
        """Those with the given keys, in their order, without those that are not here; as :meth:`trials`."""
        rows = (row for row in (self._row("trials", key) for key in keys) if row is not None)
        return list(self._undamaged("trials", (intact(trial_record, *row) for row in rows)))

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

    def num_trials(self) -> int:
        """How many trials there are, damaged ones included."""
        return int(self.database.row("SELECT count(*) FROM trials")[0])

    def add_trial(self, record: TrialRecord) -> None:
        """Keep a trial; the one that is there already stays, unless it is damaged."""
        self.add_all([record])

    def search(self, key: str) -> SearchRecord | None:
        """The search with this key, finished or not, or None; as :meth:`trial`."""
        return self._one("searches", search_record, key)

    def searches(self) -> list[SearchRecord]:
        """All searches, in the order in which they began; as :meth:`trials`."""
        return list(self._all("searches", search_record))

    def put_search(self, record: SearchRecord) -> None:
        """Keep the newest state of a search; a finished one is never overwritten, unless it is damaged."""
        self.add_all([record])

    def extrapolation(self, key: str) -> ExtrapolationRecord | None:
        """The extrapolation with this key, or None; as :meth:`trial`."""
        return self._one("extrapolations", extrapolation_record, key)

    def extrapolations(self) -> list[ExtrapolationRecord]:
        """All extrapolations, in the order in which they ended; as :meth:`trials`."""
        return list(self._all("extrapolations", extrapolation_record))

    def add_extrapolation(self, record: ExtrapolationRecord) -> None:
        """Keep an extrapolation; the one that is there already stays, unless it is damaged."""
        self.add_all([record])

    def add_all(self, records: Iterable[Record]) -> None:
        """Keep records of any kind, all of them or, after an error, none."""
        with self.database.transaction():
            for record in records:
                self._put(record)

    def entries(self, table: str) -> Iterator[tuple[str, Record | None]]:
        """Everything in a table, in the order in which it was put there: keys and records, None for damaged ones.

        Args:
            table: one of :data:`READERS`.
        """
        for row in self._rows(table):
            yield _text(row[0]), intact(READERS[table], *row)

    def stored(self, record: Record) -> Record | None:
        """What is kept under the key of a record of any kind, or None; as :meth:`trial`."""
        return self._one(_TABLE_OF[type(record)], READERS[_TABLE_OF[type(record)]], record.key)

    def holds(self, key: str) -> bool:
        """Whether a record of any kind is kept under this key, undamaged."""
        return any(self._is_sound(table, key) for table in READERS)

    def remove_damaged(self) -> list[str]:
        """Remove the damaged records of all kinds; returns their keys."""
        keys = []
        with self.database.transaction():
            for table, build in READERS.items():
                rows = self.database.rows(f"SELECT rowid, key, record, checksum FROM {table}")
                for rowid, key in [(row[0], row[1]) for row in rows if intact(build, *row[1:]) is None]:
                    self.database.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
                    keys.append(_text(key))
        return keys

    def put_run(self, key: str, text: str) -> None:
        """Keep the newest state of something that runs, as JSON."""
        with self.database.transaction():
            self.database.execute(
                "INSERT INTO runs (key, record) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET record = excluded.record",
                (key, text),
            )

    def runs(self) -> dict[str, str]:
        """Those states by their keys, in the order in which they were first put."""
        rows = self.database.rows("SELECT key, record FROM runs ORDER BY rowid")
        return {_text(key): _text(text) for key, text in rows}

    def remove_run(self, key: str) -> None:
        """Forget one, if it is there."""
        with self.database.transaction():
            self.database.execute("DELETE FROM runs WHERE key = ?", (key,))

    def _row(self, table: str, key: str) -> Any:
        return self.database.row(f"SELECT key, record, checksum FROM {table} WHERE key = ?", (key,))

    def _is_sound(self, table: str, key: str) -> bool:
        row = self._row(table, key)
        return row is not None and _has_its_checksum(*row)

    def _one(self, table: str, build: Callable[[Json], Kind], key: str) -> Kind | None:
        row = self._row(table, key)
        record = None if row is None else intact(build, *row)
        if row is not None and record is None:
            warnings.warn(
                f"the record {key} among the {table} of store {str(self.path)!r} is damaged and counts as missing",
                stacklevel=1,  # all from one place, so that Python shows each once
            )
        return record

    def _all(self, table: str, build: Callable[[Json], Kind]) -> Iterator[Kind]:
        return self._undamaged(table, (intact(build, *row) for row in self._rows(table)))

    def _rows(self, table: str) -> Iterator[Any]:
        return self.database.rows(f"SELECT key, record, checksum FROM {table} ORDER BY rowid")

    def _undamaged(self, table: str, records: Iterable[Kind | None]) -> Iterator[Kind]:
        num_damaged = 0
        for record in records:
            if record is None:
                num_damaged += 1
            else:
                yield record
        if num_damaged:
            warnings.warn(
                f"{num_damaged:,} damaged {table} of store {str(self.path)!r} are left out; "
                f"`ib-bench store check --store {shlex.quote(str(self.path))}` says which",
                stacklevel=1,
            )

    def _put(self, record: Record) -> None:
        table = _TABLE_OF[type(record)]
        row = self._row(table, record.key)
        old = None if row is None else intact(READERS[table], *row)
        if old is not None and not (isinstance(old, SearchRecord) and old.status != "finished"):
            return
        text = json.dumps(vars(record), default=vars, allow_nan=False)
        values: dict[str, object] = {"record": text, "checksum": checksum(record.key.encode(), text.encode())}
        if isinstance(record, SearchRecord):
            values["finished"] = record.status == "finished"
        self.database.execute(
            f"INSERT INTO {table} (key, {', '.join(values)}) VALUES (?{', ?' * len(values)})"
            f" ON CONFLICT (key) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in values)}",
            (record.key, *values.values()),
        )


def intact(build: Callable[[Json], Kind], key: object, text: object, stored_checksum: object) -> Kind | None:
    """A record as it was written, or None if it is damaged.

    Args:
        build: makes a record of its JSON.
        key: that it is kept under, as bytes; whatever else SQLite gives is damage.
        text: its JSON, as bytes.
        stored_checksum: what :func:`~ib_bench.results.database.checksum` was when it was written.
    """
    if not _has_its_checksum(key, text, stored_checksum):
        return None
    assert isinstance(text, bytes)
    try:
        return build(json.loads(text.decode()))
    except (ValueError, LookupError, TypeError):  # it was damaged before it had a checksum
        return None


def _has_its_checksum(key: object, text: object, stored_checksum: object) -> bool:
    return isinstance(key, bytes) and isinstance(text, bytes) and checksum(key, text) == stored_checksum


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
