"""N*, the minimal training set size, by the paper's search.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ib_bench.quantities.logged_run import LoggedRun, run_config
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import Record, experiment_text

if TYPE_CHECKING:
    from ib_bench.quantities.job import Job


class SearchQuantity(Quantity[SearchRecord]):
    """N* of one experiment."""

    name: ClassVar[str] = "search"
    job_type: ClassVar[str] = "search"
    title: ClassVar[str] = "N*"
    summary: ClassVar[str] = "find N*, the smallest training set with which a model learns a task"
    record: ClassVar[type[Record] | None] = SearchRecord
    sections: ClassVar[Mapping[str, type]] = {"search": SearchSettings}

    def jobs(self, request: Request) -> list[Job[Any]]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.search.job import SearchJob  # noqa: PLC0415 (loads torch)

        return [SearchJob.of(request)]

    def result(self, records: Sequence[Record]) -> SearchRecord:
        """See :class:`Quantity`."""
        (record,) = records
        assert isinstance(record, SearchRecord)
        return record

    def results(self, records: Records) -> list[SearchRecord]:
        """See :class:`Quantity`."""
        return records.finished(SearchRecord)

    def logged(self, result: SearchRecord, records: Records) -> LoggedRun:
        """See :class:`Quantity`: a step for each evaluated size, a table of trials, N* in the summary."""
        return LoggedRun(
            run_id=result.key,
            name=experiment_text(result.labels),
            config=run_config(result.labels, result.config),
            step_metric="evaluation",
            metrics="search/*",
            steps=[
                {
                    "evaluation": number,
                    "search/size": evaluation.size,
                    "search/succeeded": int(evaluation.succeeded),
                    "search/best_val_loss": evaluation.best_val_loss,
                    "search/largest_failing_size": evaluation.bracket[0],
                    "search/smallest_succeeding_size": evaluation.bracket[1],
                }
                for number, evaluation in enumerate(result.evaluations, start=1)
            ],
            summary=_summary(result),
            tables={"trials": [_trial_row(trial) for trial in records.trials_of(result)]} if result.finished else {},
        )


def _summary(record: SearchRecord) -> Json:
    # A censored N* is a metric of its own, so that a chart of N* never shows a bound as a number.
    bound = {"min_train_size_is_above": record.max_size} if record.censored else {}
    return {
        "status": record.status,
        "min_train_size": record.min_train_size,
        "bracket": list(record.bracket),
        "censored": record.censored,
        "max_size": record.max_size,
        "num_trials": record.num_trials,
        "wall_time_s": record.wall_time_s,
        **bound,
    }


def _trial_row(trial: Any) -> Json:
    return {
        "size": trial.config.num_train_sequences,
        "learning_rate": trial.config.learning_rate,
        "seed": trial.config.seed,
        "status": trial.status,
        "num_steps": trial.num_steps,
        "best_val_loss": trial.best_val_loss,
        "best_step": trial.best_step,
        "wall_time_s": trial.wall_time_s,
    }


QUANTITY = SearchQuantity()
