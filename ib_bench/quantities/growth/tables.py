"""Growth as columns and as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ib_bench.drawing.columns import CHOICES, LABELS, Column
from ib_bench.drawing.labels import Shown
from ib_bench.drawing.styles import distribution_text, model_order, regime_text
from ib_bench.drawing.tables import Entry, StudyTable
from ib_bench.quantities.growth.record import Growth, Measured
from ib_bench.results.records import Labels, task_text

if TYPE_CHECKING:
    from ib_bench.quantities.growth.slope import Fit, Slope

GROWTH_NOTE = "N grows as L, or the number of states, to the power of exponent, or by rate octaves per unit"
TOO_FEW = "too few sizes"


def slope_text(slope: Slope | None) -> str:
    """A slope with its interval, such as ``1.69 [1.41, 1.97]``; an unknown end is infinite."""
    if slope is None:
        return TOO_FEW
    low = "-\N{INFINITY}" if slope.low is None else f"{slope.low:.2f}"
    high = "\N{INFINITY}" if slope.high is None else f"{slope.high:.2f}"
    return f"{slope.median:.2f} [{low}, {high}]"


def labels_text(labels: Labels) -> str:
    """A task, with those arguments that all cells share."""
    return task_text(labels) if labels.task_arguments else labels.task


def points_text(growth: Growth) -> str:
    """The places of the cells, such as ``L = 4, 5, 6``."""
    places = ", ".join(str(x) for x in sorted({cell.x for cell in growth.cells}))
    several = f" ({len(growth.series)} series)" if growth.is_pooled else ""
    return f"{growth.variable} = {places}{several}"


def verdict_text(measured: Measured) -> str:
    """N50 or N* of a cell."""
    return measured.record.verdict


def _of_fit(value: Callable[[Fit], Any]) -> Callable[[Growth], Any]:
    return lambda growth: None if growth.fit is None else value(growth.fit)


def _slope_columns(name: str, slope: Callable[[Fit], Slope]) -> list[Column[Growth]]:
    def texts(rows: Sequence[Growth]) -> list[str]:
        return [slope_text(_of_fit(slope)(row)) for row in rows]

    return [
        Column(name, _of_fit(lambda fit: slope(fit).median), name, texts=texts),
        Column(f"{name}_low", _of_fit(lambda fit: slope(fit).low)),
        Column(f"{name}_high", _of_fit(lambda fit: slope(fit).high)),
    ]


def _num(predicate: Callable[[Measured], bool]) -> Callable[[Growth], int]:
    return lambda growth: sum(predicate(cell) for cell in growth.cells)


def _is_bound(cell: Measured) -> bool:
    return cell.size is not None and cell.size.is_informative and not cell.size.is_measured


def _is_left_out(cell: Measured) -> bool:
    return cell.size is None or not cell.size.is_informative


_OWN = {
    "task": Column[Growth](
        "task",
        lambda one: one.labels.task,
        "task",
        is_label=True,
        texts=lambda rows: [labels_text(o.labels) for o in rows],
    ),
    "max_length": Column[Growth](
        "max_length",
        lambda one: one.labels.max_length,
        "at L",
        lambda x: "several L" if x is None else f"L={x}",
        is_label=True,
    ),
}
"""Labels that a growth may lack."""

COLUMNS: tuple[Column[Growth], ...] = (
    *(_OWN.get(column.name, column) for column in LABELS),
    Column("over", lambda one: one.variable, is_label=True),
    Column("argument", lambda one: one.argument, is_label=True),
    Column("measure", lambda one: one.measure, "of", is_label=True),
    Column("is_pooled", lambda one: one.is_pooled, is_label=True),
    Column("x", lambda one: [cell.x for cell in one.cells], "over", texts=lambda rows: list(map(points_text, rows))),
    Column("sizes", lambda one: list(map(verdict_text, one.cells))),
    Column("cells", lambda one: [cell.record.key for cell in one.cells]),
    *_slope_columns("exponent", lambda fit: fit.exponent),
    *_slope_columns("rate", lambda fit: fit.rate),
    Column("log_bayes_factor", _of_fit(lambda fit: fit.log_bayes_factor)),
    Column("better_law", _of_fit(lambda fit: fit.better), "better law"),
    Column("num_cells", lambda one: len(one.cells)),
    Column("num_bounds", _num(_is_bound)),
    Column("num_left_out", _num(_is_left_out)),
    *CHOICES,
)
"""Everything about a growth, in order. Cells that are left out had no size to try, or too few sequences that exist."""


def growth_table(shown: Sequence[Shown[Growth]]) -> StudyTable:
    """Every slope with its interval: a row each, those shared by several series first."""
    ordered = sorted(shown, key=_order)
    several = len({one.label.source for one in ordered}) > 1
    columns = ["task", "at L", "supervision", "lengths", "model", "of", "over", "exponent", "rate", "better law"]
    rows = []
    for one in ordered:
        growth, label = one.result, one.label
        fit = growth.fit
        labels = [
            Entry(labels_text(growth.labels), labels_text(growth.labels)),
            Entry(str(label.max_length or "several L"), label.max_length or 0),
            *(Entry(text, text) for text in (regime_text(label.supervision), distribution_text(label.lengths))),
            *(Entry(text, text) for text in (label.model, growth.measure, points_text(growth))),
        ]
        slopes = [None, None] if fit is None else [fit.exponent, fit.rate]
        numbers = [Entry(slope_text(slope), slope.median if slope else "", growth.key) for slope in slopes]
        better = Entry("" if fit is None else fit.better, "" if fit is None else fit.log_bayes_factor)
        source = [Entry(label.source, label.source)] if several else []
        rows.append([*source, *labels, *numbers, better])
    headings = ["source", *columns] if several else columns
    note = (
        f"{GROWTH_NOTE}; in brackets, 90 % intervals. The better law has a Bayes factor of at least 3. Several series "
        "share a slope and have levels of their own; their cells are taken as independent."
    )
    return StudyTable("growth", "How N50 and N* grow", note, headings, len(headings) - 3, rows)


def _order(one: Shown[Growth]) -> tuple[Any, ...]:
    label, growth = one.label, one.result
    return label.source, growth.variable, growth.measure, not growth.is_pooled, label.order, model_order(label.model)
