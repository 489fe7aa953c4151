"""The minimal training set size N* of one experiment.

A size succeeds if at least one configuration of the grid, learning rates x seeds, reaches a validation loss below the
threshold within the step budget.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from ib_bench.errors import BenchError
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.grid import Grid, GridFunction, TrialFunction
from ib_bench.quantities.search.record import Evaluation, SearchConfig, SearchRecord, SearchSettings, SearchStatus
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Experiment
from ib_bench.results.trial_record import TrialRecord


class Search:
    """A search for N*, whose trials are kept in a store.

    Args:
        experiment: what is trained on what.
        settings: how N* is searched for.
        pool_size: number of training sequences that exist; 0 if none can be held out to judge them by, so that N* is
            only known to be above 0.
        num_states: number of the task's states.
        store: trials found there are not trained again; every new state of the search is put there.
        run_trial: trains.
        progress: receives how far the search is.
        run_grid: trains all configurations of a size at once, and returns those trials that have ended; None trains
            them one after the other.
    """

    def __init__(
        self,
        experiment: Experiment,
        settings: SearchSettings,
        pool_size: int,
        num_states: int | None,
        store: RecordStore,
        run_trial: TrialFunction,
        progress: ProgressReporter,
        run_grid: GridFunction | None = None,
    ) -> None:
        self.experiment = experiment
        self.settings = settings
        self.config = SearchConfig(experiment, settings)
        self.max_size = min(settings.max_size, pool_size)
        self.num_states = num_states
        self._store = store
        self._progress = progress
        self._grid = Grid(settings, store, run_trial, progress, run_grid)
        self._trials: list[TrialRecord] = []

    def run(self) -> SearchRecord:
        """Search, or return what the store holds; every finished trial is kept, even after an error."""
        done = self._store.finished(SearchRecord, self.config.key)
        if done is not None:
            self._progress.finish(done.in_short)
            return done
        self._record = self._new_record("running", [], 0.0)
        self._store.add(self._record)
        try:
            return self._search()
        except BaseException as error:
            if isinstance(error, Exception):  # an interrupted search continues later
                reason = str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
                self._store.add(replace(self._record, status="failed", error=reason))
            raise

    def _search(self) -> SearchRecord:
        """Size after size, each kept as soon as it is judged."""
        evaluations: list[Evaluation] = []
        bisection = self.settings.bisection(self.max_size)
        steps = bisection.run(self._succeeds) if self.max_size else iter(())
        for size, succeeded, bracket in steps:
            losses = [trial.best_val_loss for trial in self._trials if trial.best_val_loss is not None]
            keys = [trial.key for trial in self._trials]
            evaluations.append(Evaluation(size, succeeded, min(losses, default=None), bracket.as_tuple(), keys))
            wall_time_s = self._record.wall_time_s + sum(trial.wall_time_s for trial in self._trials)
            self._record = self._new_record("running", list(evaluations), wall_time_s)
            self._store.add(self._record)
            self._progress.on_evaluation(size)
        self._record = replace(self._record, status="finished")
        self._store.add(self._record)
        self._progress.finish(self._record.in_short)
        return self._record

    def _succeeds(self, size: int) -> bool:
        self._trials = self._grid.trials(self.settings.grid_configs(self.experiment, size))
        return any(trial.succeeded for trial in self._trials)

    def _new_record(self, status: SearchStatus, evaluations: list[Evaluation], wall_time_s: float) -> SearchRecord:
        return SearchRecord(
            key=self.config.key,
            config=self.config,
            status=status,
            max_size=self.max_size,
            evaluations=evaluations,
            wall_time_s=wall_time_s,
            updated_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            num_states=self.num_states,
        )
