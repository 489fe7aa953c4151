"""The measurement of one success curve: trials chosen, trained or found in the store, and fitted.

The k-th trial has the seed ``first_seed + k`` and a size that depends on the trials before its batch alone. So a config
has one sequence of trials, wherever they are trained. A measurement that was interrupted finds its trials in the store
and goes on after them; trials that a search has trained count alike.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from statistics import fmean

from ib_bench.errors import BenchError
from ib_bench.quantities.curve.record import (
    BEST_OF,
    MAX_COUNTED,
    Bounds,
    CurveConfig,
    CurveEstimate,
    CurvePoint,
    CurveRecord,
    CurveTrial,
    Ended,
    Pilot,
    Sizes,
)
from ib_bench.quantities.curve.saturation import MAX_SATURATED_TRIALS, fits_all
from ib_bench.quantities.curve.sequential_design import SequentialDesign
from ib_bench.quantities.curve.success_curve import Interval, Observation, Posterior, SuccessCurve
from ib_bench.quantities.curve.thresholds import curve_trials, with_trials
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.record_store import RecordStore
from ib_bench.results.trial_record import TrialConfig, TrialRecord

TrainFunction = Callable[[list[TrialConfig]], None]
"""Trains trials, all of which are in the store afterwards."""


class CurveMeasurement:
    """A success curve, whose trials are kept in a store.

    Args:
        config: what to measure.
        pool_size: number of training sequences that exist; 0 if none can be held out to judge them by.
        num_states: number of the task's states.
        store: trials found there are not trained again; every new state of the curve is put there.
        train: trains those trials of a batch that the store lacks.
        progress: receives how far the measurement is.
        count_sequences: returns the number of all sequences that exist, training and held-out ones; None if they
            cannot all be trained on. Asked where N50 may exceed the training sequences.
    """

    def __init__(
        self,
        config: CurveConfig,
        pool_size: int,
        num_states: int | None,
        store: RecordStore,
        train: TrainFunction,
        progress: ProgressReporter,
        count_sequences: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._config, self._settings = config, config.settings
        self._store, self._train, self._progress = store, train, progress
        self._count_sequences = count_sequences
        self._search = config.search
        max_size, pool_size = min(config.search.max_size, pool_size), min(pool_size, MAX_COUNTED)
        self._record = CurveRecord(config.key, config, "running", max_size, pool_size, num_states=num_states)

    def run(self) -> CurveRecord:
        """Measure; every finished trial is kept, even after an error."""
        self._put()
        try:
            return self._measured()
        except BaseException as error:
            if isinstance(error, Exception):  # an interrupted measurement continues later
                reason = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
                self._put(status="failed", error=reason)
            raise

    def from_records(self) -> CurveRecord:
        """Fit the trials in the store, and train none. The result depends on the store, so it is not kept there.

        Raises:
            BenchError: the store has no such trials.
        """
        if self._record.max_size:
            by_rate = self._stored_trials()
            if not by_rate:
                raise BenchError(
                    "the store holds no trials of this experiment with these search settings; leave out "
                    "curve.from_records to train some"
                )
            rate = _best_rate(by_rate)
            trials = [_curve_trial(trial) for trial in by_rate[rate]]
            estimate = _estimate(self._design().posterior(_observations(trials)))
            sizes = sorted(set(self._early_stops(rate)))
            self._change(learning_rate=rate, curve_trials=trials, estimate=estimate, early_stop_sizes=sizes)
            self._change(ended="records", wall_time_s=sum(trial.wall_time_s for trial in by_rate[rate]))
            self._record = with_trials(self._record, by_rate[rate], self._settings)
        self._change(status="finished")
        self._progress.finish(f"N50: {self._record.verdict}")
        return self._record

    def _measured(self) -> CurveRecord:
        if self._record.max_size:
            num_pilot_trials = self._choose_rate()
            ended = self._run_batches(self._settings.first_seed + num_pilot_trials)
            self._record = with_trials(self._record, curve_trials(self._record, self._store), self._settings)
            self._change(ended=ended)
        if self._record.may_exceed_pool:
            self._saturate()
        self._put(status="finished")
        self._progress.finish(f"N50: {self._record.verdict}")
        return self._record

    def _choose_rate(self) -> int:
        """Choose the learning rate, by a pilot if there are several.

        Returns:
            Number of seeds that the pilot has used.
        """
        rates = self._config.search.learning_rates
        if len(rates) == 1:
            self._change(learning_rate=rates[0])
            return 0
        seeds = range(self._settings.first_seed, self._settings.first_seed + self._settings.pilot_trials)
        by_rate: dict[float, list[TrialRecord]] = {}
        for rate in rates:
            by_rate[rate] = self._trials([self._trial_config(self._record.max_size, rate, seed) for seed in seeds])
            pilot = Pilot(rate, [_curve_trial(trial) for trial in by_rate[rate]])
            self._put(pilot=[*self._record.pilot, pilot])
        self._put(learning_rate=_best_rate(by_rate))
        return len(seeds)

    def _run_batches(self, seed: int) -> Ended:
        """Run batches until the curve is known well enough.

        Args:
            seed: of the first trial.
        """
        design = self._design()
        rate = self._record.learning_rate
        assert rate is not None
        while (ended := design.ended(_observations(self._record.curve_trials))) is None:
            before = self._record.curve_trials
            sizes = design.next_sizes(_observations(before))
            first = seed + len(before)
            trials = self._trials([self._trial_config(size, rate, first + index) for index, size in enumerate(sizes)])
            new = [_curve_trial(trial) for trial in trials]
            estimate = _estimate(design.posterior(_observations([*before, *new])))
            new = [replace(trial, n50=estimate.n50) for trial in new]
            self._put(curve_trials=[*before, *new], estimate=estimate)
        return ended

    def _saturate(self) -> None:
        """Train on all sequences that exist, until it is known whether that succeeds more often than not."""
        number = self._count_sequences()
        if number is None:
            return
        self._change(num_sequences=number)
        rate = self._record.learning_rate or self._config.search.learning_rates[0]
        outcomes: Counter[bool] = Counter()
        while fits_all(outcomes[True], outcomes[False]) is None and outcomes.total() < MAX_SATURATED_TRIALS:
            seed = self._settings.first_seed + outcomes.total()
            (trial,) = self._trials([self._trial_config(number, rate, seed).on_all_sequences(number)])
            outcomes[trial.succeeded] += 1
            self._put(saturated_trials=[*self._record.saturated_trials, _curve_trial(trial)])

    def _design(self) -> SequentialDesign:
        curve = SuccessCurve(self._record.max_size, self._config.prior)
        settings = self._settings
        return SequentialDesign(
            curve, self._config.search.max_steps, settings.batch, settings.interval_factor, settings.max_trials
        )

    def _trials(self, configs: Sequence[TrialConfig]) -> list[TrialRecord]:
        """Trials from the store, trained where it lacks them."""
        trials = []
        for together in [configs] if self._search.spread > 1 else [[config] for config in configs]:
            missing = [config for config in together if self._store.get(TrialRecord, config.key) is None]
            for _ in range(len(together) - len(missing)):
                self._progress.on_stored_trial()
            if missing:
                self._train(missing)
            for config in together:
                trial = self._store.get(TrialRecord, config.key)
                assert trial is not None
                trials.append(trial)
                self._progress.on_evaluation(config.num_train_sequences)
        self._change(wall_time_s=self._record.wall_time_s + sum(trial.wall_time_s for trial in trials))
        return trials

    def _trial_config(self, size: int, learning_rate: float, seed: int) -> TrialConfig:
        config = self._search.trial_config(self._config.experiment, size, learning_rate, seed)
        return replace(config, options={**config.options, **self._settings.trial_options(seed)})

    def _stored_trials(self) -> dict[float, list[TrialRecord]]:
        """All trials that the curve could have asked for, by their learning rate."""
        found: dict[float, list[TrialRecord]] = {}
        for trial in self._store.all(TrialRecord):
            rate, size = trial.config.learning_rate, trial.config.num_train_sequences
            is_asked_for = rate in self._config.search.learning_rates and size <= self._record.max_size
            if is_asked_for and trial.config == self._trial_config(size, rate, trial.config.seed):
                found.setdefault(rate, []).append(trial)
        return found

    def _early_stops(self, rate: float) -> Iterator[int]:
        """The sizes at which a search stopped at its first success, and of whose grid the store lacks trials."""
        for search in self._store.all(SearchRecord):
            settings = search.config.settings
            config = settings.trial_config(search.config.experiment, 1, rate, 0)
            if config == self._trial_config(1, rate, 0) and rate in settings.learning_rates:
                num_configurations = len(settings.grid())
                for evaluation in search.evaluations:
                    size = evaluation.size
                    is_early = evaluation.succeeded and len(evaluation.trials) < num_configurations
                    if is_early and size <= self._record.max_size and self._lacks(size, rate, settings.seeds):
                        yield size

    def _lacks(self, size: int, rate: float, seeds: Iterable[int]) -> bool:
        keys = (self._trial_config(size, rate, seed).key for seed in seeds)
        return any(self._store.get(TrialRecord, key) is None for key in keys)

    def _change(self, **changes: object) -> None:
        self._record = replace(self._record, **changes)  # type: ignore[arg-type]

    def _put(self, **changes: object) -> None:
        """Change the record, and keep its new state."""
        self._change(**changes, updated_at=datetime.now(timezone.utc).isoformat(timespec="seconds"))
        self._store.add(self._record)


def _best_rate(by_rate: dict[float, list[TrialRecord]]) -> float:
    """The learning rate that succeeds most at the largest size, then with the fewest steps, then with the lowest loss.

    A trial that fails counts as its whole budget of steps: one that diverges early is not a fast one.

    Args:
        by_rate: trials of each rate, at least one; sizes may vary.
    """
    largest = max(trial.config.num_train_sequences for trials in by_rate.values() for trial in trials)

    def rank(rate: float) -> tuple[float, float, float]:
        trials = [trial for trial in by_rate[rate] if trial.config.num_train_sequences == largest]
        if not trials:
            return 0.0, -math.inf, -math.inf
        steps = [trial.num_steps if trial.succeeded else trial.config.max_steps for trial in trials]
        losses = [math.inf if trial.best_val_loss is None else trial.best_val_loss for trial in trials]
        return fmean(trial.succeeded for trial in trials), -fmean(steps), -fmean(losses)

    return max(by_rate, key=rank)


def _curve_trial(trial: TrialRecord) -> CurveTrial:
    return CurveTrial(trial.config.num_train_sequences, trial.succeeded, trial.num_steps, trial.key)


def _observations(trials: Iterable[CurveTrial]) -> list[Observation]:
    return [Observation(trial.size, trial.succeeded, trial.num_steps) for trial in trials]


def _estimate(posterior: Posterior) -> CurveEstimate:
    return CurveEstimate(
        n50=_sizes(posterior.n50),
        n90=_sizes(posterior.n90),
        best_of_15=_sizes(posterior.best_of(BEST_OF)),
        spread=Bounds(*posterior.spread),
        ceiling=Bounds(*posterior.ceiling),
        probability_above=min(posterior.probability_above, 1.0),
        points=[CurvePoint(size, Bounds(*posterior.chance(size))) for size in posterior.curve.sizes],
    )


def _sizes(interval: Interval) -> Sizes:
    return Sizes(*(size if math.isfinite(size) else None for size in interval))
