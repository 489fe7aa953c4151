"""The benchmark runner: studies whose trials are Lightning trainings, kept in the store and logged to W&B.

A job is plain data and can be sent to another process; :func:`run_job` does it there.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError, NothingHeldOutError
from ib_bench.execution.devices import visible_gpus
from ib_bench.execution.executor import Emit, Passing
from ib_bench.execution.processes import Processes
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.record_store import Record as StoredRecord
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import (
    Evaluation,
    Experiment,
    ExtrapolationConfig,
    ExtrapolationRecord,
    LengthAccuracy,
    SearchConfig,
    SearchRecord,
    TrialConfig,
    TrialRecord,
    task_text,
)
from ib_bench.results.store import Store
from ib_bench.studies.estimate import Work, grid_size
from ib_bench.studies.extrapolation import HEADLINE_MULTIPLE, ExtrapolationSettings, extrapolate
from ib_bench.studies.neighbours import guess_from
from ib_bench.studies.search import Search, SearchListener, SearchSettings, grid_configs, search_config
from ib_bench.studies.sharing import JOINT, part_configs
from ib_bench.studies.spread import Spread
from ib_bench.tracking.settings import WandbSettings
from ib_bench.training.instantiation import instantiate_data
from ib_bench.training.length_evaluation import evaluate_length, evaluation_set
from ib_bench.training.trial import TrainedTrial, Weights, train_stack, train_trial
from ib_bench.training.weights import BestWeights

Record = TypeVar("Record", SearchRecord, ExtrapolationRecord)


@dataclass(frozen=True)
class Progress(Passing):
    """How far a job is.

    Attributes:
        num_evaluations: sizes judged so far.
        size: the size being tried, or None.
        num_trials: trials of this size so far, the one in training included.
        num_steps: optimizer steps of the trial in training.
        val_loss: its newest validation loss, in nats.
        verdict: what came out, once it is finished.
        error: what ended it without a verdict, if something did.
        place: host and process that it runs in.
    """

    num_evaluations: int = 0
    size: int | None = None
    num_trials: int = 0
    num_steps: int = 0
    val_loss: float | None = None
    verdict: str | None = None
    error: str | None = None
    place: str = ""

    @property
    def ended(self) -> bool:
        """Whether there is no more to come."""
        return self.verdict is not None or self.error is not None


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
        train: trains a trial, as :func:`~ib_bench.training.trial.train_trial` does.
    """

    experiment: Experiment
    settings: SearchSettings
    pool_size: int
    store: Path
    wandb: WandbSettings
    group: str | None = None
    placement: dict[str, Any] = field(default_factory=dict)
    weights: Path | None = None
    train: Callable[[TrialConfig, dict[str, Any], Callable[[int, float], None]], TrainedTrial] = train_trial

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
    def max_evaluations(self) -> int:
        """See :class:`Job`."""
        return self.settings.max_evaluations if self.pool_size else 0

    def stored(self, store: Store) -> SearchRecord | None:
        """See :class:`Job`."""
        record = store.search(self.key)
        return record if record is not None and record.status == "finished" else None

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
        best = None if self.weights is None else BestWeights(self.weights, store)

        def train(config: TrialConfig) -> TrialRecord:
            trained = self.train(config, self.placement, progress.on_validation)
            if best is not None and config.num_train_sequences == search.max_size:
                grid = grid_configs(self.experiment, self.settings, search.max_size)
                best.offer(trained.record, trained.weights, grid)
            return trained.record

        def train_stacked(configs: list[TrialConfig]) -> list[TrialRecord]:
            stacked = train_stack(configs, self.settings.exhaustive, self.placement, progress.on_validation)
            for trained in stacked:
                if best is not None and configs[0].num_train_sequences == search.max_size:
                    best.offer(trained.record, trained.weights, configs)
            return [trained.record for trained in stacked]

        def train_spread(configs: list[TrialConfig]) -> list[TrialRecord]:
            keep = best is not None and configs[0].num_train_sequences == search.max_size

            def on_trial(record: TrialRecord, weights: Weights) -> None:
                if best is not None and keep:
                    best.offer(record, weights, configs)
                store.add_trial(record)

            missing = [config for config in configs if store.trial(config.key) is None]
            spread.train(missing, keep, progress.on_validation, on_trial, self.settings.exhaustive)
            return [trial for config in configs if (trial := store.trial(config.key)) is not None]

        spread = Spread(Processes(self.settings.spread, visible_gpus()), self.placement)
        run_grid = train_stacked if self.settings.vectorize is True else None
        run_grid = train_spread if self.settings.spread > 1 else run_grid
        guess = guess_from(self.config, store.searches()) if self.settings.start == "auto" else None
        search = Search(self.experiment, self.settings, self.pool_size, store, train, listeners, run_grid, guess)
        return search.run()


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


