"""A made-up quantity that ib_bench knows nothing of: the optimizer steps of one trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ib_bench.drawing.columns import CHOICES, LABELS, Column, summary
from ib_bench.quantities.logged_run import LoggedRun, run_config
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.records import Record, experiment_text
from steps_needed.record import StepsRecord, StepsSettings

if TYPE_CHECKING:
    from ib_bench.drawing.figure import Figure
    from ib_bench.drawing.study import Study
    from ib_bench.drawing.tables import StudyTable
    from ib_bench.quantities.job import Job


class StepsQuantity(Quantity[StepsRecord]):
    """The steps of one trial."""

    name: ClassVar[str] = "steps"
    job_type: ClassVar[str] = "count"
    title: ClassVar[str] = "steps"
    caption: ClassVar[str] = "steps until training ends"
    summary: ClassVar[str] = "count the optimizer steps of one trial"
    columns: ClassVar[Sequence[Column[Any]]] = (
        *LABELS,
        Column("num_steps", lambda record: record.num_steps, "steps", "{:,}".format),
        *CHOICES,
    )
    record: ClassVar[type[Record] | None] = StepsRecord
    sections: ClassVar[Mapping[str, type]] = {"search": SearchSettings, "steps": StepsSettings}

    def jobs(self, request: Request) -> list[Job[Any]]:
        from steps_needed.job import StepsJob  # noqa: PLC0415 (loads torch)

        settings = request.settings
        return [
            StepsJob(request.experiment, settings["search"], settings["steps"], request.num_states, request.placement)
        ]

    def logged(self, result: StepsRecord, records: Records) -> LoggedRun:
        return LoggedRun(
            run_id=result.key,
            name=f"steps {experiment_text(result.labels)}",
            config=run_config(result.labels, result.config),
            step_metric="trial",
            metrics="steps/*",
            steps=[{"trial": 1, "steps/num_steps": result.num_steps}],
            summary=summary(result, self.columns),
        )

    def tables(self, study: Study) -> list[StudyTable]:
        from ib_bench.drawing.tables import Entry, pivot  # noqa: PLC0415 (only for reports)

        def entry(record: StepsRecord) -> Entry:
            return Entry(str(record.num_steps), record.num_steps, record.key)

        return [pivot("steps", "Steps", "of one trial", study.shown(StepsRecord), entry)]

    def figures(self, study: Study) -> list[Figure]:
        from ib_bench.drawing.figure import Figure  # noqa: PLC0415 (only for reports)

        rows = [{"steps": one.result.num_steps, "model": one.label.model} for one in study.shown(StepsRecord)]
        encoding = {"x": {"field": "model"}, "y": {"field": "steps", "type": "quantitative"}}
        return [Figure("steps", "Steps", {"mark": "bar", "data": {"values": rows}, "encoding": encoding})]


QUANTITY = StepsQuantity()
