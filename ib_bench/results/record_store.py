"""What a study asks of wherever its records are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

from ib_bench.results.records import ExtrapolationRecord, SearchRecord, TrialRecord

Record = TrialRecord | SearchRecord | ExtrapolationRecord


class RecordStore(ABC):
    """Keeps records by their keys."""

    @abstractmethod
    def trial(self, key: str) -> TrialRecord | None:
        """The trial with this key, or None."""

    @abstractmethod
    def has_trials(self, keys: Iterable[str]) -> bool:
        """Whether all trials with these keys are there, undamaged."""

    @abstractmethod
    def search(self, key: str) -> SearchRecord | None:
        """The search with this key, finished or not, or None."""

    @abstractmethod
    def searches(self) -> list[SearchRecord]:
        """All searches, in the order in which they began."""

    @abstractmethod
    def extrapolation(self, key: str) -> ExtrapolationRecord | None:
        """The extrapolation with this key, or None."""

    @abstractmethod
    def add_trial(self, record: TrialRecord) -> None:
        """Keep a trial; the one that is there already stays."""

    @abstractmethod
    def put_search(self, record: SearchRecord) -> None:
        """Keep the newest state of a search; a finished one is never overwritten."""

    @abstractmethod
    def add_extrapolation(self, record: ExtrapolationRecord) -> None:
        """Keep an extrapolation; the one that is there already stays."""

    def add(self, record: Record) -> None:
        """Keep a record of any kind."""
        if isinstance(record, TrialRecord):
            self.add_trial(record)
        elif isinstance(record, SearchRecord):
            self.put_search(record)
        else:
            self.add_extrapolation(record)
