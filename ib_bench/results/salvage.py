"""What can still be read of a store that SQLite finds malformed.

SQLite finds a row by way of other pages, and gives up where one of them is damaged. Here every page is looked at by
itself: whatever looks like a row, and whose checksum fits, is a record. It does not matter which pages are lost, be it
the first one or half of the file, only theirs are.

Reference: https://www.sqlite.org/fileformat2.html, sections 1.6 (b-tree pages), 2.1 (rows) and 4 (write-ahead log).
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ib_bench.errors import StoreError
from ib_bench.results.keys import is_hash_of_config
from ib_bench.results.record_store import Record
from ib_bench.results.store import READERS, intact

_PAGE_SIZE = 4096  # SQLite's default, where the header is lost
_FILE_HEADER, _LOG_HEADER, _FRAME_HEADER = 100, 32, 24
_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR = 13, 10, 2  # kinds of page
_CELLS_START = {_TABLE_LEAF: 8, _INDEX_LEAF: 8, _INDEX_INTERIOR: 12}  # where the list of a page's cells is
_INTEGER_SIZES = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_KEY = re.compile(rb"[0-9a-f]{32}")
_FIELD_OF = {"trials": b'"val_curve"', "searches": b'"evaluations"', "extrapolations": b'"accuracies"'}
"""By which the records of a table are known from those of the others."""

_NUM_COLUMNS_BEFORE_CHECKSUMS = {"trials": 2, "searches": 3, "extrapolations": 2}
"""In version 1 of the schema."""


@dataclass
class Salvaged:
    """Counts what becomes of the rows, while they are read.

    Attributes:
        keys: of the records that could be read.
        traces: keys that were seen somewhere.
    """

    keys: set[str] = field(default_factory=set)
    traces: set[str] = field(default_factory=set)

    @property
    def lost(self) -> set[str]:
        """Keys of records that cannot be read; those that have left no trace are not among them."""
        return self.traces - self.keys


def salvaged_records(path: Path, counts: Salvaged) -> Iterator[Record]:
    """All records of a damaged store that can be read; a search may occur as it was at several times.

    Args:
        path: of the store.
        counts: is kept up to date.

    Raises:
        StoreError: the file cannot be read.
    """
    pages = _Pages(path)
    for page, start in pages:
        for row in _rows(pages, page, start):
            counts.traces.update(_keys(row[:1]))
            if (record := _record(row)) is not None:
                counts.keys.add(record.key)
                yield record


class _Pages:
    """The pages of a file, those of its write-ahead log in place of their older selves."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.read_bytes()
            log_path = path.with_name(f"{path.name}-wal")
            log = log_path.read_bytes() if log_path.exists() else b""
        except OSError as error:
            raise StoreError(f"store {str(path)!r} cannot be read: {error.strerror}") from error
        size = int.from_bytes(self._file[16:18], "big")
        size = 65536 if size == 1 else size
        self.size = size if size >= 512 and size & (size - 1) == 0 else _PAGE_SIZE
        self._logged: dict[int, bytes] = {}
        for start in range(_LOG_HEADER, len(log) - _FRAME_HEADER - self.size + 1, _FRAME_HEADER + self.size):
            number, frame = int.from_bytes(log[start : start + 4], "big"), start + _FRAME_HEADER
            if log[start + 8 : start + 16] == log[16:24]:  # not left over from an earlier use of the log
                self._logged[number] = log[frame : frame + self.size]

    def __len__(self) -> int:
        """Bytes in all pages, at most."""
        return len(self._file) + len(self._logged) * self.size

    def page(self, number: int) -> bytes:
        """A page by its number, from 1; empty beyond the end."""
        return self._logged.get(number) or self._file[(number - 1) * self.size : number * self.size]

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        """Every page, and where in it what it holds begins."""
        last = max(-(-len(self._file) // self.size), *self._logged, 0)
        for number in range(1, last + 1):
            yield self.page(number), _FILE_HEADER if number == 1 else 0


def _rows(pages: _Pages, page: bytes, start: int) -> Iterator[list[object]]:
    """What looks like the rows of a table, or the entries of its index."""
    kind = page[start] if len(page) > start else 0
    if kind not in _CELLS_START:
        return
    num_cells = int.from_bytes(page[start + 3 : start + 5], "big")
    for index in range(num_cells):
        try:
            at = start + _CELLS_START[kind] + 2 * index
            (cell,) = struct.unpack_from(">H", page, at)
            yield _columns(_payload(pages, page, cell, kind))
        except (IndexError, struct.error):  # it points out of the page, or has no such parts
            continue


def _keys(values: list[object]) -> Iterator[str]:
    """Those of the values that are keys of records."""
    return (value.decode() for value in values if isinstance(value, bytes) and _KEY.fullmatch(value))


def _payload(pages: _Pages, page: bytes, at: int, kind: int) -> bytes:
    """A cell's content, the part on overflow pages included."""
    if kind == _INDEX_INTERIOR:
        at += 4
    length, at = _varint(page, at)
    if kind == _TABLE_LEAF:
        _, at = _varint(page, at)  # the row's number
    most = pages.size - 35 if kind == _TABLE_LEAF else (pages.size - 12) * 64 // 255 - 23
    if length <= most:
        return page[at : at + length]
    if length > len(pages):
        raise IndexError(length)
    least = (pages.size - 12) * 32 // 255 - 23
    here = least + (length - least) % (pages.size - 4)
    here = here if here <= most else least
    parts, missing = [page[at : at + here]], length - here
    (number,) = struct.unpack_from(">I", page, at + here)
    while missing > 0 and number and (overflow := pages.page(number)):
        parts.append(overflow[4 : 4 + missing])
        missing -= pages.size - 4
        number = int.from_bytes(overflow[:4], "big")
    return b"".join(parts)


def _columns(payload: bytes) -> list[object]:
    """The values of a row: texts as bytes, integers, and None for whatever no record has."""
    header, at = _varint(payload, 0)
    kinds = []
    while at < header:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[object] = []
    for kind in kinds:
        size = (kind - 12) // 2 if kind >= 12 else _INTEGER_SIZES.get(kind, 0)
        content, at = payload[at : at + size], at + size
        is_text = kind >= 13 and kind % 2
        values.append(content if is_text else kind - 8 if kind in (8, 9) else int.from_bytes(content, "big"))
    return values


def _record(row: list[object]) -> Record | None:
    """The record in a row of any table, of either version of the schema, if it is undamaged."""
    texts = [value for value in row if isinstance(value, bytes)]
    if len(texts) != 2:
        return None
    table = next((table for table, name in _FIELD_OF.items() if name in texts[1]), None)
    if table is None:
        return None
    if len(row) > _NUM_COLUMNS_BEFORE_CHECKSUMS[table]:
        return intact(READERS[table], texts[0], texts[1], row[-1])
    try:
        record = READERS[table](json.loads(texts[1]))
    except (ValueError, LookupError, TypeError):
        return None
    return record if is_hash_of_config(record) else None


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number in 1 to 9 bytes, and where the next thing begins."""
    value = 0
    for index in range(8):
        byte = content[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | content[at + 8], at + 9