@dataclass(frozen=True)
class ExtrapolationJob(Job[ExtrapolationRecord]):
    """A measurement of length extrapolation.

    Attributes:
        search: the experiment, the grid and its budget, and where results go.
        extrapolation: where accuracy is measured.
        max_length: number of symbols in the longest training sequences, L.
    """

    search: SearchJob
    extrapolation: ExtrapolationSettings
    max_length: int

    @property
    def config(self) -> ExtrapolationConfig:
        """The config by whose key the result is stored."""
        settings = self.search.settings.to_json()
        return ExtrapolationConfig(self.search.experiment, settings, asdict(self.extrapolation))

    @property
    def settings(self) -> SearchSettings:  # type: ignore[override]
        """Of the search."""
        return self.search.settings

    @property
    def store(self) -> Path:  # type: ignore[override]
        """Of the search."""
        return self.search.store

    @property
    def weights(self) -> Path | None:  # type: ignore[override]
        """Of the search."""
        return self.search.weights

    @property
    def key(self) -> str:
        """See :class:`Job`."""
        return self.config.key

    @property
    def label(self) -> str:
        """See :class:`Job`."""
        return f"extrapolation · {self.search.label}"

    @property
    def max_evaluations(self) -> int:
        """See :class:`Job`."""
        return 1

    def stored(self, store: Store) -> ExtrapolationRecord | None:
        """See :class:`Job`."""
        return store.extrapolation(self.key)

    def work(self) -> Work:
        """See :class:`Job`; where the search of the same experiment has run, only the best is trained once more."""
        num_trials = grid_size(asdict(self.settings)) if self.search.pool_size else 0
        return Work(self.search.experiment, self.settings.max_steps, num_trials, at_largest_size=True)

    def run(self, progress: ProgressListener, store: RecordStore) -> ExtrapolationRecord:
        """See :class:`Job`."""
        search = self.search
        one_by_one = replace(search.settings, vectorize=False)  # the best alone may have to be trained once more
        best = None if search.weights is None else BestWeights(search.weights, store)
        size = min(search.settings.max_size, search.pool_size)
        stack = grid_configs(search.experiment, search.settings, size) if search.settings.vectorize is True else []
        kept_of_stack = None if best is None else best.load_any(stack, search.placement)

        def train(config: TrialConfig) -> TrainedTrial:
            kept = None if best is None else best.load(config, search.placement)
            if kept is not None:
                return kept
            progress.on_trial_start(config)
            trained = search.train(config, search.placement, progress.on_validation)
            if best is not None:
                grid = grid_configs(search.experiment, one_by_one, config.num_train_sequences)
                best.offer(trained.record, trained.weights, grid)
            return trained

        record = extrapolate(self.config, one_by_one, search.pool_size, store, train, self._evaluate, kept_of_stack)
        progress.finish(_headline(record, self.max_length))
        return record

    def _evaluate(self, trained: TrainedTrial) -> list[LengthAccuracy]:
        model, data = trained.model.to(trained.device).eval(), trained.data
        if not (isinstance(model, SequenceModel) and isinstance(data, StateTrackingData)):
            raise BenchError("extrapolation needs a SequenceModel and a StateTrackingData, so that lengths can be set")
        lengths = self.extrapolation.lengths(self.max_length)
        sets = (evaluation_set(data, length, self.extrapolation.num_sequences) for length in lengths)
        return [accuracy for sequences in sets for accuracy in evaluate_length(model, data, sequences)]


def _headline(record: ExtrapolationRecord, max_length: int) -> str:
    headline = record.at(HEADLINE_MULTIPLE * max_length)
    if not record.num_train_sequences:
        return "none held out"
    return "done" if headline is None else f"{headline.normalized_final_state_accuracy:.3f} at {HEADLINE_MULTIPLE:g}x"


class ProgressListener(SearchListener):
    """Keeps the newest :class:`Progress` and passes it on.

    Args:
        emit: receives it whenever there is news.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._progress = Progress(place=f"{socket.gethostname()}:{os.getpid()}")

    def _update(self, **changes: Any) -> None:
        self._progress = replace(self._progress, **changes)
        self._emit(self._progress)

    def on_trial_start(self, config: TrialConfig) -> None:
        """A trial is about to be trained."""
        num_trials = self._progress.num_trials + 1
        self._update(size=config.num_train_sequences, num_trials=num_trials, num_steps=0, val_loss=None)

    def on_validation(self, num_steps: int, val_loss: float) -> None:
        """The trial in training has been validated."""
        self._update(num_steps=num_steps, val_loss=val_loss)

    def on_trial_end(self, trial: TrialRecord, from_store: bool) -> None:
        """A trial has ended, or was found in the store."""
        if from_store:
            self._update(num_trials=self._progress.num_trials + 1)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """A size has been judged."""
        self._update(num_evaluations=self._progress.num_evaluations + 1, size=None, num_trials=0)

    def on_end(self, record: SearchRecord) -> None:
        """The search has finished."""
        self.finish(f"N* = {record.verdict}")

    def fail(self, error: Exception) -> None:
        """The job ends without a result."""
        self._update(error=str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}")

    def finish(self, verdict: str) -> None:
        """The job has its result."""
        self._update(verdict=verdict)
