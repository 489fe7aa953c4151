"""A job's result as a W&B run that grows while the job runs."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any

from ib_bench import catalogue
from ib_bench.quantities.job import Job
from ib_bench.quantities.logged_run import LoggedRun
from ib_bench.quantities.quantity import Quantity
from ib_bench.results.archive import Records
from ib_bench.results.record_store import R, RecordStore
from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialRecord
from ib_bench.tracking.runs import GrowingRun
from ib_bench.tracking.settings import WandbSettings


class LiveLogging(RecordStore):
    """A store around another one; it logs every new state of the job's own record.

    As a context manager it closes the run. Trouble with W&B is reported once and ends the logging, never the job.

    Args:
        job: whose record is logged.
        settings: where to.
        group: name of the suite that the job belongs to, or None.
        store: that records are kept in.
    """

    def __init__(self, job: Job[Any], settings: WandbSettings, group: str | None, store: RecordStore) -> None:
        self._job, self._settings, self._group, self._store = job, settings, group, store
        self._quantity: Quantity[Any] = catalogue.quantity(job.quantity)
        self._run: GrowingRun | None = None
        self._last: Record | None = None
        self._gave_up = False

    def __enter__(self) -> LiveLogging:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run, last = self._run, self._last
        if run is None or last is None or last.finished:
            return
        status = "failed" if isinstance(error, Exception) else "interrupted"
        self._guarded(lambda: run.abort(self._logged(last), status))

    def get(self, kind: type[R], key: str) -> R | None:
        """See :class:`RecordStore`."""
        return self._store.get(kind, key)

    def all(self, kind: type[R]) -> Iterator[R]:
        """See :class:`RecordStore`."""
        return self._store.all(kind)

    def has(self, kind: type[Record], keys: Iterable[str]) -> bool:
        """See :class:`RecordStore`."""
        return self._store.has(kind, keys)

    def add(self, record: Record) -> None:
        """See :class:`RecordStore`; the store comes first, W&B second."""
        self._store.add(record)
        if self._job.is_result and isinstance(record, self._job.record) and record.key == self._job.key:
            self._last = record
            self._guarded(lambda: self._log(record))

    def _log(self, record: Record) -> None:
        logged = self._logged(record)
        if self._run is None:
            self._run = GrowingRun(self._settings, self._quantity.job_type, self._group, logged)
        self._run.update(logged)
        if record.finished:
            self._run.finish(logged)

    def _logged(self, record: Record) -> LoggedRun:
        found = (self._store.get(TrialRecord, key) for key in record.trials) if record.finished else ()
        trials = [trial for trial in found if trial is not None]
        return self._quantity.logged(record, Records.of_all([*trials, record]))

    def _guarded(self, log: Callable[[], None]) -> None:
        if self._gave_up:
            return
        try:
            log()
        except Exception as error:
            self._gave_up = True
            if self._run is not None:
                self._run.leave()
            warnings.warn(f"W&B failed, this {self._job.quantity} is no longer logged there: {error!r}", stacklevel=2)
