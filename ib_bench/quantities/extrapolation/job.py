"""Measurements of length extrapolation."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import ClassVar

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.quantities.extrapolation.extrapolation import extrapolate
from ib_bench.quantities.extrapolation.length_evaluation import evaluate_length, evaluation_set, require_sequences
from ib_bench.quantities.extrapolation.readable import require_readable_lengths
from ib_bench.quantities.extrapolation.record import (
    HEADLINE_MULTIPLE,
    ExtrapolationConfig,
    ExtrapolationRecord,
    ExtrapolationSettings,
    LengthAccuracy,
)
from ib_bench.quantities.job import Job, Workload
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.disturbed import default_dtype, dtype_of
from ib_bench.training.fitting import set_switches, silent
from ib_bench.training.global_state import fresh_global_state
from ib_bench.training.instantiation import instantiate_data
from ib_bench.training.trial import TrainedTrial
from ib_bench.training.weights import BestWeights


@dataclass(frozen=True)
class ExtrapolationJob(Job[ExtrapolationRecord]):
    """A measurement of length extrapolation.

    Attributes:
        search: the experiment, the grid and its budget.
        settings: where accuracy is measured.
    """

    quantity: ClassVar[str] = "extrapolate"
    record: ClassVar[type[Record]] = ExtrapolationRecord

    search: SearchJob
    settings: ExtrapolationSettings

    @staticmethod
    def of(request: Request) -> ExtrapolationJob:
        """The measurement that a request asks for.

        Raises:
            BenchError: the data have no lengths, or the model cannot read the longest ones, or looks ahead in them.
        """
        settings: ExtrapolationSettings = request.settings["extrapolation"]
        if request.pool_size:  # else nothing is trained
            search: SearchSettings = request.settings["search"]
            looks_ahead = require_readable_lengths(request.experiment, settings, search.allow_lookahead)
            request = replace(request, experiment=replace(request.experiment, looks_ahead=looks_ahead))
        return ExtrapolationJob(SearchJob.of(request), settings)

    @property
    def config(self) -> ExtrapolationConfig:
        """See :class:`Job`."""
        return ExtrapolationConfig(self.search.experiment, self.search.settings, self.settings)

    @property
    def label(self) -> str:
        """See :class:`Job`."""
        return f"extrapolation \N{MIDDLE DOT} {self.search.label}"

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
    def uses(self) -> Collection[str]:
        """See :class:`Job`: the search of the same experiment keeps its trials and weights."""
        return [self.search.key]

    def trial_keys(self, store: RecordStore) -> Collection[str]:
        """See :class:`Job`: the grid at the largest size."""
        size = self.search.max_size
        configs = self.search.settings.grid_configs(self.search.experiment, size) if size else []
        return [config.key for config in configs]

    def workload(self, others: Collection[str]) -> Workload:
        """See :class:`Job`; where the search of the same experiment runs, only the best is trained once more."""
        num_trials = 1 if self.search.key in others else self.num_configurations
        num_trials = num_trials if self.search.pool_size else 0
        return Workload(self.search.experiment, self.max_steps, num_trials, at_largest_size=True)

    def shortened(self) -> ExtrapolationJob:
        """See :class:`Job`."""
        return replace(self, search=self.search.shortened(), settings=replace(self.settings, num_sequences=2))

    def run(self, progress: ProgressReporter, store: RecordStore) -> ExtrapolationRecord:
        """See :class:`Job`."""
        record = self.stored(store) or self._measured(progress, store)
        progress.finish(_in_short(record))
        return record

    def _measured(self, progress: ProgressReporter, store: RecordStore) -> ExtrapolationRecord:
        search = self.search
        if search.pool_size:
            data = instantiate_data(search.experiment.data, num_train_sequences=search.max_size)
            assert isinstance(data, StateTrackingData), "see ExtrapolationJob.of"
            require_sequences(data, self.settings.lengths(data.max_length))
        best = None if search.weights is None else BestWeights(search.weights, store)

        def train(config: TrialConfig) -> TrainedTrial:
            kept = None if best is None else best.load(config, search.placement)
            if kept is not None:
                return kept
            progress.on_trial_start(config)
            trained = search.train(config, search.placement, progress.on_validation)
            if best is not None:
                competitors = search.settings.grid_configs(search.experiment, config.num_train_sequences)
                best.offer(trained.record, trained.weights, competitors)
            return trained

        return extrapolate(self.config, search.pool_size, search.num_states, store, train, self._evaluate)

    def _evaluate(self, trained: TrainedTrial) -> list[LengthAccuracy]:
        """Accuracies of a trained model, computed as its training run was: same threads, same switches of torch."""
        model, data, config = trained.model.to(trained.device).eval(), trained.data, trained.record.config
        assert isinstance(model, SequenceModel) and isinstance(data, StateTrackingData), "see ExtrapolationJob.of"
        lengths = self.settings.lengths(data.max_length)
        with silent(), fresh_global_state(config.seed, config.num_threads):
            # data are drawn before the Trainer is built, as in a trial: drawing has no deterministic implementation
            sets = [evaluation_set(data, length, self.settings.num_sequences) for length in lengths]
            set_switches(**{"devices": 1, **config.experiment.trainer, **self.search.placement})
            with default_dtype(dtype_of(model)):
                return [accuracy for sequences in sets for accuracy in evaluate_length(model, data, sequences)]


def _in_short(record: ExtrapolationRecord) -> str:
    if not record.num_train_sequences:
        return "none held out"
    accuracy = record.headline_accuracy
    return "done" if accuracy is None else f"{accuracy:.3f} at {HEADLINE_MULTIPLE:g}x"
