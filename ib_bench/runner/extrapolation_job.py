"""Measurements of length extrapolation."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import ExtrapolationConfig, ExtrapolationRecord, LengthAccuracy, TrialConfig
from ib_bench.results.store import Store
from ib_bench.runner.job import Job
from ib_bench.runner.progress import ProgressListener
from ib_bench.runner.search_job import SearchJob
from ib_bench.studies.estimate import Work, grid_size
from ib_bench.studies.extrapolation import HEADLINE_MULTIPLE, ExtrapolationSettings, extrapolate
from ib_bench.studies.search import SearchSettings, grid_configs
from ib_bench.training.length_evaluation import evaluate_length, evaluation_set
from ib_bench.training.trial import TrainedTrial
from ib_bench.training.weights import BestWeights


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
        search, settings = self.search, self.search.settings
        one_by_one = replace(settings, vectorize=False)  # the best alone may have to be trained once more
        best = None if search.weights is None else BestWeights(search.weights, store)
        stack = (
            grid_configs(search.experiment, search.settings, search.max_size)
            if search.settings.vectorize is True
            else []
        )
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
