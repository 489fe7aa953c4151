"""Searches for N*, and those that kappa rests on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from ib_bench.errors import BenchError, NothingHeldOutError
from ib_bench.execution.devices import visible_gpus
from ib_bench.execution.processes import Processes
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Experiment, SearchConfig, SearchRecord, TrialConfig, TrialRecord, task_text
from ib_bench.results.store import Store
from ib_bench.runner.job import Job
from ib_bench.runner.progress import ProgressListener
from ib_bench.studies.estimate import Work, grid_size
from ib_bench.studies.search import (
    GridFunction,
    Search,
    SearchListener,
    SearchSettings,
    finished_search,
    grid_configs,
    search_config,
)
from ib_bench.studies.sharing import JOINT, part_configs
from ib_bench.studies.spread import Spread
from ib_bench.tracking.settings import WandbSettings
from ib_bench.training.instantiation import instantiate_data
from ib_bench.training.trial import TrainedTrial, Weights, train_stack, train_trial
from ib_bench.training.weights import BestWeights

TrainFunction = Callable[[TrialConfig, dict[str, Any], Callable[[int, float], None]], TrainedTrial]
"""Trains a trial, as :func:`~ib_bench.training.trial.train_trial` does."""


@dataclass(frozen=True)
class SearchJob(Job[SearchRecord]):
    """A search for N*.

    Attributes:
        experiment: what is trained on what.
        settings: how N* is searched for.
        pool_size: number of training sequences that exist; 0 where none can be held out to judge them by.
        store: path of the store.
        wandb: where the search is logged.
        group: name of the suite that it belongs to, or None.
        placement: arguments of the Trainer that say where a trial runs.
        weights: folder for the best weights at the largest size, or None to keep none.
        train: trains a trial.
    """

    experiment: Experiment
    settings: SearchSettings
    pool_size: int
    store: Path
    wandb: WandbSettings
    group: str | None = None
    placement: dict[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    train: TrainFunction = train_trial

    @property
    def config(self) -> SearchConfig:
        """The config by whose key the search is stored."""
        return search_config(self.experiment, self.settings)

    @property
    def key(self) -> str:
        """See :class:`Job`."""
        return self.config.key

    @property
    def label(self) -> str:
        """See :class:`Job`."""
        labels = self.experiment.labels()
        regime = [labels[part] for part in ("supervision", "length_distribution") if labels[part]]
        return " · ".join([labels["model"], task_text(labels), *regime, f"L={labels['max_length']}"])

    @property
    def max_size(self) -> int:
        """The largest training set that is tried."""
        return min(self.settings.max_size, self.pool_size)

    @property
    def max_evaluations(self) -> int:
        """See :class:`Job`."""
        return self.settings.max_evaluations if self.pool_size else 0

    def stored(self, store: Store) -> SearchRecord | None:
        """See :class:`Job`."""
        return finished_search(store, self.key)

    def work(self) -> Work:
        """See :class:`Job`."""
        num_trials = grid_size(asdict(self.settings)) * self.max_evaluations
        return Work(self.experiment, self.settings.max_steps, num_trials)

    def run(self, progress: ProgressListener, store: RecordStore) -> SearchRecord:
        """See :class:`Job`."""
        listeners: list[SearchListener] = [progress]
        if self.wandb.mode != "disabled" and self.pool_size:
            from ib_bench.tracking.wandb_search import WandbSearch  # noqa: PLC0415 (its import takes a second)

            listeners.append(WandbSearch(self.wandb, self.group))
        trainings = _Trainings(self, progress, store)
        train, train_grid = trainings.train, trainings.train_grid
        return Search(self.experiment, self.settings, self.pool_size, store, train, listeners, train_grid).run()


class _Trainings:
    """How the trials of a search are trained, and whose weights are kept.

    Args:
        job: the search.
        progress: is told every validation.
        store: that trials are kept in.
    """

    def __init__(self, job: SearchJob, progress: ProgressListener, store: RecordStore) -> None:
        self._job, self._settings = job, job.settings
        self._on_validation = progress.on_validation
        self._store = store
        self._best = None if job.weights is None else BestWeights(job.weights, store)

    @property
    def train_grid(self) -> GridFunction | None:
        """Trains all configurations of a size at once; None where they are trained one by one."""
        if self._settings.spread > 1:
            return self._train_spread
        return self._train_stacked if self._settings.vectorize is True else None

    def train(self, config: TrialConfig) -> TrialRecord:
        """Train one configuration."""
        trained = self._job.train(config, self._job.placement, self._on_validation)
        self._offer(trained.record, trained.weights)
        return trained.record

    def _train_stacked(self, configs: list[TrialConfig]) -> list[TrialRecord]:
        """As one model."""
        stack = train_stack(configs, self._settings.exhaustive, self._job.placement, self._on_validation)
        for trained in stack:
            self._offer(trained.record, trained.weights)
        return [trained.record for trained in stack]

    def _train_spread(self, configs: list[TrialConfig]) -> list[TrialRecord]:
        """In several processes."""

        def on_trial(record: TrialRecord, weights: Weights) -> None:
            self._offer(record, weights)
            self._store.add_trial(record)

        missing = [config for config in configs if self._store.trial(config.key) is None]
        spread = Spread(Processes(self._settings.spread, visible_gpus()), self._job.placement)
        keep = self._keeps(configs[0].num_train_sequences)
        spread.train(missing, keep, self._on_validation, on_trial, self._settings.exhaustive)
        return [trial for config in configs if (trial := self._store.trial(config.key)) is not None]

    def _keeps(self, size: int) -> bool:
        return self._best is not None and size == self._job.max_size

    def _offer(self, record: TrialRecord, weights: Weights) -> None:
        """Keep the weights, if they are of the best trial at the largest size."""
        size = record.config["num_train_sequences"]
        if self._best is not None and self._keeps(size):
            self._best.offer(record, weights, grid_configs(self._job.experiment, self._settings, size))


def sharing_jobs(joint: SearchJob) -> dict[int, SearchJob]:
    """The searches at each length alone that kappa rests on, beside the joint one.

    Args:
        joint: over all lengths.

    Raises:
        BenchError: ``joint`` is not a search over all lengths.
    """
    given = joint.experiment.data["init_args"].get("length_distribution")
    if given != JOINT:
        raise BenchError(f"data.length_distribution must be {JOINT}, over which lengths are shared, got {given!r}")
    return {
        length: replace(joint, experiment=part.experiment, pool_size=_pool_size(json.dumps(part.experiment.data)))
        for length, part in part_configs(joint.config).items()
    }


@cache
def _pool_size(data: str) -> int:
    """Training sequences that exist for data, given as JSON; 0 where none can be held out."""
    try:
        return instantiate_data(json.loads(data)).max_train_sequences
    except NothingHeldOutError:
        return 0
