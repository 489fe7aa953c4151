"""Records in memory, for work whose store is on another machine: it receives what it needs and sends new records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import cast

from ib_bench.results.record_store import R, RecordStore
from ib_bench.results.records import Record


class MemoryStore(RecordStore):
    """A store in memory.

    Args:
        records: that are there already.
        on_record: receives every record that is new or has changed.
    """

    def __init__(self, records: Iterable[Record] = (), on_record: Callable[[Record], None] | None = None) -> None:
        self._records: dict[type[Record], dict[str, Record]] = defaultdict(dict)
        self._on_record: Callable[[Record], None] = lambda record: None
        for record in records:
            self.add(record)
        self._on_record = on_record or self._on_record

    def get(self, kind: type[R], key: str) -> R | None:
        """See :class:`RecordStore`."""
        return cast("R | None", self._records[kind].get(key))

    def all(self, kind: type[R]) -> Iterator[R]:
        """See :class:`RecordStore`."""
        return iter(cast("list[R]", list(self._records[kind].values())))

    def has(self, kind: type[Record], keys: Iterable[str]) -> bool:
        """See :class:`RecordStore`."""
        return self._records[kind].keys() >= set(keys)

    def add(self, record: Record) -> None:
        """See :class:`RecordStore`."""
        old = self._records[type(record)].get(record.key)
        if old is None or not old.finished:
            self._records[type(record)][record.key] = record
            self._on_record(record)
