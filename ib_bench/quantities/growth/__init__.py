"""How N50 and N* grow with the maximal length and the number of states."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

from ib_bench.drawing.columns import Column, summary
from ib_bench.quantities.curve.record import BISECTION_OPTIONS, CurveRecord, CurveSettings
from ib_bench.quantities.growth.record import Growth, GrowthSettings, growth_of, growths
from ib_bench.quantities.growth.tables import COLUMNS, GROWTH_NOTE, growth_table, labels_text, points_text
from ib_bench.quantities.logged_run import LoggedRun, run_config
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import Record

if TYPE_CHECKING:
    from ib_bench.drawing.figure import Figure
    from ib_bench.drawing.study import Study
    from ib_bench.drawing.tables import StudyTable
    from ib_bench.quantities.job import Job


class GrowthQuantity(Quantity[Growth]):
    """Slopes of log N, derived from success curves and searches."""

    name: ClassVar[str] = "growth"
    job_type: ClassVar[str] = "growth"
    title: ClassVar[str] = "growth"
    caption: ClassVar[str] = "how N50 and N* grow with L and the number of states"
    summary: ClassVar[str] = "measure how N50 grows with the length or number of states"
    note: ClassVar[str] = GROWTH_NOTE
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS
    has_many_jobs: ClassVar[bool] = True
    sections: ClassVar[Mapping[str, type]] = {
        "search": SearchSettings,
        "curve": CurveSettings,
        "growth": GrowthSettings,
    }
    unused: ClassVar[Sequence[str]] = BISECTION_OPTIONS

    def jobs(self, request: Request) -> list[Job[Any]]:
        """See :class:`Quantity`: a success curve for each cell."""
        from ib_bench.quantities.growth.jobs import growth_jobs  # noqa: PLC0415 (loads torch)

        return list(growth_jobs(request))

    def result(self, records: Sequence[Record]) -> Growth:
        """See :class:`Quantity`."""
        return growth_of(cast("Sequence[CurveRecord]", records))

    def results(self, records: Records) -> list[Growth]:
        """See :class:`Quantity`: every series that records hold."""
        return records.derived(growths)

    def run_id(self, result: Growth) -> str:
        """See :class:`Quantity`: it depends on the cells, so a longer series has a run of its own."""
        parts = [result.argument, *([cell.record.key for cell in own] for own in result.series)]
        return hashlib.sha256(f"growth/{json.dumps(parts)}".encode()).hexdigest()[:32]

    def logged(self, result: Growth, records: Records) -> LoggedRun:
        """See :class:`Quantity`: a step for each cell, the slopes in the summary."""
        steps: list[Json] = []
        for number, cell in enumerate(result.cells, start=1):
            size = _median(cell.record)
            measured = {} if size is None else {"growth/size": size}
            steps.append({"cell": number, "growth/x": cell.x, **measured})
        return LoggedRun(
            run_id=self.run_id(result),
            name=f"growth {result.labels.model} {labels_text(result.labels)} {points_text(result)}",
            config=run_config(result.labels, result.config),
            step_metric="cell",
            metrics="growth/*",
            steps=steps,
            summary={"status": "finished", **summary(result, COLUMNS)},
        )

    def options(self, result: Growth) -> list[str] | None:
        """See :class:`Quantity`: the series; no command measures a slope of N*, or one that several series share."""
        data = [cell.record.config.experiment.data for cell in result.cells]
        values = [one.init_args.get(result.argument) for one in data]  # a default is not named
        if result.is_pooled or result.measure != "N50" or None in values:
            return None
        return ["--growth.argument", result.argument, "--growth.values", json.dumps(values)]

    def sentence(self, study: Study) -> str:
        """See :class:`Quantity`."""
        from ib_bench.quantities.growth.sentence import sentence  # noqa: PLC0415 (for reports alone)

        return sentence(study)

    def tables(self, study: Study) -> list[StudyTable]:
        """See :class:`Quantity`."""
        return [growth_table(study.shown(Growth))]

    def figures(self, study: Study) -> list[Figure]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.growth.figures import figures  # noqa: PLC0415 (loads Altair)

        return figures(study)


def _median(record: Record) -> float | None:
    """N50 or N* of a cell; None where it is only a bound."""
    if isinstance(record, CurveRecord):
        return None if record.estimate is None else record.estimate.n50.median
    return getattr(record, "min_train_size", None)


QUANTITY = GrowthQuantity()
