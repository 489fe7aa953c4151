"""The tables of the study: N*, length extrapolation, kappa with its parts, claims; for people, papers and programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from rich.console import Group
from tabulate import tabulate

from ib_bench.report.results import Results, Row, without_parts
from ib_bench.report.styles import DISTRIBUTIONS, REGIMES, models_in_order, rank
from ib_bench.report.terminal import plain_table, titled
from ib_bench.results.records import ExtrapolationRecord, SearchRecord
from ib_bench.studies.claims import WHY_OPEN, Claim
from ib_bench.studies.extrapolation import HEADLINE_MULTIPLE
from ib_bench.studies.futility import futility_notes

_LABELS = ("source", "task", "L", "supervision", "lengths", "setting")


@dataclass(frozen=True)
class Cell:
    """What one place of a table shows.

    Attributes:
        text: for people.
        order: by which rows are sorted; a number where the text is one.
        key: of the record that it comes from, or None.
    """

    text: str
    order: float | str
    key: str | None = None


@dataclass(frozen=True)
class StudyTable:
    """A table, whatever it is written as.

    Attributes:
        name: file name without ending.
        title: what it shows.
        note: how to read it.
        columns: headings.
        num_labels: how many of the first columns say what the row is about.
        rows: cells, as many as columns.
        shared: labels that are the same in all rows, and so no columns; CSV, which has no title, makes them columns.
    """

    name: str
    title: str
    note: str
    columns: list[str]
    num_labels: int
    rows: list[list[Cell]]
    shared: dict[str, str] = field(default_factory=dict)


def study_tables(results: Results, claims: dict[str, list[Claim]]) -> list[StudyTable]:
    """All tables.

    Args:
        results: what was measured.
        claims: for each source.
    """
    tables = [
        min_train_size_table(results.searches),
        extrapolation_table(results.extrapolations),
        kappa_table(results.sharings),
        parts_table(results.sharings),
        claims_table(claims),
    ]
    return [with_warnings(table, results.records) for table in tables]


def with_warnings(table: StudyTable, records: Iterable[SearchRecord | ExtrapolationRecord]) -> StudyTable:
    """The table with what there is to say of options that may change verdicts, if some records were made with them."""
    return replace(table, note="; ".join([table.note, *futility_notes(records)]))


def min_train_size_table(rows: Iterable[Row]) -> StudyTable:
    """Table 1: N* per architecture, regime, distribution, task and L."""
    note = "N*: training sequences needed; > N: more than the largest size tried. Lengths: of the training set."
    shown = without_parts(rows)
    return _pivot("min_train_size", "Minimal training set size N*", note, shown, _min_train_size_cell)


def extrapolation_table(rows: Iterable[Row]) -> StudyTable:
    """Table 2: normalised final-state accuracy at twice the training length."""
    note = (
        "final state, 0 is guessing and 1 perfect, of the model trained on the largest training set; with CoT it reads "
        "its own states. Learned positions beyond the training length are untrained. *: did not learn length L."
    )
    headline = [row for row in rows if row["multiple"] == HEADLINE_MULTIPLE and row["headline"]]
    return _pivot("extrapolation", "Length extrapolation: accuracy at 2 L", note, headline, _accuracy_cell)


def kappa_table(rows: Iterable[Row]) -> StudyTable:
    """Table 3: the sharing factor."""
    note = "kappa: the sum of N* at each length alone, over N* at all lengths; > and < are bounds."
    return _pivot("kappa", "Sharing factor kappa", note, [{**row, "lengths": None} for row in rows], _kappa_cell)


def parts_table(rows: Sequence[Row]) -> StudyTable:
    """Table 3, with what each kappa rests on: a row each."""
    lengths = sorted({length for row in rows for length in row["parts"]})
    rows = sorted(rows, key=lambda row: (_order(row), rank(row["model"])))
    title = "Sharing factor kappa and its parts"
    labels, shared, title = _labels(rows, ("source", "task", "model", "supervision", "L", "setting"), title)
    columns = [*labels, "kappa", "N* together", "sum alone", *(f"n={length}" for length in lengths)]
    body = []
    for row in rows:
        parts = [row["parts"].get(length) for length in lengths]
        numbers = [_kappa_cell(row), _number(row["joint"], row["key"]), _number(row["sum"], row["key"])]
        body.append(
            [*_label_cells(row, labels), *numbers, *(Cell("", "") if p is None else _number(*p) for p in parts)]
        )
    note = "N* at the lengths 2..L together, and at each length n alone."
    return StudyTable("kappa_parts", title, note, columns, len(labels), body, shared)


def claims_table(claims: dict[str, list[Claim]]) -> StudyTable:
    """The paper's claims and what the records say of them; a row for each statement.

    Args:
        claims: for each source.
    """
    columns = ["claim", "verdict", "comparison", "outcome", "true", "false", "open"]
    body = []
    for source, checked in claims.items():
        for claim in checked:
            for index, statement in enumerate(claim.statements):
                first = index == 0
                counts = [statement.count.true, statement.count.false, statement.count.open]
                texts = [claim.name if first else "", claim.verdict if first else "", statement.text, statement.verdict]
                order = f"{claim.name} {index}"
                row = [Cell(text, order) for text in texts] + [Cell(str(number), number) for number in counts]
                body.append([Cell(source, source), *row] if len(claims) > 1 else row)
    if len(claims) > 1:
        columns.insert(0, "source")
    note = "true, false, open: pairs of results for which the comparison holds, does not, or cannot be decided. "
    note += WHY_OPEN
    return StudyTable("claims", "Claims of the paper", note, columns, len(columns) - 3, body)


def rich_table(table: StudyTable) -> Group:
    """For the terminal."""
    result = plain_table()
    for index, column in enumerate(table.columns):
        is_label = index < table.num_labels
        result.add_column(column, justify="left" if is_label else "right", no_wrap=not is_label)
    for row in table.rows:
        result.add_row(*(cell.text for cell in row))
    return titled(table.title, result, table.note)


def markdown(table: StudyTable, link: Callable[[str], str] | None = None) -> str:
    """As Markdown, with a heading.

    Args:
        table: to be written.
        link: from a record's key to where its config is.
    """
    linked = [
        [f"[{cell.text}]({link(cell.key)})" if link and cell.key else cell.text for cell in row] for row in table.rows
    ]
    text = tabulate(linked, table.columns, tablefmt="github", disable_numparse=True, colalign=_alignment(table))
    return f"## {table.title}\n\n{text}\n\n{table.note}\n"


def latex(table: StudyTable) -> str:
    """As a LaTeX tabular for the package booktabs."""
    texts = [[cell.text for cell in row] for row in table.rows]
    body = tabulate(texts, table.columns, tablefmt="latex_booktabs", disable_numparse=True, colalign=_alignment(table))
    return f"% {table.title}\n% {table.note}\n{body}\n"


def comma_separated(table: StudyTable) -> str:
    """As CSV with a header; the first columns are what all rows share, the last are the keys of the row's records."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*table.shared, *table.columns, "records"])
    for row in table.rows:
        keys = dict.fromkeys(cell.key for cell in row if cell.key)
        writer.writerow([*table.shared.values(), *(cell.text for cell in row), " ".join(keys)])
    return text.getvalue()


