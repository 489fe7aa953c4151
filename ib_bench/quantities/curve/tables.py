"""N50 as columns and as a table, and one curve on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from rich.console import Group

from ib_bench.drawing.columns import CHOICES, LABELS, Column, listing
from ib_bench.drawing.labels import Shown, setting_texts
from ib_bench.drawing.styles import model_order
from ib_bench.drawing.tables import EMPTY, Entry, StudyTable, label_entries, pivot, varying_labels
from ib_bench.drawing.terminal import terminal_table, titled
from ib_bench.drawing.texts import duration
from ib_bench.quantities.curve.decline import decline_text
from ib_bench.quantities.curve.record import Bounds, CurveEstimate, CurveRecord, Pilot, Sizes, ThresholdEstimate
from ib_bench.quantities.search.tables import bracket_text
from ib_bench.results.identity import Json, options

CURVE_NOTE = "N50: half of the training runs succeed; in brackets, 90 % intervals"

_N90_NOTE = "N90: 9 of 10 succeed"

CONFIRMED_NOTE = (
    "confirmed: successes whose loss is below the threshold on a second held-out set too; the verdict is without it"
)

UNKNOWN_NOTE = (
    "unknown: the trial stopped at its own threshold; intervals without a median reach from all of these succeeding to "
    "all failing. For smaller thresholds measure with a smaller search.threshold"
)

_ENDED = {
    "narrow": "interval narrow enough",
    "above": "N50 above the largest size",
    "one": "interval begins at one sequence",
    "max_trials": "all trials used",
    "records": "fitted from records",
}
_TO_BE_SURE = "search.exhaustive true trains all trials"
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
    Column(
        "best_of_15",
        lambda record: (
            None if record.estimate is None or not record.has_succeeded else record.estimate.best_of_15.median
        ),
        "best of 15",
        texts=lambda records: [record.best_of_15_text for record in records],
    ),
    Column("best_of_15_low", _of_estimate(lambda estimate: estimate.best_of_15.low)),
    Column("best_of_15_high", _of_estimate(lambda estimate: estimate.best_of_15.high)),
    *_bounds_columns("spread", lambda estimate: estimate.spread),
    *_bounds_columns("ceiling", lambda estimate: estimate.ceiling),
    Column("num_trials", lambda record: record.num_trials, "trials"),
    Column("num_curve_trials", lambda record: len(record.curve_trials)),
    Column(
        "share_not_confirmed",
        lambda record: 1 - record.num_confirmed / record.num_checked if record.num_checked else None,
        "confirmed",
        texts=lambda records: [record.confirmed_text for record in records],
    ),
    Column("num_confirmed", lambda record: record.num_confirmed),
    Column("num_checked", lambda record: record.num_checked),
    Column("num_steps", lambda record: record.num_steps, "steps", "{:,}".format),
    Column("ended", lambda record: record.ended, "ended", lambda ended: _ENDED.get(ended, "")),
    Column("learning_rate", lambda record: record.learning_rate),
    Column("pilot", lambda record: {f"{one.learning_rate:g}": _pilot_text(one) for one in record.pilot} or None),
    Column("max_size", lambda record: record.max_size),
    Column("pool_exhausted", lambda record: record.is_pool_exhausted),
    Column("max_size_is_all", lambda record: record.largest_is_all),
    Column("num_sequences", lambda record: record.num_sequences),
    Column("fits_all", lambda record: record.fits_all),
    Column("early_stop_sizes", lambda record: record.early_stop_sizes),
    Column("num_early_stops", lambda record: len(record.early_stop_sizes)),
    Column("decline", lambda record: decline_text(record.successes()) or None),
    Column("thresholds", lambda record: {_name(one): _plain(record, one) for one in record.thresholds}),
    Column("wall_time_s", lambda record: record.wall_time_s, "time", duration),
    Column("updated_at", lambda record: record.updated_at),
    Column("error", lambda record: record.error),
    *CHOICES,
    Column("search", lambda record: options(record.config.search), is_label=True),
    Column("curve", lambda record: options(record.config.settings), is_label=True),
    Column("prior", lambda record: options(record.config.prior), is_label=True),
)
"""Everything about a success curve, in order."""


_LISTED = ("n50", "best_of_15", "num_trials", "num_steps")
"""What a list of curves shows of each; the whole table would be wider than a terminal. Steps are the cost."""

_LIST_NOTE = (
    "N50: half of the training runs succeed; best of 15: half of the time one of 15 does\n"
    "in brackets: 90 % intervals; N90, spread and ceiling are in --format csv"
)


def curves_listing(records: Sequence[CurveRecord], title: str, notes: Iterable[str] = ()) -> Group:
    """Curves on a terminal, a row each.

    Args:
        records: in order.
        title: of the table.
        notes: what else stands below it.
    """
    columns = [column for column in COLUMNS if column.is_label or column.name in _LISTED]
    num_wide = sum(record.ended == "max_trials" for record in records)
    wide = [f"{num_wide} of {len(records)} used all trials before the interval was narrow enough"] if num_wide else []
    num_early = sum(bool(record.early_stop_sizes) for record in records)
    early = (
        [f"{num_early} of {len(records)} are less sure where a search stopped early; {_TO_BE_SURE}"]
        if num_early
        else []
    )
    num_falling = sum(bool(decline_text(record.successes())) for record in records)
    worse = f"in {num_falling} of {len(records)} larger sets do worse (decline, in --format csv)"
    falling = [worse] if num_falling else []
    below = [_LIST_NOTE, *wide, *early, *falling, *_cost_notes(records), *_confirmed_notes(records), *notes]
    return listing(records, columns, title, "\n".join(below), setting_texts)


def _name(estimate: ThresholdEstimate) -> str:
    return f"{estimate.measure}_{estimate.threshold:g}"


def _plain(record: CurveRecord, estimate: ThresholdEstimate) -> Json:
    """N50 at one threshold, for programs."""
    sizes = {"n50": estimate.n50, "best_of_15": estimate.best_of_15}
    ends = {f"{name}{end}": value for name, one in sizes.items() for end, value in _ends(one).items()}
    if not estimate.num_succeeded:
        ends["best_of_15"] = None  # it would be the prior's
    counts = {name: getattr(estimate, f"num_{name}") for name in ("succeeded", "failed", "unknown")}
    failing, succeeding = estimate.bracket
    return {
        **ends,
        "text": record.threshold_text(estimate, estimate.n50),
        **{f"num_{name}": number for name, number in counts.items()},
        "mostly_unknown": estimate.mostly_unknown,
        "largest_failing": failing,
        "smallest_succeeding": succeeding,
    }


def _ends(sizes: Sizes) -> dict[str, float | None]:
    return {"": sizes.median, "_low": sizes.low, "_high": sizes.high}


def curve_table(shown: Iterable[Shown[CurveRecord]]) -> StudyTable:
    """N50 with its interval per architecture, regime, distribution, task and L."""
    finished = [one for one in shown if one.result.finished]
    notes = [f"{CURVE_NOTE}. > N: above the largest size tried.", *_confirmed_notes([one.result for one in finished])]
    return pivot("n50", "N50", " ".join(notes), finished, _entry)


def thresholds_table(shown: Iterable[Shown[CurveRecord]]) -> StudyTable:
    """N50 of every curve at other thresholds, a column each."""
    found = [one for one in shown if one.result.thresholds]
    found.sort(key=lambda one: (one.label.order, model_order(one.label.model)))
    headings = ("source", "task", "L", "supervision", "lengths", "setting")
    labels, shared, title = varying_labels([one.label for one in found], headings, "N50 at other thresholds")
    names = dict.fromkeys(_heading(estimate) for one in found for estimate in one.result.thresholds)
    body = []
    for one in found:
        entries = {_heading(estimate): _threshold_entry(one.result, estimate) for estimate in one.result.thresholds}
        head = [*label_entries(one.label, [*labels, "model"])]
        body.append([*head, *(entries.get(name, EMPTY) for name in names)])
    note = f"From the validation curves of the same trials; accuracy: of final states. {UNKNOWN_NOTE}."
    return StudyTable("n50_at_thresholds", title, note, [*labels, "model", *names], len(labels) + 1, body, shared)


def _heading(estimate: ThresholdEstimate) -> str:
    sign = {"loss": "<", "accuracy": ">="}[estimate.measure]
    return f"{estimate.measure} {sign} {estimate.threshold:g}"


def _threshold_entry(record: CurveRecord, estimate: ThresholdEstimate) -> Entry:
    text = record.threshold_text(estimate, estimate.n50)
    size = estimate.n50.median or estimate.n50.low or record.max_size
    return Entry(text, size, record.key, estimate.n50.median is None)


def _pilot_text(pilot: Pilot) -> str:
    """How many trials of a learning rate succeeded, such as ``2 of 3``."""
    return f"{sum(trial.succeeded for trial in pilot.trials)} of {len(pilot.trials)}"


def _pilot_notes(record: CurveRecord) -> list[str]:
    """Which learning rate a pilot has chosen, and how often each succeeded in it."""
    if not record.pilot or record.learning_rate is None:
        return []
    tried = ", ".join(f"{one.learning_rate:g}: {_pilot_text(one)}" for one in record.pilot)
    has_succeeded = any(trial.succeeded for one in record.pilot for trial in one.trials)
    why = "succeeded" if has_succeeded else "succeeded, so the one with the lowest loss was taken"
    return [f"learning rate {record.learning_rate:g}, chosen by a pilot at N = {record.max_size:,} ({tried} {why})"]


def _cost_notes(records: Sequence[CurveRecord]) -> list[str]:
    """That trials count which are not of the curve; nothing where there are none."""
    has_others = any(len(record.curve_trials) < record.num_trials for record in records)
    return ["trials, steps: with those of the pilot and saturated ones, which are not part of the curve"] * has_others


def _confirmed_notes(records: Sequence[CurveRecord]) -> list[str]:
    """How many successes of curves are confirmed; nothing where none was looked at."""
    num_checked = sum(record.num_checked for record in records)
    if not num_checked:
        return []
    num_confirmed = sum(record.num_confirmed for record in records)
    return [f"{num_confirmed:,} of {num_checked:,} successes are confirmed on a second held-out set."]


def curve_listing(record: CurveRecord, notes: Iterable[str] = ()) -> Group:
    """A curve on a terminal: what was measured, and its band with the trials at each size.

    Args:
        record: finished.
        notes: what else stands below it.
    """
    confirmed = [CONFIRMED_NOTE] if record.num_checked else []
    given = list(notes)
    notes = [f"{CURVE_NOTE}; {_N90_NOTE}", *confirmed, *_pilot_notes(record), *_cost_notes([record])]
    notes += [*_decline_notes(record), *_early_stop_notes(record), *given]
    parts = [listing([record], COLUMNS, f"N50: {record.verdict}", "\n".join(notes))]
    if record.estimate is not None:
        successes = record.successes()
        chances = {point.size: point.chance for point in record.estimate.points}
        body = []
        for size in sorted(chances.keys() | successes.keys()):  # trials of a search lie between the curve's own sizes
            succeeded, number = successes.get(size, (0, 0))
            shares = f"{succeeded} of {number}" if number else ""
            chance = [f"{chances[size].median:.2f}", _bar(chances[size])] if size in chances else ["", ""]
            body.append([f"{size:,}", shares, *chance])
        note = "|: median of the chance of success, -: its 90 % interval, from 0 to 1"
        table = terminal_table(["N", "succeeded", "p(N)", "90 %"], body, {"90 %"})
        parts.append(titled("Success curve", table, note))
    if record.thresholds:
        parts.append(_thresholds_listing(record))
    return Group(*parts)


def _thresholds_listing(record: CurveRecord) -> Group:
    """N50 at other thresholds, a row each."""
    body = []
    for one in record.thresholds:
        sizes = [record.threshold_text(one, sizes) for sizes in (one.n50, one.best_of_15)]
        counts = [str(number) for number in (one.num_succeeded, one.num_failed, one.num_unknown)]
        body.append([_heading(one), *sizes, bracket_text(one.bracket), *counts])
    notes = ["The same trials. bracket: N* with as many trials of each size as there are"]
    unknown = [one for one in record.thresholds if one.num_unknown]
    if unknown:
        notes.append(UNKNOWN_NOTE)
    notes += [_mostly_unknown_text(one) for one in unknown if one.mostly_unknown]
    columns = ["threshold", "N50", "best of 15", "bracket", "succeeded", "failed", "unknown"]
    return titled("Other thresholds", terminal_table(columns, body, set()), "\n".join(notes))


def _mostly_unknown_text(estimate: ThresholdEstimate) -> str:
    sizes = ", ".join(f"{size:,}" for size in estimate.mostly_unknown)
    return f"{_heading(estimate)}: half of the trials or more are unknown at N = {sizes}"


def _bar(chance: Bounds) -> str:
    """An interval in [0, 1], drawn with characters."""
    low, median, high = (min(_BAR_WIDTH - 1, math.floor(end * _BAR_WIDTH)) for end in vars(chance).values())
    cells = ["-" if low <= place <= high else " " for place in range(_BAR_WIDTH)]
    cells[median] = "|"
    return f"[{''.join(cells)}]"


def _early_stop_notes(record: CurveRecord) -> list[str]:
    """Where trials from records say less, or too much, because a search did not train all of its grid."""
    if not record.early_stop_sizes:
        return []
    sizes = ", ".join(f"{size:,}" for size in record.early_stop_sizes)
    return [
        f"A search stopped at its first success at N = {sizes}: fewer trials than its grid has, so the curve is less "
        "sure there. If it trained several at once (search.spread), trials that the success interrupted are missing, "
        f"and the curve is too high there. {_TO_BE_SURE}"
    ]


def _decline_notes(record: CurveRecord) -> list[str]:
    """That larger sets seem to do worse; nothing where they do not."""
    declines = decline_text(record.successes())
    why = "a larger set may need more steps (search.max_steps), and N50 takes for granted that more data never hurts"
    return [f"{declines}: {why}"] if declines else []


def _entry(record: CurveRecord) -> Entry:
    median = None if record.estimate is None else record.estimate.n50.median
    return Entry(record.verdict, median or record.max_size, record.key, record.censored)
