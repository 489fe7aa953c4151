"""Kappa as columns and as tables: Table 3 of arXiv 2602.18333, and what each kappa rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from rich.console import Group
from rich.text import Text

from ib_bench.drawing.columns import CHOICES, LABELS, Column
from ib_bench.drawing.labels import Shown
from ib_bench.drawing.styles import model_order
from ib_bench.drawing.tables import EMPTY, Entry, StudyTable, label_entries, pivot, varying_labels
from ib_bench.drawing.terminal import terminal_table, titled
from ib_bench.drawing.texts import duration
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.search.tables import bracket_text
from ib_bench.quantities.sharing.record import FactorKind, Sharing
from ib_bench.results.identity import canonical
from ib_bench.results.records import experiment_text


def _value(kind: FactorKind) -> Column[Sharing]:
    """Kappa in a column whose name says what it is, so that a chart never takes a bound for a number."""
    name = {"value": "is", "lower_bound": "is_above", "upper_bound": "is_below"}[kind]
    return Column(f"sharing_factor_{name}", lambda one: one.factor.value if one.factor.kind == kind else None)


def _log2(column: Column[Sharing]) -> Column[Sharing]:
    def value(one: Sharing) -> float | None:
        factor = column.value(one)
        return None if factor is None else math.log2(factor)

    return Column(f"log2_{column.name}", value)


_VALUES = [_value(kind) for kind in ("value", "lower_bound", "upper_bound")]

COLUMNS: tuple[Column[Sharing], ...] = (
    *LABELS,
    Column("num_states", lambda one: one.num_states, is_label=True),
    Column("sharing_factor", lambda one: str(one.factor), "kappa", style="bold"),
    Column("sharing_factor_kind", lambda one: one.factor.kind),
    *(column for value in _VALUES for column in (value, _log2(value))),
    Column("joint_min_train_size", lambda one: one.joint.min_train_size),
    Column("joint_max_size", lambda one: one.joint.max_size),
    Column("sum_of_parts", lambda one: one.sum_text, "sum alone"),
    Column("parts", lambda one: {str(length): part.verdict for length, part in one.parts.items()}),
    Column("num_trials", lambda one: sum(record.num_trials for record in _searches(one)), "trials"),
    Column("wall_time_s", lambda one: sum(record.wall_time_s for record in _searches(one)), "time", duration),
    *CHOICES,
    Column("search", lambda one: canonical(one.config.settings), is_label=True),
)
"""Everything about a kappa, in order."""

KAPPA_NOTE = "kappa: the sum of N* at each length alone, over N* at all lengths together"


def sharing_listing(sharing: Sharing, notes: Iterable[str] = ()) -> Group:
    """Kappa, with the searches that it rests on.

    Args:
        sharing: kappa and its searches.
        notes: what else stands below the table.
    """

    def row(lengths: str, record: SearchRecord) -> list[str | Text]:
        verdict = Text(record.verdict, style="bold")
        return [lengths, verdict, bracket_text(record.bracket), str(record.num_trials), duration(record.wall_time_s)]

    rows = [row(f"{length} alone", part) for length, part in sharing.parts.items()]
    rows.append(row(f"2..{sharing.labels.max_length} together", sharing.joint))
    headings = ["lengths", "N*", "bracket", "trials", "time"]
    table = terminal_table(headings, rows, {"lengths"}, breaks={len(rows) - 1})
    kappa = str(sharing.factor)
    equals = "" if kappa[0] in "<>" else "= "
    title = f"kappa {equals}{kappa}\n{experiment_text(sharing.labels)}"
    return titled(title, table, "\n".join([KAPPA_NOTE, *notes]))


def kappa_table(shown: Iterable[Shown[Sharing]]) -> StudyTable:
    """Kappa per architecture, regime, task and L."""
    note = "kappa: the sum of N* at each length alone, over N* at all lengths; > and < are bounds."
    return pivot("kappa", "Sharing factor kappa", note, shown, _kappa, without=["lengths"])


def parts_table(shown: Sequence[Shown[Sharing]]) -> StudyTable:
    """What each kappa rests on: a row each."""
    lengths = sorted({length for one in shown for length in one.result.parts})
    shown = sorted(shown, key=lambda one: (one.label.order, model_order(one.label.model)))
    title = "Sharing factor kappa and its parts"
    headings = ("source", "task", "model", "supervision", "L", "setting")
    labels, shared, title = varying_labels([one.label for one in shown], headings, title)
    body = []
    for one in shown:
        sharing = one.result
        total = Entry(sharing.sum_text, _digits(sharing.sum_text), sharing.key)
        parts = [sharing.parts.get(length) for length in lengths]
        numbers = [_kappa(sharing), _size(sharing.joint), total]
        numbers += [EMPTY if part is None else _size(part) for part in parts]
        body.append([*label_entries(one.label, labels), *numbers])
    columns = [*labels, "kappa", "N* together", "sum alone", *(f"n={length}" for length in lengths)]
    note = "N* at the lengths 2..L together, and at each length n alone."
    return StudyTable("kappa_parts", title, note, columns, len(labels), body, shared)


def _kappa(sharing: Sharing) -> Entry:
    value = sharing.factor.value
    return Entry(str(sharing.factor), "" if value is None else value, sharing.key)


def _size(record: SearchRecord) -> Entry:
    return Entry(record.verdict, _digits(record.verdict), record.key)


def _digits(text: str) -> int | str:
    """The number in a text such as "> 8,192" or "> all 20 that exist"; the text where there is none."""
    digits = "".join(filter(str.isdigit, text))
    return int(digits) if digits else text


def _searches(sharing: Sharing) -> list[SearchRecord]:
    return [sharing.joint, *sharing.parts.values()]
