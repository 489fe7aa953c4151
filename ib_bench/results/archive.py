"""All records of a store in one file, to publish, keep or compare: JSON lines, compressed.

The first line says what the file is; every other line is a record with its kind. Weights are no part of it.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import msgspec

from ib_bench.errors import StoreError
from ib_bench.results.codec import UnreadableRecordError, decode, shape_of, to_plain
from ib_bench.results.database import is_database
from ib_bench.results.kinds import record_kinds
from ib_bench.results.record_store import R
from ib_bench.results.records import Record
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.results.whole_file import write_whole

_FORMAT = "ib_bench records"
_GZIP = b"\x1f\x8b"
_MAX_LINE = 64 * 2**20  # bytes; the largest record of the reference results has some thousands
_VERSION = 1  # of this format, not of the store

T = TypeVar("T")


class StoredRecords(Collection[R], Generic[R]):
    """The records of one kind in a store, read when they are asked for: there may be hundreds of thousands.

    Args:
        path: of the store.
        kind: of the records.
        keys: of those that count, none twice and all in the store; None: all.
    """

    def __init__(self, path: Path | str, kind: type[R], keys: Sequence[str] | None = None) -> None:
        self._path = path
        self._kind = kind
        self._keys = keys

    def __len__(self) -> int:
        if self._keys is not None:
            return len(self._keys)
        with Store(self._path, create=False) as store:
            return store.count(self._kind)

    def __iter__(self) -> Iterator[R]:
        with Store(self._path, create=False) as store:
            yield from store.all(self._kind) if self._keys is None else store.each(self._kind, self._keys)

    def __contains__(self, record: object) -> bool:
        return any(one == record for one in self)

    def by_key(self) -> Iterator[R]:
        """The records in the order of their keys."""
        with Store(self._path, create=False) as store:
            yield from store.by_key(self._kind) if self._keys is None else store.each(self._kind, sorted(self._keys))

    def with_keys(self, keys: Iterable[str]) -> list[R]:
        """The records with the given keys, in their order; keys that the store lacks are skipped."""
        with Store(self._path, create=False) as store:
            return store.get_many(self._kind, keys)


class Records:
    """The records of all kinds.

    Args:
        by_kind: records of each kind; a kind that is missing has none.
    """

    def __init__(self, by_kind: Mapping[type[Record], Collection[Record]] | None = None) -> None:
        self._by_kind: dict[type[Record], Collection[Record]] = dict(by_kind or {})
        self._trials_by_key: dict[str, TrialRecord] | None = None  # made when it is first asked for
        self._derived: dict[Callable[[Records], Any], Any] = {}

    @staticmethod
    def of_all(records: Iterable[Record], trials: Collection[TrialRecord] | None = None) -> Records:
        """Sort records of any kinds by their kind.

        Args:
            records: of any kinds.
            trials: that there are; None: those among ``records``.
        """
        by_kind: dict[type[Record], list[Record]] = {}
        for record in records:
            by_kind.setdefault(type(record), []).append(record)
        return Records(by_kind if trials is None else {**by_kind, TrialRecord: trials})

    def of(self, kind: type[R]) -> Collection[R]:
        """The records of one kind, finished or not."""
        return cast("Collection[R]", self._by_kind.get(kind, []))

    def finished(self, kind: type[R]) -> list[R]:
        """The finished records of one kind."""
        return [record for record in self.of(kind) if record.finished]

    @property
    def trials(self) -> Collection[TrialRecord]:
        """All trials that have ended."""
        return self.of(TrialRecord)

    def derived(self, derive: Callable[[Records], T]) -> T:
        """What a function makes of these records, made once however many parts of a report ask for it.

        Args:
            derive: a function of records alone. Its result is shared, so nobody may change it.
        """
        if derive not in self._derived:
            self._derived[derive] = derive(self)
        found: T = self._derived[derive]
        return found

    def trials_of(self, record: Record) -> list[TrialRecord]:
        """The trials that a record rests on, as far as they are there, in the order in which they were asked for."""
        return self.trials_with_keys(record.trials)

    def trials_with_keys(self, keys: Iterable[str]) -> list[TrialRecord]:
        """The trials with the given keys, in their order; without those that are not there."""
        if isinstance(self.trials, StoredRecords):
            return self.trials.with_keys(keys)
        if self._trials_by_key is None:
            self._trials_by_key = {trial.key: trial for trial in self.trials}
        return [self._trials_by_key[key] for key in keys if key in self._trials_by_key]

    def __iter__(self) -> Iterator[Record]:
        for kind in record_kinds():
            yield from self.of(kind)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Records) and all(
            {record.key: record for record in self.of(kind)} == {record.key: record for record in other.of(kind)}
            for kind in record_kinds()
        )

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return ", ".join(f"{len(self.of(kind)):,} {kind.table}" for kind in record_kinds())


def stored_records(path: Path | str) -> Records:
    """Everything in a store; its trials are read from it when they are asked for.

    Raises:
        StoreError: there is no store at ``path``, or it cannot be read.
    """
    with Store(path, create=False) as store:
        others = {kind: list(store.all(kind)) for kind in record_kinds() if kind is not TrialRecord}
    return Records({TrialRecord: StoredRecords(path, TrialRecord), **others})


def write_archive(records: Records, path: Path) -> dict[str, int]:
    """Write all records to a file; the same records give the same bytes.

    Returns:
        How many of each kind were written; those that a store cannot read are left out.

    Raises:
        StoreError: the file cannot be written.
    """
    counts = dict.fromkeys((kind.table for kind in record_kinds()), 0)

    def write(unfinished: Path) -> None:
        with (
            unfinished.open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed,
        ):
            head = json.dumps({"format": _FORMAT, "schema_version": _VERSION})
            compressed.write(f"{head}\n".encode())
            for kind, line in _record_texts(records):
                compressed.write(f"{line}\n".encode())
                counts[kind] += 1

    write_whole(path, write)
    return counts


def _record_texts(records: Records) -> Iterator[tuple[str, str]]:
    """Each record as a line, after the name of its kind."""
    for kind in record_kinds():
        found = records.of(kind)
        ordered = found.by_key() if isinstance(found, StoredRecords) else sorted(found, key=lambda one: one.key)
        for record in ordered:
            plain = {"shape": kind.shape, "kind": kind.table, **to_plain(record)}
            yield kind.table, json.dumps(plain, allow_nan=False, separators=(",", ":"))


def read_archive(path: Path) -> Records:
    """The inverse of :func:`write_archive`.

    Raises:
        StoreError: the file cannot be read, is no archive, is of another version, or holds a line that is no sound
            record; the message names the line and what is wrong with it.
    """
    return Records.of_all(archive_records(path))


def archive_records(path: Path) -> Iterator[Record]:
    """The records of an archive, one by one.

    Raises:
        StoreError: as :func:`read_archive`.
    """
    kinds = {kind.table: kind for kind in record_kinds()}
    for number, line in enumerate(_lines(path), start=2):
        try:
            name = msgspec.json.decode(line, type=_Line).kind
            if name not in kinds:
                raise UnreadableRecordError(f"its kind is {name!r}, and this ib-bench knows {', '.join(kinds)}")
            yield decode(kinds[name], line)
        except (msgspec.MsgspecError, UnicodeError, UnreadableRecordError, RecursionError) as error:
            raise StoreError(f"archive {str(path)!r} cannot be read: line {number} is no record: {error}") from error


def surplus_of(path: Path) -> Iterator[str]:
    """What an archive holds that reading it passes over: unknown fields, fields and records that come twice.

    Args:
        path: of an archive that :func:`read_archive` can read.
    """
    seen = set()
    for record, line in zip(archive_records(path), _lines(path), strict=True):
        kind, twice = type(record), list[str]()
        given = json.loads(line, parse_int=str, parse_float=str, object_pairs_hook=partial(_fields, twice))
        shape = shape_of(line)
        given = given if shape == kind.shape else kind.upgraded(given, shape)
        known = {"kind": kind.table, **to_plain(record)}
        title = f"{record.key}, {record.title}"
        yield from (f"{title}: field {name} comes twice" for name in twice)
        yield from (f"{title}: unknown field {name}" for name in _unknown(given, known, msgspec.to_builtins(record)))
        if (kind, record.key) in seen:
            yield f"{title}: there twice"
        seen.add((kind, record.key))


def _fields(twice: list[str], pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The fields of a JSON object; names that it has twice go into a list."""
    twice.extend(name for name, number in Counter(name for name, _ in pairs).items() if number > 1)
    return dict(pairs)


