"""Kappa, the sharing factor: how much of what is learned at one length serves at the others.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from ib_bench.drawing.columns import Column, json_row, listing, summary
from ib_bench.drawing.labels import setting_texts
from ib_bench.quantities.curve.record import CurveRecord, CurveSettings
from ib_bench.quantities.curve.tables import COLUMNS as CURVE_COLUMNS
from ib_bench.quantities.logged_run import LoggedRun, run_config
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.quantities.search.tables import COLUMNS as SEARCH_COLUMNS
from ib_bench.quantities.sharing.record import JOINT, Need, Sharing, SharingSettings, sharing_of, sharings_in
from ib_bench.quantities.sharing.tables import (
    COLUMNS,
    KAPPA_NOTE,
    SATURATION_COLUMNS,
    columns_of,
    kappa_of_n50_table,
    kappa_table,
    notes_of,
    parts_table,
    sharing_listing,
)
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
    """Kappa of one experiment, derived from searches and success curves."""

    name: ClassVar[str] = "sharing"
    job_type: ClassVar[str] = "sharing"
    title: ClassVar[str] = "kappa"
    caption: ClassVar[str] = "sharing factor (kappa)"
    summary: ClassVar[str] = "measure kappa: whether lengths share what is learned"
    note: ClassVar[str] = KAPPA_NOTE
    columns: ClassVar[Sequence[Column[Any]]] = COLUMNS
    has_many_jobs: ClassVar[bool] = True
    keeps_weights: ClassVar[bool] = True
    sections: ClassVar[dict[str, type]] = {
        "search": SearchSettings,
        "sharing": SharingSettings,
        "curve": CurveSettings,
    }

    def accepts(self, data_arguments: Json) -> bool:
        """See :class:`Quantity`: all length distributions of a suite have one kappa, which is at ``uniform``."""
        return bool(data_arguments.get("length_distribution", JOINT) == JOINT)

    def jobs(self, request: Request) -> list[Job[Any]]:
        """See :class:`Quantity`: searches over all lengths and at each, saturated evaluations, curves if asked for."""
        from ib_bench.quantities.sharing.jobs import sharing_jobs  # noqa: PLC0415 (loads torch)

        return sharing_jobs(request)

    def result(self, records: Sequence[Record]) -> Sharing:
        """See :class:`Quantity`."""
        return sharing_of(records)

    def results(self, records: Records) -> list[Sharing]:
        """See :class:`Quantity`."""
        return records.derived(sharings_in)

    def run_id(self, result: Sharing) -> str:
        """See :class:`Quantity`: another one than that of the search over all lengths, made or not."""
        key = result.key if result.joint is not None else result.config.key
        return hashlib.sha256(f"sharing/{key}".encode()).hexdigest()[:32]

    def logged(self, result: Sharing, records: Records) -> LoggedRun:
        """See :class:`Quantity`: a step for each length alone, kappa in the summary."""
        steps = [_step(length, need) for length, need in result.needs.items()]
        if result.joint is None and result.curves is not None:
            steps = [_curve_step(length, record) for length, record in result.curves.parts.items()]
        return LoggedRun(
            run_id=self.run_id(result),
            name=f"kappa {experiment_text(result.labels, result.min_length)}",
            config=run_config(result.labels, result.config),
            step_metric="length",
            metrics="sharing/*",
            steps=steps,
            summary={"status": "finished", **summary(result, COLUMNS)},
        )

    def listing(self, results: Sequence[Sharing], title: str, notes: Iterable[str] = ()) -> Group:
        """See :class:`Quantity`: with those columns and notes that say something of these results."""
        below = [*notes_of(results), *notes]
        return listing(results, columns_of(results), title, "\n".join(below), setting_texts)

    def detail_json(self, result: Sharing) -> Json:
        """See :class:`Quantity`: with everything about the searches and curves that it rests on."""
        detail = super().detail_json(result)
        detail["joint"] = None if result.joint_need is None else _need_json(result.joint_need)
        detail["parts"] = {str(length): _need_json(need) for length, need in result.needs.items()}
        if result.curves is not None:
            detail["joint_curve"] = json_row(result.curves.joint, CURVE_COLUMNS)
            curves = result.curves.parts.items()
            detail["part_curves"] = {str(length): json_row(curve, CURVE_COLUMNS) for length, curve in curves}
        return detail

    def detail(self, result: Sharing, notes: Iterable[str] = ()) -> Group:
        """See :class:`Quantity`: kappa, with the searches that it rests on."""
        return sharing_listing(result, notes)

    def options(self, result: Sharing) -> list[str]:
        """See :class:`Quantity`: whether curves are measured, and how; the config is that of a search."""
        if result.curves is None:
            return []
        settings, default = vars(result.curves.joint.config.settings), CurveSettings()
        changed = {name: value for name, value in settings.items() if value != getattr(default, name)}
        options = {"sharing.curves": True, **{f"curve.{name}": value for name, value in changed.items()}}
        return [part for name, value in options.items() for part in (f"--{name}", json.dumps(value))]

    def sentence(self, study: Study) -> str:
        """See :class:`Quantity`."""
        from ib_bench.quantities.sharing.sentence import sentence  # noqa: PLC0415 (for reports alone)

        return sentence(study)

    def tables(self, study: Study) -> list[StudyTable]:
        """See :class:`Quantity`: kappa of N*, of N50, and the parts of that of N*."""
        shown = study.shown(Sharing)
        return [kappa_table(shown), kappa_of_n50_table(shown), parts_table(shown)]

    def figures(self, study: Study) -> list[Figure]:
        """See :class:`Quantity`."""
        from ib_bench.quantities.sharing.figures import figures  # noqa: PLC0415 (loads Altair)

        return figures(study)


def _step(length: int, need: Need) -> Json:
    """What W&B gets of one length; an upper end that is unknown is left out."""
    step: Json = {
        "length": length,
        "sharing/max_size": need.search.max_size,
        "sharing/censored": int(need.search.censored),
        "sharing/exhausted": int(need.is_exhausted),
        "sharing/saturated": int(need.is_saturated),
        "sharing/low": need.low,
    }
    if need.search.min_train_size is not None:
        step["sharing/min_train_size"] = need.search.min_train_size
    return step if math.isinf(need.high) else {**step, "sharing/high": need.high}


def _curve_step(length: int, record: CurveRecord) -> Json:
    """The same of a success curve; ends that are not known are left out."""
    step: Json = {
        "length": length,
        "sharing/max_size": record.max_size,
        "sharing/censored": int(record.censored),
        "sharing/exhausted": int(record.is_pool_exhausted),
    }
    sizes = {} if record.estimate is None else vars(record.estimate.n50)
    return step | {f"sharing/n50_{name}": size for name, size in sizes.items() if size is not None}


def _need_json(need: Need) -> Json:
    """A search, with its saturated evaluation, or null where there is none."""
    saturation = None if need.saturation is None else json_row(need.saturation, SATURATION_COLUMNS)
    return {**json_row(need.search, SEARCH_COLUMNS), "exhausted": need.is_exhausted, "saturated_evaluation": saturation}


QUANTITY = SharingQuantity()
