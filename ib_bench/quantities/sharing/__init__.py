"""Kappa, the sharing factor: how much of what is learned at one length serves at the others.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ib_bench.drawing.columns import Column, json_row, summary
from ib_bench.quantities.logged_run import LoggedRun, run_config
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.quantities.search.tables import COLUMNS as SEARCH_COLUMNS
from ib_bench.quantities.sharing.record import JOINT, Sharing, sharings
from ib_bench.quantities.sharing.tables import COLUMNS, KAPPA_NOTE, kappa_table, parts_table, sharing_listing
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import Record, experiment_text

if TYPE_CHECKING:
    from rich.console import Group

    from ib_bench.drawing.figure import Figure
    from ib_bench.drawing.study import Study
    from ib_bench.drawing.tables import StudyTable
    from ib_bench.quantities.job import Job


class SharingQuantity(Quantity[Sharing]):
    """Kappa of one experiment, derived from searches."""

    name: ClassVar[str] = "sharing"
    job_type: ClassVar[str] = "sharing"
    title: ClassVar[str] = "kappa"
    caption: ClassVar[str] = "sharing factor (kappa)"
    summary: ClassVar[str] = "measure the sharing factor kappa: N* at each length alone against all lengths together"
    note: ClassVar[str] = KAPPA_NOTE
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS
    has_many_jobs: ClassVar[bool] = True
    keeps_weights: ClassVar[bool] = True
    sections: ClassVar[dict[str, type]] = {"search": SearchSettings}

    def accepts(self, data_arguments: Json) -> bool:
        """See :class:`Quantity`: all length distributions of a suite have one kappa, which is at ``uniform``."""
        return bool(data_arguments.get("length_distribution", JOINT) == JOINT)

    def jobs(self, request: Request) -> list[Job[Any]]:
        """See :class:`Quantity`: the search over all lengths, then the search at each length alone."""
        from ib_bench.quantities.sharing.jobs import sharing_jobs  # noqa: PLC0415 (loads torch)

        return list(sharing_jobs(request))

    def result(self, records: Sequence[Record]) -> Sharing:
        """See :class:`Quantity`."""
        joint, *parts = (record for record in records if isinstance(record, SearchRecord))
        return Sharing(joint, {int(part.labels.max_length or 0): part for part in parts})

    def results(self, records: Records) -> list[Sharing]:
        """See :class:`Quantity`."""
        return sharings(records.of(SearchRecord))

    def run_id(self, result: Sharing) -> str:
        """See :class:`Quantity`: another one than that of the search over all lengths."""
        return hashlib.sha256(f"sharing/{result.key}".encode()).hexdigest()[:32]

    def logged(self, result: Sharing, records: Records) -> LoggedRun:
        """See :class:`Quantity`: a step for each length alone, kappa in the summary."""
        steps = []
        for length, part in result.parts.items():
            step: Json = {
                "length": length,
                "sharing/max_size": part.max_size,
                "sharing/censored": int(part.censored),
            }
            if part.min_train_size is not None:
                step["sharing/min_train_size"] = part.min_train_size
            steps.append(step)
        return LoggedRun(
            run_id=self.run_id(result),
            name=f"kappa {experiment_text(result.labels)}",
            config=run_config(result.labels, result.config),
            step_metric="length",
            metrics="sharing/*",
            steps=steps,
            summary={"status": "finished", **summary(result, COLUMNS)},
        )

    def detail_json(self, result: Sharing) -> Json:
        """See :class:`Quantity`: with everything about the searches that it rests on."""
        searches = {str(length): json_row(part, SEARCH_COLUMNS) for length, part in result.parts.items()}
        return {**super().detail_json(result), "joint": json_row(result.joint, SEARCH_COLUMNS), "parts": searches}

    def detail(self, result: Sharing, notes: Iterable[str] = ()) -> Group:
        """See :class:`Quantity`: kappa, with the searches that it rests on."""
        return sharing_listing(result, notes)

    def tables(self, study: Study) -> list[StudyTable]:
        """See :class:`Quantity`: kappa, and its parts."""
        shown = study.shown(Sharing)
        return [kappa_table(shown), parts_table(shown)]

    def figures(self, study: Study) -> list[Figure]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.sharing.figures import figures  # noqa: PLC0415 (loads Altair)

        return figures(study)


QUANTITY = SharingQuantity()