def _unknown(given: Any, known: Any, typed: Any, where: str = "") -> Iterator[str]:
    """The fields of JSON, at any depth, that a record has neither as plain data nor as it is typed, with defaults."""
    if isinstance(given, dict) and (isinstance(known, dict) or isinstance(typed, dict)):
        plain, full = (one if isinstance(one, dict) else {} for one in (known, typed))
        for name, value in given.items():
            place = f"{where}.{name}".lstrip(".")
            if name in plain or name in full:
                yield from _unknown(value, plain.get(name), full.get(name), place)
            else:
                yield place
    elif isinstance(given, list):
        plain_list, full_list = (one if isinstance(one, list) else [None] * len(given) for one in (known, typed))
        for index, (value, own, other) in enumerate(zip(given, plain_list, full_list, strict=False)):
            yield from _unknown(value, own, other, f"{where}[{index}]")


def is_archive(path: Path) -> bool:
    """Whether a file is compressed as archives are.

    Raises:
        StoreError: the file cannot be read.
    """
    if is_database(path):  # which only SQLite may open
        return False
    try:
        with path.open("rb") as file:
            return file.read(2) == _GZIP
    except OSError as error:
        raise StoreError(f"{str(path)!r} cannot be read: {error.strerror}") from error


class _Line(msgspec.Struct):
    kind: str


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, mode="rb") as lines:
            header = json.loads(_line(lines, path, 1) or b"null")
            if not isinstance(header, dict) or header.get("format") != _FORMAT:
                raise StoreError(f"archive {str(path)!r} holds no ib_bench records")
            if (version := header.get("schema_version")) != _VERSION:
                raise StoreError(f"archive {str(path)!r} has schema version {version}, this ib-bench reads {_VERSION}")
            for number in count(start=2):
                if not (line := _line(lines, path, number)):
                    return
                yield line.strip()
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise StoreError(f"archive {str(path)!r} cannot be read: {error}") from error


def _line(lines: gzip.GzipFile, path: Path, number: int) -> bytes:
    """The next line; empty at the end of the file."""
    line = lines.readline(_MAX_LINE + 1)
    if len(line) > _MAX_LINE:
        allowed = f"{_MAX_LINE // 2**20} MiB"
        raise StoreError(f"archive {str(path)!r} cannot be read: line {number} is longer than {allowed}, the limit")
    return line
