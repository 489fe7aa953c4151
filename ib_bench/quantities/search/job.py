"""Searches for N*."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from ib_bench.execution.devices import visible_gpus
from ib_bench.execution.processes import Processes
from ib_bench.quantities.job import Job, Workload
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.grid import GridFunction
from ib_bench.quantities.search.record import SearchConfig, SearchRecord, SearchSettings
from ib_bench.quantities.search.search import Search
from ib_bench.quantities.search.spread import Spread
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Experiment, Record
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training.trial import TrainedTrial, Weights, train_trial
from ib_bench.training.weights import BestWeights

TrainFunction = Callable[[TrialConfig, dict[str, Any], Callable[[int, float], None]], TrainedTrial]
"""Trains a trial, as :func:`~ib_bench.training.trial.train_trial` does."""

_SHORT_STEPS = 2
_SHORT_SIZE = 64


@dataclass(frozen=True)
class SearchJob(Job[SearchRecord]):
    """A search for N*.

    Attributes:
        experiment: what is trained on what.
        settings: how N* is searched for.
        pool_size: number of training sequences that exist; 0 if none can be held out to judge them by.
        num_states: number of the task's states.
        placement: arguments of the Trainer that say where a trial runs.
        weights: folder for the best weights at the largest size, or None to keep none.
        train: trains a trial.
    """

    quantity: ClassVar[str] = "search"
    record: ClassVar[type[Record]] = SearchRecord

    experiment: Experiment
    settings: SearchSettings
    pool_size: int
    num_states: int | None
    placement: dict[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    train: TrainFunction = train_trial

    @staticmethod
    def of(request: Request) -> SearchJob:
        """The search that a request asks for."""
        return SearchJob(
            experiment=request.experiment,
            settings=request.settings["search"],
            pool_size=request.pool_size,
            num_states=request.num_states,
            placement=request.placement,
            weights=request.weights,
            train=request.train or train_trial,
        )

    @property
    def config(self) -> SearchConfig:
        """See :class:`Job`."""
        return SearchConfig(self.experiment, self.settings)

    @property
    def label(self) -> str:
        """See :class:`Job`."""
        return self.experiment.title

    @property
    def max_size(self) -> int:
        """The largest training set that is tried."""
        return min(self.settings.max_size, self.pool_size)

    @property
    def max_evaluations(self) -> int:
        """See :class:`Job`."""
        return self.settings.max_evaluations if self.pool_size else 0

    @property
    def num_configurations(self) -> int:
        """See :class:`Job`."""
        return len(self.settings.grid())

    @property
    def max_steps(self) -> int:
        """See :class:`Job`."""
        return self.settings.max_steps

    @property
    def num_cores(self) -> int:
        """See :class:`Job`."""
        return self.settings.spread

    def workload(self, others: Collection[str]) -> Workload:
        """See :class:`Job`."""
        return Workload(self.experiment, self.max_steps, self.num_configurations * self.max_evaluations)

    def shortened(self) -> SearchJob:
        """See :class:`Job`."""
        settings = replace(
            self.settings,
            learning_rates=self.settings.learning_rates[:1],
            seeds=self.settings.seeds[:1],
            max_steps=_SHORT_STEPS,
            max_size=_SHORT_SIZE,
            max_evaluations=1,
        )
        return replace(self, settings=settings)

    def run(self, progress: ProgressReporter, store: RecordStore) -> SearchRecord:
        """See :class:`Job`."""
        training = GridTraining(self, progress, store)
        search = Search(
            self.experiment,
            self.settings,
            self.pool_size,
            self.num_states,
            store,
            training.train,
            progress,
            training.train_grid,
        )
        return search.run()


class GridTraining:
    """Trains the trials of a search, and keeps the weights of the best.

    Args:
        job: the search.
        progress: receives every validation.
        store: that trials are kept in.
    """

    def __init__(self, job: SearchJob, progress: ProgressReporter, store: RecordStore) -> None:
        self._job, self._settings = job, job.settings
        self._on_validation = progress.on_validation
        self._store = store
        self._best = None if job.weights is None else BestWeights(job.weights, store)

    @property
    def train_grid(self) -> GridFunction | None:
        """Trains all configurations of a size at once; None if they are trained one by one."""
        return self._train_spread if self._settings.spread > 1 else None

    def train(self, config: TrialConfig) -> TrialRecord:
        """Train one configuration."""
        trained = self._job.train(config, self._job.placement, self._on_validation)
        self._offer(trained.record, trained.weights)
        return trained.record

    def _train_spread(self, configs: list[TrialConfig]) -> list[TrialRecord]:
        """In several processes."""

        def on_trial(record: TrialRecord, weights: Weights) -> None:
            self._offer(record, weights)
            self._store.add(record)

        missing = [config for config in configs if self._store.get(TrialRecord, config.key) is None]
        spread = Spread(Processes(self._settings.spread, visible_gpus()), self._job.placement)
        keep = self._keeps(configs[0].num_train_sequences)
        spread.train(missing, keep, self._on_validation, on_trial, self._settings.exhaustive)
        return [trial for config in configs if (trial := self._store.get(TrialRecord, config.key)) is not None]

    def _keeps(self, size: int) -> bool:
        return self._best is not None and size == self._job.max_size

    def _offer(self, record: TrialRecord, weights: Weights) -> None:
        """Keep the weights, if they are of the best trial at the largest size."""
        size = record.config.num_train_sequences
        if self._best is not None and self._keeps(size):
            self._best.offer(record, weights, self._settings.grid_configs(self._job.experiment, size))
