"""The benchmark runner: a search whose trials are Lightning trainings, kept in the store and logged to W&B.

A job is plain data and can be sent to another process; :func:`run_search_job` does it there.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError
from ib_bench.execution.executor import Emit
from ib_bench.models.sequence_model import SequenceModel
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
from ib_bench.studies.extrapolation import ExtrapolationSettings, extrapolate
from ib_bench.studies.search import Search, SearchListener, SearchSettings, search_config
from ib_bench.tracking.settings import WandbSettings
from ib_bench.training.length_evaluation import evaluate_length, evaluation_set
from ib_bench.training.trial import TrainedTrial, run_trial, train_trial


@dataclass(frozen=True)
class SearchJob:
    """A search, and everything needed to run it elsewhere.

    Attributes:
        experiment: what is trained on what.
        settings: how N* is searched for.
        pool_size: number of training sequences that exist.
        store: path of the store.
        wandb: where the search is logged.
        group: name of the suite that it belongs to, or None.
        placement: arguments of the Trainer that say where a trial runs.
    """

    experiment: Experiment
    settings: SearchSettings
    pool_size: int
    store: Path
    wandb: WandbSettings
    group: str | None = None
    placement: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> SearchConfig:
        """The config by whose key the search is stored."""
        return search_config(self.experiment, self.settings)

    @property
    def label(self) -> str:
        """The search in a few words."""
        labels = self.experiment.labels()
        regime = [labels[part] for part in ("supervision", "length_distribution") if labels[part]]
        return " · ".join([labels["model"], task_text(labels), *regime, f"L={labels['max_length']}"])


@dataclass(frozen=True)
class SearchProgress:
    """How far a search is.

    Attributes:
        num_evaluations: sizes judged so far.
        size: the size being tried, or None.
        num_trials: trials of this size so far, the one in training included.
        num_steps: optimizer steps of the trial in training.
        val_loss: its newest validation loss, in nats.
        verdict: what came out, once it is finished.
    """

    num_evaluations: int = 0
    size: int | None = None
    num_trials: int = 0
    num_steps: int = 0
    val_loss: float | None = None
    verdict: str | None = None


def run_search_job(job: SearchJob, emit: Emit) -> SearchRecord:
    """Search, from what the store already holds.

    Args:
        job: the search.
        emit: receives a :class:`SearchProgress` whenever there is news.
    """
    progress = _ProgressListener(emit)
    listeners: list[SearchListener] = [progress]
    if job.wandb.mode != "disabled":
        from ib_bench.tracking.wandb_search import WandbSearch  # noqa: PLC0415 (its import takes a second)

        listeners.append(WandbSearch(job.wandb, job.group))
    train = partial(run_trial, placement=job.placement, on_validation=progress.on_validation)
    with Store(job.store) as store:
        return Search(job.experiment, job.settings, job.pool_size, store, train, listeners).run()


@dataclass(frozen=True)
class ExtrapolationJob:
    """A measurement of length extrapolation.

    Attributes:
        search: the experiment, the grid and its budget, and where results go.
        settings: where accuracy is measured.
        max_length: number of symbols in the longest training sequences, L.
    """

    search: SearchJob
    settings: ExtrapolationSettings
    max_length: int

    @property
    def config(self) -> ExtrapolationConfig:
        """The config by whose key the result is stored."""
        return ExtrapolationConfig(self.search.experiment, asdict(self.search.settings), asdict(self.settings))


def run_extrapolation_job(job: ExtrapolationJob, emit: Emit) -> ExtrapolationRecord:
    """Train and evaluate, from what the store already holds.

    Args:
        job: the measurement.
        emit: receives a :class:`SearchProgress` whenever there is news of a training.
    """
    progress = _ProgressListener(emit)

    def train(config: TrialConfig) -> TrainedTrial:
        progress.on_trial_start(config)
        return train_trial(config, job.search.placement, progress.on_validation)

    def evaluate(trained: TrainedTrial) -> list[LengthAccuracy]:
        model, data = trained.model.to(trained.device).eval(), trained.data
        if not (isinstance(model, SequenceModel) and isinstance(data, StateTrackingData)):
            raise BenchError("extrapolation needs a SequenceModel and a StateTrackingData, so that lengths can be set")
        lengths = job.settings.lengths(job.max_length)
        sets = (evaluation_set(data, length, job.settings.num_sequences) for length in lengths)
        return [accuracy for sequences in sets for accuracy in evaluate_length(model, data, sequences)]

    with Store(job.search.store) as store:
        return extrapolate(job.config, job.search.settings, job.search.pool_size, store, train, evaluate)


class _ProgressListener(SearchListener):
    """Keeps the newest :class:`SearchProgress` and passes it on."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._progress = SearchProgress()

    def _update(self, **changes: Any) -> None:
        self._progress = replace(self._progress, **changes)
        self._emit(self._progress)

    def on_trial_start(self, config: TrialConfig) -> None:
        num_trials = self._progress.num_trials + 1
        self._update(size=config.num_train_sequences, num_trials=num_trials, num_steps=0, val_loss=None)

    def on_validation(self, num_steps: int, val_loss: float) -> None:
        """The trial in training has been validated."""
        self._update(num_steps=num_steps, val_loss=val_loss)

    def on_trial_end(self, trial: TrialRecord, from_store: bool) -> None:
        if from_store:
            self._update(num_trials=self._progress.num_trials + 1)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        self._update(num_evaluations=self._progress.num_evaluations + 1, size=None, num_trials=0)

    def on_end(self, record: SearchRecord) -> None:
        self._update(verdict=record.verdict)
