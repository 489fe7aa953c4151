"""The success curve: how likely one training run succeeds at each size, and N50 with its interval."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ib_bench.drawing.columns import Column, json_row, summary
from ib_bench.drawing.trial_columns import TRIAL_COLUMNS
from ib_bench.quantities.curve.record import BISECTION_OPTIONS, CurveRecord, CurveSettings, Sizes
from ib_bench.quantities.curve.tables import (
    COLUMNS,
    CURVE_NOTE,
    curve_listing,
    curve_table,
    curves_listing,
    thresholds_table,
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


class CurveQuantity(Quantity[CurveRecord]):
    """The success curve of one experiment."""

    name: ClassVar[str] = "curve"
    job_type: ClassVar[str] = "curve"
    title: ClassVar[str] = "N50"
    caption: ClassVar[str] = "size at which half of the training runs succeed (N50)"
    summary: ClassVar[str] = "measure N50: the size at which half of the runs succeed"
    note: ClassVar[str] = CURVE_NOTE
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS
    record: ClassVar[type[Record] | None] = CurveRecord
    sections: ClassVar[Mapping[str, type]] = {"search": SearchSettings, "curve": CurveSettings}
    unused: ClassVar[Sequence[str]] = BISECTION_OPTIONS

    def jobs(self, request: Request) -> list[Job[Any]]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.curve.job import CurveJob  # noqa: PLC0415 (loads torch)

        return [CurveJob.of(request)]

    def results(self, records: Records) -> list[CurveRecord]:
        """See :class:`Quantity`; those of an earlier version with what they lack, out of their trials."""
        from ib_bench.quantities.curve.thresholds import completed  # noqa: PLC0415 (loads numpy)

        return [completed(record, records) for record in records.finished(CurveRecord)]

    def logged(self, result: CurveRecord, records: Records) -> LoggedRun:
        """See :class:`Quantity`: a step for each trial of the curve, with N50 so far; N50 in the summary."""
        return LoggedRun(
            run_id=result.key,
            name=f"curve {experiment_text(result.labels)}",
            config=run_config(result.labels, result.config),
            step_metric="trial",
            metrics="curve/*",
            steps=_steps(result),
            summary=summary(result, COLUMNS),
            tables={"trials": [json_row(trial, _LOGGED_OF_TRIALS) for trial in records.trials_of(result)]}
            if result.finished
            else {},
        )

    def listing(self, results: Sequence[CurveRecord], title: str, notes: Iterable[str] = ()) -> Group:
        """See :class:`Quantity`."""
        return curves_listing(results, title, notes)

    def detail(self, result: CurveRecord, notes: Iterable[str] = ()) -> Group:
        """See :class:`Quantity`: N50, and the curve."""
        return curve_listing(result, notes)

    def sentence(self, study: Study) -> str:
        """See :class:`Quantity`."""
        from ib_bench.quantities.curve.sentence import sentence  # noqa: PLC0415 (for reports alone)

        return sentence(study)

    def band(self, result: CurveRecord) -> list[tuple[int, float, float, float]]:
        """See :class:`Quantity`."""
        points = [] if result.estimate is None else result.estimate.points
        return [(point.size, point.chance.low, point.chance.median, point.chance.high) for point in points]

    def shares(self, result: CurveRecord) -> list[tuple[int, int, int]]:
        """See :class:`Quantity`: without those of a pilot and saturated ones."""
        return [(size, *counts) for size, counts in result.successes().items()]

    def tables(self, study: Study) -> list[StudyTable]:
        """See :class:`Quantity`: N50, and N50 at other thresholds."""
        return [curve_table(study.shown(CurveRecord)), thresholds_table(study.shown(CurveRecord))]

    def figures(self, study: Study) -> list[Figure]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.curve.figures import figures  # noqa: PLC0415 (loads Altair)

        return figures(study)

    def overview(self, study: Study, name: str) -> Figure | None:
        """See :class:`Quantity`: N50 for each regime and architecture, of at least two curves."""
        from ib_bench.quantities.curve.figures import n50_figure  # noqa: PLC0415 (loads Altair)

        return n50_figure(study, name)


_LOGGED_OF_TRIALS = [column for column in TRIAL_COLUMNS if column.title is not None and not column.is_label]


def _steps(record: CurveRecord) -> list[Json]:
    steps = []
    for number, trial in enumerate(record.curve_trials, start=1):
        step: Json = {
            "trial": number,
            "curve/size": trial.size,
            "curve/succeeded": int(trial.succeeded),
            "curve/num_steps": trial.num_steps,
        }
        n50 = trial.n50 or Sizes(None, None, None)
        named = {"curve/n50": n50.median, "curve/n50_low": n50.low, "curve/n50_high": n50.high}
        steps.append({**step, **{name: size for name, size in named.items() if size is not None}})
    return steps


QUANTITY = CurveQuantity()
