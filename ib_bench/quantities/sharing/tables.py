"""Kappa as columns and as tables: Table 3 of arXiv 2602.18333, and what each kappa rests on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from rich.console import Group
from rich.text import Text

from ib_bench.drawing.columns import CHOICES, LABELS, Column
from ib_bench.drawing.labels import Shown
from ib_bench.drawing.styles import model_order
from ib_bench.drawing.tables import EMPTY, Entry, StudyTable, label_entries, pivot, varying_labels
from ib_bench.drawing.terminal import terminal_table, titled
from ib_bench.drawing.texts import duration
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.search.saturation import SaturationRecord
from ib_bench.quantities.search.tables import bracket_text
from ib_bench.quantities.sharing.curves import FactorEstimate
from ib_bench.quantities.sharing.factor import SharingFactor
from ib_bench.quantities.sharing.record import Need, Sharing
from ib_bench.results.identity import canonical
from ib_bench.results.records import experiment_text

FactorOf = Callable[[Sharing], SharingFactor | None]
EstimateOf = Callable[[Sharing], FactorEstimate | None]


def _factor_columns(name: str, factor: FactorOf) -> list[Column[Sharing]]:
    """The ends of an interval, None where unknown, so that a chart never takes a missing end for a number."""

    def low(one: Sharing) -> float | None:
        found = factor(one)
        return None if found is None else found.known_low

    def high(one: Sharing) -> float | None:
        found = factor(one)
        return None if found is None else found.known_high

    return [Column(f"{name}_low", low), Column(f"{name}_high", high)]


def _estimate_columns(name: str, estimate: EstimateOf) -> list[Column[Sharing]]:
    """The median and the ends of a 90 % interval, None where unknown."""

    def median(one: Sharing) -> float | None:
        found = estimate(one)
        return None if found is None else found.median

    def low(one: Sharing) -> float | None:
        found = estimate(one)
        return None if found is None else found.low or None

    def high(one: Sharing) -> float | None:
        found = estimate(one)
        return None if found is None or math.isinf(found.high) else found.high

    return [Column(name, median), Column(f"{name}_low", low), Column(f"{name}_high", high)]


def _log2(column: Column[Sharing]) -> Column[Sharing]:
    def value(one: Sharing) -> float | None:
        factor = column.value(one)
        return None if factor is None else math.log2(factor)

    return Column(f"log2_{column.name}", value)


def _unexhausted_estimate(one: Sharing) -> FactorEstimate | None:
    return None if one.curves is None else one.curves.unexhausted_estimate


def _rest(one: Sharing) -> SharingFactor | None:
    """Kappa over the lengths that are not exhausted, where that is another one."""
    return one.unexhausted_factor if one.exhausted else None


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _time_text(seconds: float | None) -> str:
    return "" if seconds is None else duration(seconds)


def exhausted_text(one: Sharing) -> str:
    """The number of exhausted lengths, such as ``1 of 7``."""
    return f"{len(one.exhausted)} of {len(one.lengths)}"


_ENDS = _factor_columns("sharing_factor", lambda one: one.factor)
_OF_SEARCHES = ("sharing_factor", "unexhausted_sharing_factor", "sum_of_parts", "num_trials", "wall_time_s")
"""Columns of a list that say nothing of kappas from curves alone."""

COLUMNS: tuple[Column[Sharing], ...] = (
    *LABELS,
    Column("min_length", lambda one: one.min_length, "from", "from length {}".format, is_label=True),
    Column("num_states", lambda one: one.num_states, is_label=True),
    Column("sharing_factor", lambda one: _text(one.factor) or None, "kappa", style="bold"),
    *_ENDS,
    *(_log2(column) for column in _ENDS),
    Column("sharing_factor_is", lambda one: one.point),
    Column("exhausted", exhausted_text, "exhausted"),
    Column("exhausted_lengths", lambda one: one.exhausted),
    Column("num_exhausted", lambda one: len(one.exhausted)),
    Column("num_lengths", lambda one: len(one.lengths)),
    Column(
        "unexhausted_sharing_factor",
        lambda one: _text(one.unexhausted_factor) or None,
        "not exhausted",
        texts=lambda rows: [_text(_rest(one)) for one in rows],
    ),
    *_factor_columns("unexhausted_sharing_factor", lambda one: one.unexhausted_factor),
    Column("sharing_factor_n50_text", lambda one: _text(one.estimate) or None, "kappa of N50"),
    *_estimate_columns("sharing_factor_n50", lambda one: one.estimate),
    *_estimate_columns("unexhausted_sharing_factor_n50", _unexhausted_estimate),
    Column("joint_min_train_size", lambda one: None if one.joint is None else one.joint.min_train_size),
    Column("joint_max_size", lambda one: one.measured.max_size),
    Column("joint", lambda one: _text(one.joint_need) or None),
    Column("joint_exhausted", lambda one: None if one.joint_need is None else one.joint_need.is_exhausted),
    Column("sum_of_parts", lambda one: one.sum_text if one.parts else None, "sum alone"),
    Column("parts", lambda one: {str(length): str(need) for length, need in one.needs.items()}),
    Column("num_saturated", lambda one: sum(need.is_saturated for need in _needs(one))),
    Column("num_trials", lambda one: sum(map(_num_trials, _needs(one))) if one.parts else None, "trials"),
    Column("wall_time_s", lambda one: sum(map(_wall_time_s, _needs(one))) if one.parts else None, "time", _time_text),
    *CHOICES,
    Column("search", lambda one: canonical(one.config.settings), is_label=True),
)
"""Everything about a kappa, in order. Trials and time are those of searches and saturated evaluations, if any."""

SATURATION_COLUMNS: tuple[Column[SaturationRecord], ...] = (
    Column("key", lambda record: record.key),
    Column("saturated", lambda record: record.succeeded),
    Column("num_sequences", lambda record: record.size),
    Column("best_val_loss", lambda record: record.best_val_loss),
    Column("num_trials", lambda record: len(record.trial_keys)),
    Column("wall_time_s", lambda record: record.wall_time_s),
    Column("finished_at", lambda record: record.finished_at),
)
"""Everything about a saturated evaluation."""

KAPPA_NOTE = (
    "kappa: the sum of N* at each length alone, over N* at all lengths together; an interval, as each N* is one"
)
_EXHAUSTED_NOTE = (
    "exhausted: lengths at which all training sequences that exist failed; not exhausted: kappa over the other lengths"
)
_EXHAUSTED_N50_NOTE = "exhausted, without searches: lengths at which N50 lies above all training sequences that exist"
_SATURATED_NOTE = (
    "saturated: with all sequences that exist, held-out ones included, training succeeds; that is no N*, but bounds it"
)
_BUDGET_NOTE = "budget missing: even with all sequences that exist, training fails within the step budget"
_N50_NOTE = (
    "kappa of N50: the sum of N50 at each length alone, over N50 at all lengths together, from success curves; median "
    "and 90 % interval, no median where a part is only bounded"
)


def columns_of(results: Sequence[Sharing]) -> list[Column[Sharing]]:
    """The columns that say something of these results."""
    has_curves = any(one.curves is not None for one in results)
    has_searches = not results or any(one.factor is not None for one in results)
    left_out = {*(() if has_curves else ("sharing_factor_n50_text",)), *(() if has_searches else _OF_SEARCHES)}
    return [column for column in COLUMNS if column.name not in left_out]


def notes_of(results: Sequence[Sharing]) -> list[str]:
    """Notes that explain the texts of these results."""
    needs = [need for one in results for need in _needs(one)]
    has_searches = not results or bool(needs)
    notes = {
        KAPPA_NOTE: has_searches,
        _EXHAUSTED_NOTE: has_searches,
        _EXHAUSTED_N50_NOTE: any(one.factor is None for one in results),
        _SATURATED_NOTE: any(need.is_saturated for need in needs),
        _BUDGET_NOTE: any(need.lacks_budget for need in needs),
        _N50_NOTE: any(one.curves is not None for one in results),
    }
    return [note for note, applies in notes.items() if applies]


def sharing_listing(sharing: Sharing, notes: Iterable[str] = ()) -> Group:
    """Kappa, with the searches that it rests on.

    Args:
        sharing: kappa and its searches.
        notes: what else stands below the table.
    """
    together = f"{sharing.min_length}..{sharing.labels.max_length} together"
    if sharing.joint_need is not None:
        found = [*((f"{length} alone", need) for length, need in sharing.needs.items()), (together, sharing.joint_need)]
        headings = ["lengths", "N*", "bracket", "trials", "time"]
        rows = [_need_row(lengths, need) for lengths, need in found]
    else:
        assert sharing.curves is not None
        curves = [*((f"{length} alone", record) for length, record in sharing.curves.parts.items())]
        headings = ["lengths", "N50", "trials"]
        rows = [
            [lengths, Text(record.verdict, style="bold"), str(record.num_trials)]
            for lengths, record in [*curves, (together, sharing.curves.joint)]
        ]
    table = terminal_table(headings, rows, {"lengths"}, breaks={len(rows) - 1})
    lines = [] if sharing.factor is None else [f"kappa: {sharing.factor}"]
    lines.append(f"exhausted: {exhausted_text(sharing)} lengths")
    if (rest := _rest(sharing)) is not None:
        lines.append(f"kappa over the others: {rest}")
    if sharing.curves is not None:
        lines.append(f"kappa of N50: {sharing.curves.estimate}")
        if sharing.curves.unexhausted_estimate is not None and sharing.exhausted:
            lines.append(f"kappa of N50, lengths that are not exhausted: {sharing.curves.unexhausted_estimate}")
    title = "\n".join([*lines, experiment_text(sharing.labels, sharing.min_length)])
    return titled(title, table, "\n".join([*notes_of([sharing]), *notes]))


def _need_row(lengths: str, need: Need) -> list[str | Text]:
    verdict = Text(str(need), style="bold")
    bracket = bracket_text(need.search.bracket)
    return [lengths, verdict, bracket, str(_num_trials(need)), duration(_wall_time_s(need))]


def kappa_table(shown: Sequence[Shown[Sharing]]) -> StudyTable:
    """Kappa of N* per architecture, regime, task and L."""
    note = (
        "kappa: the sum of N* at each length alone, over N* at all lengths; from its lowest to its highest possible "
        "value; in parentheses, how many of the lengths are exhausted."
    )
    searched = [one for one in shown if one.result.factor is not None]
    return pivot("kappa", "Sharing factor kappa", note, searched, _entry, without=["lengths"])


def kappa_of_n50_table(shown: Sequence[Shown[Sharing]]) -> StudyTable:
    """Kappa of N50 per architecture, regime, task and L."""
    note = (
        "kappa of N50: the sum of N50 at each length alone, over N50 at all lengths; median and 90 % interval, no "
        "median where a part is only bounded."
    )
    measured = [one for one in shown if one.result.estimate is not None]
    return pivot("kappa_n50", "Sharing factor kappa of N50", note, measured, _estimate_entry, without=["lengths"])


def parts_table(shown: Sequence[Shown[Sharing]]) -> StudyTable:
    """The parts of each kappa of N*, a row each."""
    shown = [one for one in shown if one.result.factor is not None]
    lengths = sorted({length for one in shown for length in one.result.parts})
    shown = sorted(shown, key=lambda one: (one.label.order, model_order(one.label.model)))
    title = "Sharing factor kappa and its parts"
    headings = ("source", "task", "model", "supervision", "L", "setting")
    labels, shared, title = varying_labels([one.label for one in shown], headings, title)
    has_curves = any(one.result.curves is not None for one in shown)
    body = []
    for one in shown:
        sharing = one.result
        assert sharing.joint_need is not None
        kappas = [_factor_entry(sharing, sharing.factor), _factor_entry(sharing, _rest(sharing))]
        numbers = [kappas[0], Entry(exhausted_text(sharing), len(sharing.exhausted), sharing.key), kappas[1]]
        if has_curves:
            numbers.append(_estimate_entry(sharing))
        total = sum(need.low for need in sharing.needs.values())
        numbers += [_need_entry(sharing.joint_need), Entry(sharing.sum_text, total, sharing.key)]
        numbers += [_need_entry(sharing.needs[length]) if length in sharing.needs else EMPTY for length in lengths]
        body.append([*label_entries(one.label, labels), *numbers])
    columns = [*labels, "kappa", "exhausted", "not exhausted", *(["kappa of N50"] if has_curves else [])]
    columns += ["N* together", "sum alone", *(f"n={length}" for length in lengths)]
    notes = ["N* at all lengths together, and at each length n alone; not exhausted: kappa over the other lengths"]
    note = "; ".join([*notes, *notes_of([one.result for one in shown])]) + "."
    return StudyTable("kappa_parts", title, note, columns, len(labels), body, shared)


def _entry(sharing: Sharing) -> Entry:
    entry = _factor_entry(sharing, sharing.factor)
    text = f"{entry.text} ({exhausted_text(sharing)})" if sharing.exhausted else entry.text
    return replace(entry, text=text)


def _factor_entry(sharing: Sharing, factor: SharingFactor | None) -> Entry:
    if factor is None:
        return EMPTY
    return Entry(str(factor), factor.middle or "", sharing.key, not factor.is_bounded)


def _estimate_entry(sharing: Sharing) -> Entry:
    estimate = sharing.estimate
    if estimate is None:
        return EMPTY
    is_bound = estimate.low == 0 or math.isinf(estimate.high)
    return Entry(str(estimate), estimate.median or estimate.low, sharing.key, is_bound)


def _need_entry(need: Need) -> Entry:
    return Entry(str(need), need.low, need.search.key)


def _needs(sharing: Sharing) -> list[Need]:
    return [*filter(None, [sharing.joint_need]), *sharing.needs.values()]


def _records(need: Need) -> list[SearchRecord | SaturationRecord]:
    return [need.search] if need.saturation is None else [need.search, need.saturation]


def _num_trials(need: Need) -> int:
    return sum(len(record.trials) for record in _records(need))


def _wall_time_s(need: Need) -> float:
    return sum(record.wall_time_s for record in _records(need))
