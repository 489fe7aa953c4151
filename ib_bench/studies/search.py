"""The minimal training set size N* of one experiment.

A size succeeds if at least one configuration of the grid, learning rates x seeds, reaches a validation loss below the
threshold within the step budget. The search stops looking at a size at its first success, and tries first what
succeeded last: neither can change a verdict.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime, timezone
from itertools import product
from typing import Literal

from ib_bench.errors import BenchError, require
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Evaluation, Experiment, Json, SearchConfig, SearchRecord, TrialConfig, TrialRecord
from ib_bench.studies.bisection import Bisection, Midpoint

TrialFunction = Callable[[TrialConfig], TrialRecord]
GridFunction = Callable[[list[TrialConfig]], list[TrialRecord]]
Choice = bool | Literal["auto"]

_PLACEMENT = ("spread",)
_OPTIONS = ("vectorize", "compile", "futility")


@dataclass(frozen=True)
class SearchSettings:
    """How N* is searched for; the defaults are the paper's protocol.

    Args:
        learning_rates: of the grid, each above 0.
        seeds: of the grid, each in 0..2^32-1.
        threshold: validation loss below which a trial succeeds (epsilon), in nats, above 0.
        max_steps: optimizer steps of a trial at most, at least 1.
        max_size: largest training set (N_max), at least 1; the training pool, if that is smaller.
        multiplier: the size is divided by it while nothing has failed (M), at least 2.
        max_evaluations: sizes that are tried at most (S), at least 1.
        midpoint: where a bracket is cut: at the arithmetic or the geometric mean of its ends.
        relative_tolerance: stop once the bracket is no wider than this share of its upper end, in [0, 1).
        exhaustive: train the whole grid at every size, also after a success.
        val_check_interval: optimizer steps between validations; null chooses by the sizes of the data so that
            validation costs at most a tenth of the training.
        num_threads: CPU threads of each training, at least 1.
        vectorize: train the grid of a size as one stacked model; ``auto`` does on GPUs.
        compile: compile training steps (``torch.compile``); ``auto`` does where that repays itself.
        futility: end a trial after this share of its budget, in (0, 1), if the second half of its steps so far brought
            no progress; null never does. This can change a verdict: ``ib-bench bench futility`` says how often.
        spread: configurations of a size that are trained at once, in worker processes of this machine, at least 1; says
            where trainings run and is no part of what identifies a search.

    Raises:
        InvalidOptionError: a value outside its range.

    Reference: arXiv 2602.18333, section 4.
    """

    learning_rates: list[float] = field(default_factory=lambda: [1e-3, 1e-4, 1e-5])
    seeds: list[int] = field(default_factory=lambda: [10, 20, 30, 40, 50])
    threshold: float = 1e-4
    max_steps: int = 250_000
    max_size: int = 16_000_000
    multiplier: int = 1000
    max_evaluations: int = 20
    midpoint: Midpoint = "arithmetic"
    relative_tolerance: float = 0.0
    exhaustive: bool = False
    val_check_interval: int | None = None
    num_threads: int = 1
    vectorize: Choice = False
    compile: Choice = False
    futility: float | None = None
    spread: int = 1

    def __post_init__(self) -> None:
        rates, seeds, interval = self.learning_rates, self.seeds, self.val_check_interval
        distinct = "a list of at least one number, none twice, each "
        positive = all(0 < rate < math.inf for rate in rates)
        require(_is_grid(rates) and positive, "search.learning_rates", rates, distinct + "finite and above 0")
        in_range = all(0 <= seed < 2**32 for seed in seeds)
        require(_is_grid(seeds) and in_range, "search.seeds", seeds, distinct + "in 0..2^32-1")
        require(0 < self.threshold < math.inf, "search.threshold", self.threshold, "a finite number above 0")
        for name in ("max_steps", "max_size", "max_evaluations", "num_threads", "spread"):
            require(getattr(self, name) >= 1, f"search.{name}", getattr(self, name), "an integer of at least 1")
        require(self.multiplier >= 2, "search.multiplier", self.multiplier, "an integer of at least 2")
        tolerance = self.relative_tolerance
        require(0 <= tolerance < 1, "search.relative_tolerance", tolerance, "a number in [0, 1)")
        require(interval is None or interval >= 1, "search.val_check_interval", interval, "null or at least 1")
        stacked = self.vectorize is True
        require(not stacked or self.spread == 1, "search.spread", self.spread, "1 where search.vectorize is true")
        share = self.futility
        require(share is None or 0 < share < 1, "search.futility", share, "null or a number in (0, 1)")

    def to_json(self) -> Json:
        """The settings as plain data; what departs from the protocol in the way of training is there only if it does.

        So that a search by the protocol has one key, whatever options there come to be.
        """
        defaults = {option.name: option.default for option in fields(self) if option.name in _OPTIONS}
        kept = {name: value for name, value in asdict(self).items() if name not in _PLACEMENT}
        return {name: value for name, value in kept.items() if name not in defaults or value != defaults[name]}

    def trial_options(self) -> Json:
        """How trials depart from the plain protocol, see :class:`~ib_bench.results.records.TrialConfig`."""
        options = {name: getattr(self, name) for name in ("compile", "futility")}
        given = {name: value for name, value in options.items() if value and value != "auto"}
        if self.vectorize is True:  # members share the random numbers of dropout: who else is there matters
            given["stack"] = {"learning_rates": self.learning_rates, "seeds": self.seeds}
        return given

    def grid(self) -> list[tuple[float, int]]:
        """The configurations (learning rate, seed), in the order in which they are tried."""
        return list(product(self.learning_rates, self.seeds))

    def bisection(self, max_size: int) -> Bisection:
        """The rule by which sizes are chosen, from ``max_size`` downwards."""
        return Bisection(max_size, self.multiplier, self.max_evaluations, self.midpoint, self.relative_tolerance)


class SearchListener:
    """Is told what happens during a search; this one does nothing about it."""

    def on_start(self, record: SearchRecord) -> None:
        """The search begins, or goes on."""

    def on_trial_start(self, config: TrialConfig) -> None:
        """A trial is about to be trained."""

    def on_trial_end(self, trial: TrialRecord, from_store: bool) -> None:
        """A trial has ended, or was found in the store."""

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """A size has been judged."""

    def on_end(self, record: SearchRecord) -> None:
        """The search has finished."""

    def on_failure(self, record: SearchRecord, error: BaseException) -> None:
        """The search ends without a verdict: something was raised, or the user interrupted."""


class Search:
    """A search for N*, whose trials are kept in a store.

    Args:
        experiment: what is trained on what.
        settings: how N* is searched for.
        pool_size: number of training sequences that exist; 0 where none can be held out to judge them by, so that N* is
            only known to be above 0.
        store: trials found there are not trained again.
        run_trial: trains.
        listeners: are told what happens.
        run_grid: trains all configurations of a size at once, and returns those trials that have ended; None trains
            them one after the other.
    """

    def __init__(
        self,
        experiment: Experiment,
        settings: SearchSettings,
        pool_size: int,
        store: RecordStore,
        run_trial: TrialFunction,
        listeners: list[SearchListener] | None = None,
        run_grid: GridFunction | None = None,
    ) -> None:
        self.experiment = experiment
        self.settings = settings
        self.config = search_config(experiment, settings)
        self.max_size = min(settings.max_size, pool_size)
        self._store = store
        self._run_trial = run_trial
        self._listeners = listeners or []
        self._run_grid = run_grid
        self._preferred: tuple[float, int] | None = None
        self._trials: list[TrialRecord] = []

    def run(self) -> SearchRecord:
        """Search, or return what the store says; every finished trial is kept, whatever happens."""
        done = finished_search(self._store, self.config.key)
        if done is not None:
            return done
        self._record = self._new_record("running", [], 0.0)
        self._store.put_search(self._record)
        self._tell("on_start", self._record)
        try:
            return self._search()
        except BaseException as error:
            status = "failed" if isinstance(error, Exception) else "running"  # an interrupted search goes on later
            reason = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
            self._record = replace(self._record, status=status, error=reason if status == "failed" else None)
            try:
                self._store.put_search(self._record)
            finally:  # also where the store is what has failed
                self._tell("on_failure", self._record, error)
            raise

    def _search(self) -> SearchRecord:
        """Size after size, each kept as soon as it is judged."""
        evaluations: list[Evaluation] = []
        bisection = self.settings.bisection(self.max_size)
        steps = bisection.run(self._succeeds) if self.max_size else iter(())
        for size, succeeded, bracket in steps:
            losses = [trial.best_val_loss for trial in self._trials if trial.best_val_loss is not None]
            keys = [trial.key for trial in self._trials]
            evaluation = Evaluation(size, succeeded, min(losses, default=None), bracket.as_tuple(), keys)
            evaluations.append(evaluation)
            wall_time_s = self._record.wall_time_s + sum(trial.wall_time_s for trial in self._trials)
            self._record = self._new_record("running", list(evaluations), wall_time_s)
            self._store.put_search(self._record)
            self._tell("on_evaluation", evaluation)
        self._record = replace(self._record, status="finished")
        self._store.put_search(self._record)
        self._tell("on_end", self._record)
        return self._record

    def _succeeds(self, size: int) -> bool:
        """Train the grid at one size, up to the first success unless all are wanted."""
        self._trials = []
        grid = sorted(self.settings.grid(), key=lambda configuration: configuration != self._preferred)
        if self._run_grid is not None:
            configs = [trial_config(self.experiment, self.settings, size, *point) for point in grid]
            return self._grid_succeeds(configs, self._run_grid)
        for learning_rate, seed in grid:
            trial = self._trial(size, learning_rate, seed)
            self._trials.append(trial)
            if trial.succeeded and not self.settings.exhaustive:
                self._preferred = (learning_rate, seed)
                return True
        return any(trial.succeeded for trial in self._trials)

    def _grid_succeeds(self, configs: list[TrialConfig], run_grid: GridFunction) -> bool:
        """Train all configurations at once, unless what the store holds of them decides already."""
        stored = [trial for trial in (self._store.trial(config.key) for config in configs) if trial is not None]
        if len(stored) == len(configs) or (any(map(_succeeded, stored)) and not self.settings.exhaustive):
            self._trials = stored
        else:
            for config in configs:
                self._tell("on_trial_start", config)
            self._trials = run_grid(configs)
            for trial in self._trials:
                self._store.add_trial(trial)
        for trial in self._trials:
            self._tell("on_trial_end", trial, self._trials is stored)
            if trial.succeeded and self.settings.vectorize is not True:  # a stack is always put up in the same order
                self._preferred = trial.config["learning_rate"], trial.config["seed"]
        return any(map(_succeeded, self._trials))

    def _trial(self, size: int, learning_rate: float, seed: int) -> TrialRecord:
        config = trial_config(self.experiment, self.settings, size, learning_rate, seed)
        trial = self._store.trial(config.key)
        from_store = trial is not None
        if trial is None:
            self._tell("on_trial_start", config)
            trial = self._run_trial(config)
            self._store.add_trial(trial)
        self._tell("on_trial_end", trial, from_store)
        return trial

    def _new_record(self, status: str, evaluations: list[Evaluation], wall_time_s: float) -> SearchRecord:
        return SearchRecord(
            key=self.config.key,
            config=self.config.to_json(),
            labels=self.experiment.labels(),
            status=status,
            max_size=self.max_size,
            evaluations=evaluations,
            wall_time_s=wall_time_s,
            updated_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        )

    def _tell(self, event: str, *arguments: object) -> None:
        for listener in self._listeners:
            getattr(listener, event)(*arguments)


def finished_search(store: RecordStore, key: str) -> SearchRecord | None:
    """The search with this key, if it has finished and all trials that it rests on are there."""
    record = store.search(key)
    is_done = record is not None and record.status == "finished" and store.has_trials(record.trials)
    return record if is_done else None


def search_config(experiment: Experiment, settings: SearchSettings) -> SearchConfig:
    """The config by whose key a search is stored."""
    return SearchConfig(experiment, settings.to_json())


def trial_config(
    experiment: Experiment, settings: SearchSettings, size: int, learning_rate: float, seed: int
) -> TrialConfig:
    """The config of one of a search's trials."""
    return TrialConfig(
        experiment=experiment,
        num_train_sequences=size,
        learning_rate=learning_rate,
        seed=seed,
        threshold=settings.threshold,
        max_steps=settings.max_steps,
        val_check_interval=settings.val_check_interval,
        num_threads=settings.num_threads,
        options=settings.trial_options(),
    )


def grid_configs(experiment: Experiment, settings: SearchSettings, size: int) -> list[TrialConfig]:
    """The configs of all trials of one size, in the order in which they are tried."""
    return [trial_config(experiment, settings, size, *point) for point in settings.grid()]


def _succeeded(trial: TrialRecord) -> bool:
    return trial.succeeded


def _is_grid(values: list[float] | list[int]) -> bool:
    return len(values) > 0 and len(set(values)) == len(values)
