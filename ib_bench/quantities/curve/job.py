"""Measurements of success curves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from ib_bench.execution.devices import visible_gpus
from ib_bench.execution.processes import Processes
from ib_bench.quantities.curve.measurement import CurveMeasurement
from ib_bench.quantities.curve.prior import PRIOR
from ib_bench.quantities.curve.record import CurveConfig, CurveRecord, CurveSettings
from ib_bench.quantities.curve.saturation import MAX_SATURATED_TRIALS
from ib_bench.quantities.curve.thresholds import curve_trials, has_thresholds, with_trials
from ib_bench.quantities.job import Job, Workload
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.job import TrainFunction
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.quantities.search.saturation_job import num_sequences
from ib_bench.quantities.search.spread import Spread
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Experiment, Record
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training.trial import Weights, train_trial

_SHORT_STEPS = 2
_SHORT_SIZE = 64


@dataclass(frozen=True)
class CurveJob(Job[CurveRecord]):
    """A measurement of a success curve.

    Attributes:
        experiment: what is trained on what.
        search: what a trial is.
        settings: how the curve is measured.
        pool_size: number of training sequences that exist; 0 if none can be held out to judge them by.
        num_states: number of the task's states.
        placement: arguments of the Trainer that say where a trial runs.
        train: trains a trial.
    """

    quantity: ClassVar[str] = "curve"
    record: ClassVar[type[Record]] = CurveRecord

    experiment: Experiment
    search: SearchSettings
    settings: CurveSettings
    pool_size: int
    num_states: int | None
    placement: dict[str, Any] = field(default_factory=dict)
    train: TrainFunction = train_trial

    @staticmethod
    def of(request: Request) -> CurveJob:
        """The measurement that a request asks for."""
        return CurveJob(
            request.experiment,
            request.settings["search"],
            request.settings["curve"],
            request.pool_size,
            request.num_states,
            request.placement,
            request.train or train_trial,
        )

    @property
    def config(self) -> CurveConfig:
        """See :class:`Job`."""
        return CurveConfig(self.experiment, self.search, self.settings, PRIOR)

    @property
    def label(self) -> str:
        """See :class:`Job`."""
        return f"curve \N{MIDDLE DOT} {self.experiment.title}"

    @property
    def max_evaluations(self) -> int:
        """See :class:`Job`: each trial is at a size of its own."""
        if self.settings.from_records:
            return 0
        can_exhaust = self.pool_size < self.search.max_size and "saturated" in self.experiment.data.parameters
        num_saturated = MAX_SATURATED_TRIALS if can_exhaust else 0
        if not self.pool_size:
            return num_saturated
        return self._num_pilot_trials + self.settings.max_trials + num_saturated

    @property
    def _num_pilot_trials(self) -> int:
        num_rates = len(self.search.learning_rates)
        return self.settings.pilot_trials * num_rates if num_rates > 1 else 0

    @property
    def num_configurations(self) -> int:
        """See :class:`Job`: one, unless several are trained at once."""
        return self._num_together if self.search.spread > 1 else 1

    @property
    def _num_together(self) -> int:
        """Trials of a batch, or of the pilot of a rate."""
        return max(self.settings.batch, self.settings.pilot_trials if self._num_pilot_trials else 1)

    @property
    def max_steps(self) -> int:
        """See :class:`Job`."""
        return self.search.max_steps

    @property
    def num_cores(self) -> int:
        """See :class:`Job`: no more trials are trained at once than a batch or the pilot of a rate has."""
        return min(self.search.spread, self._num_together)

    @property
    def reads_only(self) -> bool:
        """See :class:`Job`."""
        return self.settings.from_records

    def stored(self, store: RecordStore) -> CurveRecord | None:
        """See :class:`Job`; what is fitted to records depends on the store, so it is fitted again.

        N50 at the thresholds that are asked for now is computed from the trials, if the record lacks it.
        """
        record = None if self.settings.from_records else super().stored(store)
        if record is None or has_thresholds(record, self.settings):
            return record
        return with_trials(record, curve_trials(record, store), self.settings)

    def needed(self, store: RecordStore) -> list[Record]:
        """See :class:`Job`; searches say at which sizes they stopped early."""
        searches = store.all(SearchRecord) if self.settings.from_records else ()
        return [search for search in searches if search.config.experiment == self.experiment]

    def workload(self, others: Collection[str]) -> Workload:
        """See :class:`Job`."""
        return Workload(self.experiment, self.max_steps, self.max_evaluations)

    def shortened(self) -> CurveJob:
        """See :class:`Job`."""
        search = replace(
            self.search,
            learning_rates=self.search.learning_rates[:1],
            max_steps=_SHORT_STEPS,
            max_size=_SHORT_SIZE,
        )
        return replace(self, search=search, settings=replace(self.settings, max_trials=1, from_records=False))

    def run(self, progress: ProgressReporter, store: RecordStore) -> CurveRecord:
        """See :class:`Job`."""
        training = _Training(self, progress, store)
        measurement = CurveMeasurement(
            self.config,
            self.pool_size,
            self.num_states,
            store,
            training.train,
            progress,
            lambda: num_sequences(self.experiment.data),
        )
        return measurement.from_records() if self.settings.from_records else measurement.run()


class _Training:
    """How the trials of a batch are trained.

    Args:
        job: the measurement.
        progress: receives every validation.
        store: that trials are kept in.
    """

    def __init__(self, job: CurveJob, progress: ProgressReporter, store: RecordStore) -> None:
        self._job, self._progress, self._store = job, progress, store

    def train(self, configs: list[TrialConfig]) -> None:
        """Train, in several processes where the settings say so."""
        if self._job.search.spread > 1 and len(configs) > 1:
            self._train_spread(configs)
            return
        for config in configs:
            self._progress.on_trial_start(config)
            self._store.add(self._job.train(config, self._job.placement, self._progress.on_validation).record)

    def _train_spread(self, configs: list[TrialConfig]) -> None:
        def on_trial(record: TrialRecord, _: Weights) -> None:
            self._store.add(record)

        for config in configs:
            self._progress.on_trial_start(config)
        spread = Spread(Processes(self._job.search.spread, visible_gpus()), self._job.placement)
        spread.train(configs, False, self._progress.on_validation, on_trial, exhaustive=True)
