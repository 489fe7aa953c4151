"""Counts of steps."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ib_bench.quantities.job import Job, Workload
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Experiment, Record
from ib_bench.results.trial_record import TrialRecord
from ib_bench.training.trial import train_trial
from steps_needed.record import StepsConfig, StepsRecord, StepsSettings


@dataclass(frozen=True)
class StepsJob(Job[StepsRecord]):
    """A count of steps."""

    quantity: ClassVar[str] = "steps"
    record: ClassVar[type[Record]] = StepsRecord

    experiment: Experiment
    search: SearchSettings
    settings: StepsSettings
    num_states: int | None
    placement: dict[str, Any] = field(default_factory=dict)

    max_evaluations: ClassVar[int] = 1
    num_configurations: ClassVar[int] = 1

    @property
    def config(self) -> StepsConfig:
        return StepsConfig(self.experiment, self.search, self.settings)

    @property
    def label(self) -> str:
        return f"steps at {self.settings.size}"

    @property
    def max_steps(self) -> int:
        return self.search.max_steps

    def workload(self, others: Collection[str]) -> Workload:
        return Workload(self.experiment, self.max_steps, 1)

    def shortened(self) -> StepsJob:
        return replace(self, search=replace(self.search, max_steps=2))

    def run(self, progress: ProgressReporter, store: RecordStore) -> StepsRecord:
        search = self.search
        config = search.trial_config(self.experiment, self.settings.size, search.learning_rates[0], search.seeds[0])
        trial = store.get(TrialRecord, config.key)
        if trial is None:
            progress.on_trial_start(config)
            trial = train_trial(config, self.placement, progress.on_validation).record
            store.add(trial)
        record = StepsRecord(self.key, self.config, trial.key, trial.num_steps, self.num_states)
        store.add(record)
        progress.finish(f"{record.num_steps} steps")
        return record