def _pivot(name: str, title: str, note: str, rows: list[Row], cell: Callable[[Row], Cell]) -> StudyTable:
    """A column for each model; a row for everything else that varies."""
    labels, shared, title = _labels(rows, _LABELS, title)
    models = models_in_order(row["model"] for row in rows)
    groups: dict[tuple[str, ...], dict[str, Cell]] = {}
    heads: dict[tuple[str, ...], list[Cell]] = {}
    for row in sorted(rows, key=_order):
        head = _label_cells(row, labels)
        identity = tuple(one.text for one in head)
        heads[identity] = head
        groups.setdefault(identity, {})[row["model"]] = cell(row)
    body = [[*heads[key], *(cells.get(model, Cell("", "")) for model in models)] for key, cells in groups.items()]
    return StudyTable(name, title, note, [*labels, *models], len(labels), body, shared)


def _labels(rows: Sequence[Row], labels: Sequence[str], title: str) -> tuple[list[str], dict[str, str], str]:
    """The labels in which rows differ, at least one, what they share, and the title with that."""
    varying = [name for name in labels if len({row[name] for row in rows}) > 1] or ["task"]
    shared = [name for name in labels if name not in varying and name != "source"] if rows else []
    texts = {name: cell.text for name, cell in zip(shared, _label_cells(rows[0], shared) if rows else [], strict=True)}
    told = ", ".join(f"L={text}" if name == "L" else text for name, text in texts.items() if text)
    return varying, {name: text for name, text in texts.items() if text}, f"{title}: {told}" if told else title


def _order(row: Row) -> tuple[object, ...]:
    return (
        row["source"],
        row["task"].partition("(")[0],
        row["size"] or 0,
        row["L"] or 0,
        _position(row["supervision"], list(REGIMES)),
        _position(row["lengths"], list(DISTRIBUTIONS)),
        row["setting"],
    )


def _position(value: str, order: Sequence[str]) -> int:
    return order.index(value) if value in order else len(order)


def _label_cells(row: Row, labels: Sequence[str]) -> list[Cell]:
    names = {**REGIMES, **DISTRIBUTIONS}
    cells = []
    for label in labels:
        value = row[label]
        text = names.get(value, str(value)) if isinstance(value, str) else "" if value is None else str(value)
        cells.append(Cell(text, value if isinstance(value, int) else text))
    return cells


def _min_train_size_cell(row: Row) -> Cell:
    return Cell(row["text"], row["drawn"], row["key"])


def _accuracy_cell(row: Row) -> Cell:
    return Cell(f"{row['final']:.2f}{'' if row['solved'] else '*'}", row["final"], row["key"])


def _kappa_cell(row: Row) -> Cell:
    return Cell(row["text"], "" if row["kappa"] is None else row["kappa"], row["key"])


def _number(text: str, key: str | None = None) -> Cell:
    digits = text.lstrip("> ").replace(",", "")
    return Cell(text, int(digits) if digits.isdigit() else text, key)


def _alignment(table: StudyTable) -> list[str]:
    return ["left" if index < table.num_labels else "right" for index in range(len(table.columns))]
