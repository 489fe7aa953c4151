"""The trials of one size: from the store, or trained.

A size is decided at its first success, and what succeeded last is tried first: neither can change a verdict.
"""

from __future__ import annotations

from collections.abc import Callable

from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.record_store import RecordStore
from ib_bench.results.trial_record import TrialConfig, TrialRecord

TrialFunction = Callable[[TrialConfig], TrialRecord]
GridFunction = Callable[[list[TrialConfig]], list[TrialRecord]]


class Grid:
    """Learning rates x seeds, whose trials are kept in a store.

    Args:
        settings: of the search.
        store: trials found there are not trained again.
        run_trial: trains.
        progress: receives every trial.
        run_grid: trains all configurations of a size at once, and returns those trials that have ended; None trains
            them one after the other.
    """

    def __init__(
        self,
        settings: SearchSettings,
        store: RecordStore,
        run_trial: TrialFunction,
        progress: ProgressReporter,
        run_grid: GridFunction | None = None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._run_trial = run_trial
        self._progress = progress
        self._run_grid = run_grid
        self._preferred: tuple[float, int] | None = None

    def trials(self, configs: list[TrialConfig]) -> list[TrialRecord]:
        """Train the grid at one size, up to the first success unless all trials are wanted.

        Args:
            configs: of the grid's points, of one size.
        """
        configs = sorted(configs, key=lambda config: (config.learning_rate, config.seed) != self._preferred)
        if self._run_grid is not None:
            return self._at_once(configs, self._run_grid)
        trials = []
        for config in configs:
            trials.append(self._trial(config))
            if trials[-1].succeeded and not self._settings.exhaustive:
                self._prefer(trials[-1])
                break
        return trials

    def _at_once(self, configs: list[TrialConfig], run_grid: GridFunction) -> list[TrialRecord]:
        """Train all configurations at once, unless the trials in the store decide already."""
        trials = [trial for config in configs if (trial := self._store.get(TrialRecord, config.key)) is not None]
        is_decided = any(trial.succeeded for trial in trials) and not self._settings.exhaustive
        if len(trials) == len(configs) or is_decided:
            for _ in trials:
                self._progress.on_stored_trial()
        else:
            for config in configs:
                self._progress.on_trial_start(config)
            trials = run_grid(configs)
            for trial in trials:
                self._store.add(trial)
        for trial in trials:
            if trial.succeeded:
                self._prefer(trial)
        return trials

    def _trial(self, config: TrialConfig) -> TrialRecord:
        trial = self._store.get(TrialRecord, config.key)
        if trial is not None:
            self._progress.on_stored_trial()
            return trial
        self._progress.on_trial_start(config)
        trial = self._run_trial(config)
        self._store.add(trial)
        return self._store.get(TrialRecord, config.key) or trial  # another process may have been the first

    def _prefer(self, trial: TrialRecord) -> None:
        self._preferred = trial.config.learning_rate, trial.config.seed
