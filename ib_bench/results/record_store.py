"""The interface of a store, on disk or in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import TypeVar

from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialRecord

R = TypeVar("R", bound=Record)


class RecordStore(ABC):
    """Keeps records by their kind, a subclass of :class:`~ib_bench.results.records.Record`, and their key."""

    @abstractmethod
    def get(self, kind: type[R], key: str) -> R | None:
        """The record with this key, finished or not, or None."""

    @abstractmethod
    def all(self, kind: type[R]) -> Iterator[R]:
        """All records of a kind, in the order in which they were first added."""

    @abstractmethod
    def has(self, kind: type[Record], keys: Iterable[str]) -> bool:
        """Whether all records with these keys are there, undamaged."""

    @abstractmethod
    def add(self, record: Record) -> None:
        """Keep a record. A finished one that is there stays; an unfinished one is replaced."""

    def finished(self, kind: type[R], key: str) -> R | None:
        """The finished record with this key, if all trials that it rests on are there too."""
        record = self.get(kind, key)
        is_whole = record is not None and record.finished and self.has(TrialRecord, record.trials)
        return record if is_whole else None
