"""N50 as columns and as a table, and one curve on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from rich.console import Group

from ib_bench.drawing.columns import CHOICES, LABELS, Column, listing
from ib_bench.drawing.labels import Shown
from ib_bench.drawing.tables import Entry, StudyTable, pivot
from ib_bench.drawing.terminal import terminal_table, titled
from ib_bench.drawing.texts import duration
from ib_bench.quantities.curve.record import Bounds, CurveEstimate, CurveRecord, Sizes

CURVE_NOTE = "N50: a training run succeeds as often as not; N90: 9 of 10 do; in brackets, 90 % intervals"

_ENDED = {
    "narrow": "interval narrow enough",
    "above": "N50 above the largest size",
    "one": "one sequence suffices",
    "max_trials": "all trials used",
    "records": "nothing trained",
}
_BAR_WIDTH = 40  # characters


def _of_estimate(value: Callable[[CurveEstimate], float | None]) -> Callable[[CurveRecord], float | None]:
    return lambda record: None if record.estimate is None else value(record.estimate)


def _sizes_texts(sizes: Callable[[CurveEstimate], Sizes]) -> Callable[[Sequence[CurveRecord]], list[str]]:
    def texts(records: Sequence[CurveRecord]) -> list[str]:
        return ["" if one.estimate is None else one.sizes_text(sizes(one.estimate)) for one in records]

    return texts


def _sizes_columns(name: str, title: str, sizes: Callable[[CurveEstimate], Sizes]) -> list[Column[CurveRecord]]:
    """The median of a size, and the ends of its interval."""
    return [
        Column(name, _of_estimate(lambda estimate: sizes(estimate).median), title, texts=_sizes_texts(sizes)),
        Column(f"{name}_low", _of_estimate(lambda estimate: sizes(estimate).low)),
        Column(f"{name}_high", _of_estimate(lambda estimate: sizes(estimate).high)),
    ]


def _bounds_columns(name: str, bounds: Callable[[CurveEstimate], Bounds]) -> list[Column[CurveRecord]]:
    """The median of a parameter, and the ends of its interval."""
    return [
        Column(name, _of_estimate(lambda estimate: bounds(estimate).median), name, _two_digits),
        Column(f"{name}_low", _of_estimate(lambda estimate: bounds(estimate).low)),
        Column(f"{name}_high", _of_estimate(lambda estimate: bounds(estimate).high)),
    ]


def _two_digits(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


COLUMNS: tuple[Column[CurveRecord], ...] = (
    *LABELS,
    Column("num_states", lambda record: record.num_states, is_label=True),
    Column("status", lambda record: record.status),
    Column(
        "n50",
        _of_estimate(lambda estimate: estimate.n50.median),
        "N50",
        texts=lambda records: [record.verdict for record in records],
        style="bold",
    ),
    Column("n50_low", _of_estimate(lambda estimate: estimate.n50.low)),
    Column("n50_high", _of_estimate(lambda estimate: estimate.n50.high)),
    # A bound has a column of its own, so that a chart of N50 never takes it for a number.
    Column("n50_is_above", lambda record: record.max_size if record.censored else None),
    Column("probability_above", _of_estimate(lambda estimate: estimate.probability_above)),
    *_sizes_columns("n90", "N90", lambda estimate: estimate.n90),
    *_sizes_columns("best_of_15", "best of 15", lambda estimate: estimate.best_of_15),
    *_bounds_columns("spread", lambda estimate: estimate.spread),
    *_bounds_columns("ceiling", lambda estimate: estimate.ceiling),
    Column("num_trials", lambda record: record.num_trials, "trials"),
    Column("num_steps", lambda record: record.num_steps, "steps", "{:,}".format),
    Column("ended", lambda record: record.ended, "ended", lambda ended: _ENDED.get(ended, "")),
    Column("learning_rate", lambda record: record.learning_rate),
    Column("max_size", lambda record: record.max_size),
    Column("pool_exhausted", lambda record: record.is_pool_exhausted),
    Column("num_early_stops", lambda record: record.num_early_stops),
    Column("wall_time_s", lambda record: record.wall_time_s, "time", duration),
    Column("updated_at", lambda record: record.updated_at),
    Column("error", lambda record: record.error),
    *CHOICES,
    Column("search", lambda record: dict(vars(record.config.search)), is_label=True),
    Column("curve", lambda record: dict(vars(record.config.settings)), is_label=True),
    Column("prior", lambda record: dict(vars(record.config.prior)), is_label=True),
)
"""Everything about a success curve, in order."""


def curve_table(shown: Iterable[Shown[CurveRecord]]) -> StudyTable:
    """N50 with its interval per architecture, regime, distribution, task and L."""
    note = f"{CURVE_NOTE}. > N: above the largest size tried."
    return pivot("n50", "N50", note, [one for one in shown if one.result.finished], _entry)


def curve_listing(record: CurveRecord, notes: Iterable[str] = ()) -> Group:
    """A curve on a terminal: what was measured, and its band with the trials at each size.

    Args:
        record: finished.
        notes: what else stands below it.
    """
    notes = [CURVE_NOTE, *_early_stop_notes(record), *notes]
    parts = [listing([record], COLUMNS, f"N50: {record.verdict}", "\n".join(notes))]
    if record.estimate is not None:
        successes = record.successes()
        body = []
        for point in record.estimate.points:
            succeeded, number = successes.get(point.size, (0, 0))
            told = f"{succeeded} of {number}" if number else ""
            body.append([f"{point.size:,}", told, f"{point.chance.median:.2f}", _bar(point.chance)])
        note = "|: median of the chance of success, -: its 90 % interval, from 0 to 1"
        table = terminal_table(["N", "succeeded", "p(N)", "90 %"], body, {"90 %"})
        parts.append(titled("Success curve", table, note))
    return Group(*parts)


def _bar(chance: Bounds) -> str:
    """An interval in [0, 1], drawn with characters."""
    low, median, high = (min(_BAR_WIDTH - 1, math.floor(end * _BAR_WIDTH)) for end in vars(chance).values())
    cells = ["-" if low <= place <= high else " " for place in range(_BAR_WIDTH)]
    cells[median] = "|"
    return f"[{''.join(cells)}]"


def _early_stop_notes(record: CurveRecord) -> list[str]:
    if not record.num_early_stops:
        return []
    return [
        f"At {record.num_early_stops} sizes a search stopped at its first success, so there are fewer trials than its "
        "grid has; search.exhaustive true trains them all"
    ]


def _entry(record: CurveRecord) -> Entry:
    median = None if record.estimate is None else record.estimate.n50.median
    return Entry(record.verdict, median or record.max_size, record.key)
