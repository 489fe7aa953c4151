"""Records in memory, for work whose store is on another machine: it is sent what it needs, and sends what is new."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ib_bench.results.record_store import Record, RecordStore
from ib_bench.results.records import ExtrapolationRecord, SearchRecord, TrialRecord


class MemoryStore(RecordStore):
    """A store in memory.

    Args:
        records: that are there already.
        on_record: receives every record that is new or has changed.
    """

    def __init__(self, records: Iterable[Record] = (), on_record: Callable[[Record], None] | None = None) -> None:
        self._trials: dict[str, TrialRecord] = {}
        self._searches: dict[str, SearchRecord] = {}
        self._extrapolations: dict[str, ExtrapolationRecord] = {}
        self._on_record: Callable[[Record], None] = lambda record: None
        for record in records:
            self.add(record)
        self._on_record = on_record or self._on_record

    def trial(self, key: str) -> TrialRecord | None:
        """See :class:`RecordStore`."""
        return self._trials.get(key)

    def has_trials(self, keys: Iterable[str]) -> bool:
        """See :class:`RecordStore`."""
        return self._trials.keys() >= set(keys)

    def search(self, key: str) -> SearchRecord | None:
        """See :class:`RecordStore`."""
        return self._searches.get(key)

    def searches(self) -> list[SearchRecord]:
        """See :class:`RecordStore`."""
        return list(self._searches.values())

    def extrapolation(self, key: str) -> ExtrapolationRecord | None:
        """See :class:`RecordStore`."""
        return self._extrapolations.get(key)

    def add_trial(self, record: TrialRecord) -> None:
        """See :class:`RecordStore`."""
        if record.key not in self._trials:
            self._trials[record.key] = record
            self._on_record(record)

    def put_search(self, record: SearchRecord) -> None:
        """See :class:`RecordStore`."""
        old = self._searches.get(record.key)
        if old is None or old.status != "finished":
            self._searches[record.key] = record
            self._on_record(record)

    def add_extrapolation(self, record: ExtrapolationRecord) -> None:
        """See :class:`RecordStore`."""
        if record.key not in self._extrapolations:
            self._extrapolations[record.key] = record
            self._on_record(record)
