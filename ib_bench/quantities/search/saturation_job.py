"""Saturated evaluations as jobs: they follow the search that they belong to."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import lru_cache
from typing import ClassVar

from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.quantities.job import Job, Workload
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.grid import Grid
from ib_bench.quantities.search.job import GridTraining, SearchJob
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.search.saturation import SaturationConfig, SaturationRecord
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import DataSpec, Record
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training.instantiation import instantiate_data


@dataclass(frozen=True)
class SaturationJob(Job[SaturationRecord]):
    """A saturated evaluation. It trains nothing where the search has not exhausted its pool.

    Attributes:
        search: that it belongs to.
        size: number of all sequences that exist.
    """

    quantity: ClassVar[str] = "search"
    record: ClassVar[type[Record]] = SaturationRecord
    is_result: ClassVar[bool] = False

    search: SearchJob
    size: int

    @property
    def stage(self) -> int:
        """See :class:`Job`: the search decides whether there is anything to evaluate."""
        return super().stage + 1

    @property
    def uses(self) -> Collection[str]:
        """See :class:`Job`."""
        return [self.search.key]

    @property
    def config(self) -> SaturationConfig:
        """See :class:`Job`."""
        return SaturationConfig(self.search.experiment, self.search.settings)

    @property
    def label(self) -> str:
        """See :class:`Job`."""
        return f"saturated \N{MIDDLE DOT} {self.search.label}"

    @property
    def max_evaluations(self) -> int:
        """See :class:`Job`."""
        return 1

    @property
    def num_configurations(self) -> int:
        """See :class:`Job`."""
        return self.search.num_configurations

    @property
    def max_steps(self) -> int:
        """See :class:`Job`."""
        return self.search.max_steps

    @property
    def num_cores(self) -> int:
        """See :class:`Job`."""
        return self.search.num_cores

    def stored(self, store: RecordStore) -> SaturationRecord | None:
        """See :class:`Job`; also an answer is that the search has not exhausted its pool."""
        found = super().stored(store)
        search = store.finished(SearchRecord, self.search.key)
        if found is None and search is not None and not search.is_pool_exhausted:
            return self._record([])
        return found

    def needed(self, store: RecordStore) -> list[Record]:
        """See :class:`Job`."""
        search = store.get(SearchRecord, self.search.key)
        return [] if search is None else [search]

    def trial_keys(self, store: RecordStore) -> Collection[str]:
        """See :class:`Job`: its grid, and the trials without which the search does not count as finished."""
        search = store.get(SearchRecord, self.search.key)
        return [*(config.key for config in self._configs), *(() if search is None else search.trials)]

    def workload(self, others: Collection[str]) -> Workload:
        """See :class:`Job`."""
        return Workload(self.search.experiment, self.max_steps, self.num_configurations, at_largest_size=True)

    def shortened(self) -> SaturationJob:
        """See :class:`Job`."""
        return replace(self, search=self.search.shortened())

    def run(self, progress: ProgressReporter, store: RecordStore) -> SaturationRecord:
        """See :class:`Job`.

        Raises:
            BenchError: the search is not finished.
        """
        record = self.stored(store) or self._evaluated(progress, store)
        progress.finish(record.verdict)
        return record

    def _evaluated(self, progress: ProgressReporter, store: RecordStore) -> SaturationRecord:
        if store.finished(SearchRecord, self.search.key) is None:
            raise BenchError("its search is not finished; the same command continues both")
        training = GridTraining(replace(self.search, weights=None), progress, store)
        grid = Grid(self.search.settings, store, training.train, progress, training.train_grid)
        record = self._record(grid.trials(self._configs))
        store.add(record)
        progress.on_evaluation(self.size)
        return record

    @property
    def _configs(self) -> list[TrialConfig]:
        configs = self.search.settings.grid_configs(self.search.experiment, self.size)
        return [config.on_all_sequences(self.size) for config in configs]

    def _record(self, trials: list[TrialRecord]) -> SaturationRecord:
        losses = [trial.best_val_loss for trial in trials if trial.best_val_loss is not None]
        return SaturationRecord(
            key=self.config.key,
            config=self.config,
            size=self.size,
            succeeded=any(trial.succeeded for trial in trials) if trials else None,
            best_val_loss=min(losses, default=None),
            trial_keys=[trial.key for trial in trials],
            wall_time_s=sum(trial.wall_time_s for trial in trials),
            finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            num_states=self.search.num_states,
        )


@lru_cache(maxsize=4096)
def num_sequences(data: DataSpec) -> int | None:
    """All sequences that exist for data, training and held-out ones; None if they cannot all be trained on."""
    if "saturated" not in data.parameters:
        return None
    try:
        return instantiate_data(data, saturated=True).max_train_sequences
    except InvalidOptionError:  # too many to hold in memory
        return None
