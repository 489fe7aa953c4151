"""Something to measure, as plain data that can be sent to another process, and the two ways to run it there."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from ib_bench.execution.executor import Emit
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.record_store import Record as StoredRecord
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import ExtrapolationConfig, ExtrapolationRecord, SearchConfig, SearchRecord
from ib_bench.results.store import Store
from ib_bench.runner.progress import ProgressListener
from ib_bench.studies.estimate import Work
from ib_bench.studies.search import SearchSettings

Record = TypeVar("Record", SearchRecord, ExtrapolationRecord)


class Job(ABC, Generic[Record]):
    """Something to measure, and everything needed to do it elsewhere."""

    settings: SearchSettings
    store: Path
    weights: Path | None

    @property
    @abstractmethod
    def key(self) -> str:
        """By which the result is stored."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The job in a few words."""

    @property
    @abstractmethod
    def max_evaluations(self) -> int:
        """Number of sizes that are tried at most."""

    @property
    @abstractmethod
    def config(self) -> SearchConfig | ExtrapolationConfig:
        """By whose key the result is stored."""

    @abstractmethod
    def stored(self, store: Store) -> Record | None:
        """The finished result, if the store has it."""

    @abstractmethod
    def work(self) -> Work:
        """What there is to train at most."""

    @abstractmethod
    def run(self, progress: ProgressListener, store: RecordStore) -> Record:
        """Measure, from what is there already.

        Args:
            progress: is told how far it is.
            store: where records are, and where new ones go.
        """


def run_job(job: Job[Record], emit: Emit) -> Record:
    """Run a job on the machine that has its store; a function that other processes find by its name."""
    with Store(job.store) as store:
        return _run(job, emit, store)


@dataclass(frozen=True)
class RemoteJob(Generic[Record]):
    """A job for a machine that cannot reach the store.

    Attributes:
        job: what to measure.
        records: what the store holds that the job may need.
        folder: that the command was given in, where a user's own classes may be.
    """

    job: Job[Record]
    records: tuple[StoredRecord, ...]
    folder: str

    def after(self, event: object) -> RemoteJob[Record]:
        """What remains to be done after an event of it: a record that has come of it need not be made again."""
        return replace(self, records=(*self.records, event)) if isinstance(event, StoredRecord) else self


def run_remote_job(remote: RemoteJob[Record], emit: Emit) -> Record:
    """Run a job far from its store: new records are emitted, for the store's machine to keep."""
    if remote.folder not in sys.path:
        sys.path.append(remote.folder)
    return _run(remote.job, emit, MemoryStore(remote.records, emit))


def _run(job: Job[Record], emit: Emit, store: RecordStore) -> Record:
    progress = ProgressListener(emit)
    try:
        return job.run(progress, store)
    except Exception as error:
        progress.fail(error)
        raise
