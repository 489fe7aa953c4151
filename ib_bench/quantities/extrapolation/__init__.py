"""Length extrapolation: accuracy at multiples of the training length.

Reference: arXiv 2602.18333, section 5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from ib_bench.drawing.columns import Column, Table, flat_table, summary
from ib_bench.quantities.curve.record import BISECTION_OPTIONS
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord, ExtrapolationSettings
from ib_bench.quantities.extrapolation.tables import (
    ACCURACY_NOTE,
    COLUMNS,
    LENGTH_COLUMNS,
    accuracy_listing,
    extrapolation_table,
    measured,
)
from ib_bench.quantities.logged_run import LoggedRun, run_config
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import Record, experiment_text

if TYPE_CHECKING:
    from rich.console import Group

    from ib_bench.drawing.figure import Figure
    from ib_bench.drawing.study import Study
    from ib_bench.drawing.tables import StudyTable
    from ib_bench.quantities.job import Job


class ExtrapolationQuantity(Quantity[ExtrapolationRecord]):
    """Accuracy of one trained model at several lengths."""

    name: ClassVar[str] = "extrapolate"
    job_type: ClassVar[str] = "extrapolation"
    title: ClassVar[str] = "extrapolations"
    caption: ClassVar[str] = "length extrapolation"
    summary: ClassVar[str] = "measure accuracy at lengths beyond those of training"
    note: ClassVar[str] = ACCURACY_NOTE
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS
    record: ClassVar[type[Record] | None] = ExtrapolationRecord
    sections: ClassVar[Mapping[str, type]] = {"search": SearchSettings, "extrapolation": ExtrapolationSettings}
    unused: ClassVar[Sequence[str]] = tuple(name for name in BISECTION_OPTIONS if name != "search.seeds")
    stage: ClassVar[int] = 1  # after the searches, which train and keep the model that is wanted
    keeps_weights: ClassVar[bool] = True

    def jobs(self, request: Request) -> list[Job[Any]]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.extrapolation.job import ExtrapolationJob  # noqa: PLC0415 (loads torch)

        return [ExtrapolationJob.of(request)]

    def logged(self, result: ExtrapolationRecord, records: Records) -> LoggedRun:
        """See :class:`Quantity`: a step for each length, the accuracy at twice the training length in the summary."""
        return LoggedRun(
            run_id=result.key,
            name=f"extrapolation {experiment_text(result.labels)}",
            config=run_config(result.labels, result.config),
            step_metric="multiple",
            metrics="extrapolation/*",
            steps=[_step(result, length) for length in sorted({one.length for one in result.accuracies})],
            summary={"status": "finished", **summary(result, COLUMNS)},
        )

    def detail_json(self, result: ExtrapolationRecord) -> Json:
        """See :class:`Quantity`: with the accuracy at each length and position."""
        return {**super().detail_json(result), "accuracies": [asdict(accuracy) for accuracy in result.accuracies]}

    def detail(self, result: ExtrapolationRecord, notes: Iterable[str] = ()) -> Group:
        """See :class:`Quantity`: the accuracy at each length."""
        return accuracy_listing(result, notes)

    def exported(self, results: Iterable[ExtrapolationRecord]) -> Table:
        """See :class:`Quantity`: a row for each accuracy at a length."""
        return flat_table(measured(results), LENGTH_COLUMNS)

    def sentence(self, study: Study) -> str:
        """See :class:`Quantity`."""
        from ib_bench.quantities.extrapolation.sentence import sentence  # noqa: PLC0415 (for reports alone)

        return sentence(study)

    def tables(self, study: Study) -> list[StudyTable]:
        """See :class:`Quantity`: accuracy at twice the training length."""
        return [extrapolation_table(study.shown(ExtrapolationRecord))]

    def figures(self, study: Study) -> list[Figure]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.extrapolation.figures import figures  # noqa: PLC0415 (loads Altair)

        return figures(study)


def _step(record: ExtrapolationRecord, length: int) -> Json:
    headline = record.at(length)
    step: Json = {
        "multiple": length / record.max_length,
        "extrapolation/accuracy": None if headline is None else headline.normalized_final_state_accuracy,
    }
    for accuracy in record.accuracies:
        if accuracy.length == length:
            for name in ("normalized_final_state_accuracy", "normalized_token_accuracy"):
                step[f"extrapolation/{accuracy.mode}/{name}"] = getattr(accuracy, name)
    return step


QUANTITY = ExtrapolationQuantity()
