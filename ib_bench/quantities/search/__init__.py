"""N*, the minimal training set size, by the paper's search.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ib_bench.drawing.columns import Column, json_row, listing, summary
from ib_bench.drawing.trial_columns import TRIAL_COLUMNS
from ib_bench.quantities.logged_run import LoggedRun, run_config
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.quantities.search.saturation import SaturationRecord
from ib_bench.quantities.search.tables import BRACKET_NOTE, COLUMNS, min_train_size_table
from ib_bench.results.archive import Records
from ib_bench.results.records import Record, experiment_text

if TYPE_CHECKING:
    from rich.console import Group

    from ib_bench.drawing.figure import Figure
    from ib_bench.drawing.study import Study
    from ib_bench.drawing.tables import StudyTable
    from ib_bench.quantities.job import Job


class SearchQuantity(Quantity[SearchRecord]):
    """N* of one experiment."""

    name: ClassVar[str] = "search"
    job_type: ClassVar[str] = "search"
    title: ClassVar[str] = "N*"
    caption: ClassVar[str] = "smallest training set that suffices (N*)"
    summary: ClassVar[str] = "find N*, the smallest training set that suffices"
    note: ClassVar[str] = BRACKET_NOTE
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS
    record: ClassVar[type[Record] | None] = SearchRecord
    other_records: ClassVar[Sequence[type[Record]]] = (SaturationRecord,)
    sections: ClassVar[Mapping[str, type]] = {"search": SearchSettings}
    keeps_weights: ClassVar[bool] = True

    def jobs(self, request: Request) -> list[Job[Any]]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.search.job import SearchJob  # noqa: PLC0415 (loads torch)

        return [SearchJob.of(request)]

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
            summary=summary(result, COLUMNS),
            tables={"trials": [json_row(trial, _LOGGED_OF_TRIALS) for trial in records.trials_of(result)]}
            if result.finished
            else {},
        )

    def detail(self, result: SearchRecord, notes: Iterable[str] = ()) -> Group:
        """See :class:`Quantity`."""
        return listing([result], COLUMNS, f"N*: {result.verdict}", "\n".join([BRACKET_NOTE, *notes]))

    def sentence(self, study: Study) -> str:
        """See :class:`Quantity`."""
        from ib_bench.quantities.search.sentence import sentence  # noqa: PLC0415 (for reports alone)

        return sentence(study)

    def tables(self, study: Study) -> list[StudyTable]:
        """See :class:`Quantity`: N* of everything that was searched for its own sake."""
        return [min_train_size_table(study.shown(SearchRecord))]

    def figures(self, study: Study) -> list[Figure]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.search.figures import figures  # noqa: PLC0415 (loads Altair)

        return figures(study)

    def overview(self, study: Study, name: str) -> Figure | None:
        """See :class:`Quantity`: N* for each regime and architecture."""
        from ib_bench.quantities.search.figures import min_train_size_figure  # noqa: PLC0415 (loads Altair)

        return min_train_size_figure(study, name)


_LOGGED_OF_TRIALS = [column for column in TRIAL_COLUMNS if column.title is not None and not column.is_label]


QUANTITY = SearchQuantity()
