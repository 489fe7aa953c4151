"""A search as one W&B run: a step per evaluated size, a table of trials, N* in the summary."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

import wandb

from ib_bench.results.records import Evaluation, SearchRecord, TrialRecord
from ib_bench.studies.search import SearchListener
from ib_bench.tracking.runs import close_run, open_run
from ib_bench.tracking.settings import WandbSettings

_TRIAL_COLUMNS: list[str | int] = [
    "size",
    "learning_rate",
    "seed",
    "status",
    "num_steps",
    "best_val_loss",
    "best_step",
    "wall_time_s",
]


Method = Callable[..., None]


def _store_comes_first(method: Method) -> Method:
    """Trouble with W&B is reported once and ends the logging, never the search."""

    @wraps(method)
    def guarded(self: WandbSearch, *arguments: Any) -> None:
        if self.gave_up:
            return
        try:
            method(self, *arguments)
        except Exception as error:
            self.gave_up = True
            warnings.warn(f"W&B failed, this search is no longer logged there: {error!r}", stacklevel=2)

    return guarded


class WandbSearch(SearchListener):
    """Logs one search to W&B.

    Args:
        settings: where to.
        group: name of the suite that the search belongs to, or None.

    Attributes:
        gave_up: whether W&B has failed.
    """

    def __init__(self, settings: WandbSettings, group: str | None = None) -> None:
        self._settings = settings
        self._group = group
        self.gave_up = False
        self._run: Any = None
        self._trials: list[list[Any]] = []
        self._num_evaluations = 0
        self._num_logged = 0

    @_store_comes_first
    def on_start(self, record: SearchRecord) -> None:
        """Open the run; its id is the search's key, so that a resumed search goes on in it."""
        labels = record.labels
        name = f"{labels['model']} {labels['task']} {labels['supervision']} L={labels['max_length']}"
        config = {**labels, **record.config}
        self._run = open_run(self._settings, "search", record.key, name, self._group, config)
        self._num_logged = int(self._run.summary.get("evaluation", 0)) if self._run.resumed else 0
        self._run.define_metric("evaluation", hidden=True)
        self._run.define_metric("search/*", step_metric="evaluation")
        self._run.summary["status"] = record.status

    @_store_comes_first
    def on_trial_end(self, trial: TrialRecord, from_store: bool) -> None:
        """Note a row of the table of trials."""
        values = {**trial.config, **vars(trial), "size": trial.config["num_train_sequences"]}
        self._trials.append([values[str(column)] for column in _TRIAL_COLUMNS])

    @_store_comes_first
    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Log a step."""
        self._num_evaluations += 1
        if self._num_evaluations <= self._num_logged:
            return  # before the search was interrupted
        failing, succeeding = evaluation.bracket
        self._run.log(
            {
                "evaluation": self._num_evaluations,
                "search/size": evaluation.size,
                "search/succeeded": int(evaluation.succeeded),
                "search/best_val_loss": evaluation.best_val_loss,
                "search/largest_failing_size": failing,
                "search/smallest_succeeding_size": succeeding,
            }
        )

    @_store_comes_first
    def on_end(self, record: SearchRecord) -> None:
        """Log the table and the summary, and close the run."""
        self._run.log({"trials": wandb.Table(columns=_TRIAL_COLUMNS, data=self._trials)})
        self._run.summary.update(_summary(record))
        close_run(self._run, self._settings, record.key)

    @_store_comes_first
    def on_failure(self, record: SearchRecord, error: BaseException) -> None:
        """Say that there is no verdict, and close the run, so that the next search gets one of its own."""
        interrupted = isinstance(error, KeyboardInterrupt)
        self._run.summary.update({**_summary(record), "status": "interrupted" if interrupted else "failed"})
        self._run.finish(exit_code=1)


def _summary(record: SearchRecord) -> dict[str, Any]:
    summary = record.summary()
    shown = ("status", "min_train_size", "bracket", "censored", "max_size", "num_trials", "wall_time_s")
    # A censored N* is a metric of its own, so that a chart of N* never takes a bound for a number.
    bound = {"min_train_size_is_above": record.max_size} if record.censored else {}
    return {**{name: summary[name] for name in shown}, **bound}
