"""Tables of a study: a column for each model, for people, papers and programs."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from rich.console import Group
from rich.table import Table

from ib_bench.drawing.columns import write_rows
from ib_bench.drawing.labels import AnyResult, Label, Shown
from ib_bench.drawing.styles import distribution_text, models_in_order, regime_text
from ib_bench.drawing.terminal import MAX_ROWS, least_width, more_rows, terminal_table, titled
from ib_bench.plain_text import one_line


@dataclass(frozen=True)
class Entry:
    """The content of one place of a table.

    Attributes:
        text: for people.
        order: by which rows are sorted; a number where the text is one.
        key: of the record that it comes from, or None.
        is_bound: whether the number is only known to be larger, or smaller.
    """

    text: str
    order: float | str
    key: str | None = None
    is_bound: bool = False


EMPTY = Entry("", "")

Scale = Literal["log", "linear"]


@dataclass(frozen=True)
class StudyTable:
    """A table, independent of its output format.

    Attributes:
        name: file name without ending.
        title: what it shows.
        note: how to read it.
        columns: headings.
        num_labels: how many of the first columns say what the row is about.
        rows: entries, as many as columns.
        shared: labels that are the same in all rows, and so no columns; CSV, which has no title, makes them columns.
        protocol: by which the numbers were measured, with its version; empty where there is none. It stands below the
            table, and CSV makes it a column.
        scale: on which the page shades the columns that follow the labels, one for each model: ``log`` over the range
            of the numbers, ``linear`` from 0 to 1. None where these columns are not models.
        is_whole: whether the page shows all rows under any choice, because they are ranked among each other.
    """

    name: str
    title: str
    note: str
    columns: list[str]
    num_labels: int
    rows: list[list[Entry]]
    shared: dict[str, str] = field(default_factory=dict)
    protocol: str = ""
    scale: Scale | None = None
    is_whole: bool = False

    @property
    def caption(self) -> str:
        """The note, with the protocol."""
        return "\n".join(filter(None, [self.note, self.protocol and f"protocol: {self.protocol}"]))


_LABELS: dict[str, Callable[[Label], str | int | None]] = {
    "source": lambda label: label.source,
    "task": lambda label: label.task,
    "model": lambda label: label.model,
    "L": lambda label: label.max_length,
    "supervision": lambda label: regime_text(label.supervision),
    "lengths": lambda label: distribution_text(label.lengths),
    "setting": lambda label: label.setting,
}
"""Columns that say what a row is about, by their heading."""


def pivot(
    name: str,
    title: str,
    note: str,
    shown: Iterable[Shown[AnyResult]],
    entry: Callable[[AnyResult], Entry],
    without: Sequence[str] = (),
    scale: Scale = "log",
) -> StudyTable:
    """A table with a column for each model, and a row for everything else that varies.

    Args:
        name: file name without ending.
        title: what it shows; labels that all rows share are added.
        note: how to read it.
        shown: the results.
        entry: what the table shows of a result.
        without: headings of labels that say nothing of these results.
        scale: on which the page shades the numbers.
    """
    shown = sorted(shown, key=lambda one: one.label.order)
    heads = [heading for heading in _LABELS if heading not in (*without, "model")]
    labels, shared, title = varying_labels([one.label for one in shown], heads, title)
    models = models_in_order(one.label.model for one in shown)
    rows: dict[tuple[Entry, ...], list[dict[str, Entry]]] = {}
    for one in shown:
        alike = rows.setdefault(tuple(label_entries(one.label, labels)), [{}])
        if one.label.model in alike[-1]:  # no label tells it from another: it has a row of its own
            alike.append({})
        alike[-1][one.label.model] = entry(one.result)
    found = [(head, entries) for head, alike in rows.items() for entries in alike]
    body = [[*head, *(entries.get(model, EMPTY) for model in models)] for head, entries in found]
    return StudyTable(name, title, note, [*labels, *models], len(labels), body, shared, scale=scale)


def varying_labels(
    labels: Sequence[Label], headings: Sequence[str], title: str
) -> tuple[list[str], dict[str, str], str]:
    """The headings of labels that vary, at least one; what the others share; and the title with that.

    Args:
        labels: of all rows.
        headings: that may become columns.
        title: of the table.
    """
    varying = [name for name in headings if len({_LABELS[name](label) for label in labels}) > 1] or ["task"]
    shared = {}
    for name in headings:
        if labels and name not in (*varying, "source"):
            shared[name] = label_entries(labels[0], [name])[0].text
    shared = {name: text for name, text in shared.items() if text}
    said = ", ".join(f"L={text}" if name == "L" else text for name, text in shared.items())
    return varying, shared, f"{title}: {said}" if said else title


def label_entries(label: Label, headings: Iterable[str]) -> list[Entry]:
    """The entries that identify the result of a row.

    Args:
        label: of the result.
        headings: of the columns.
    """
    values = [_LABELS[heading](label) for heading in headings]
    return [Entry("" if value is None else str(value), "" if value is None else value) for value in values]


def rich_table(table: StudyTable) -> Group:
    """For the terminal, the first few hundred rows."""
    left = more_rows(len(table.rows), f"tables/{table.name}.csv of ib-bench report lists all")
    return titled(table.title, _grid(table), "\n".join(filter(None, [left, table.caption])))


def narrowed(table: StudyTable, width: int) -> StudyTable:
    """The table with as many of its columns as a terminal has room for; the note names the others.

    Args:
        table: the labels and the first number always stay.
        width: of the terminal, in characters.
    """
    num_shown = len(table.columns)
    shown = table
    while num_shown > table.num_labels + 1 and least_width(_grid(shown)) > width:
        num_shown -= 1
        shown = replace(table, columns=table.columns[:num_shown], rows=[row[:num_shown] for row in table.rows])
    if left := table.columns[num_shown:]:
        note = f"{table.note} The terminal is too narrow for {', '.join(left)}: --format csv has all."
        shown = replace(shown, note=note)
    return shown


def _grid(table: StudyTable) -> Table:
    body = [[entry.text for entry in row] for row in table.rows[:MAX_ROWS]]
    return terminal_table(table.columns, body, set(table.columns[: table.num_labels]))


def by_source(columns: Sequence[str], rows: Mapping[str, Iterable[list[Entry]]]) -> tuple[list[str], list[list[Entry]]]:
    """Columns and rows of a table; the source comes first where there are several.

    Args:
        columns: without the source.
        rows: of each source, by its name.
    """
    if len(rows) < 2:
        return list(columns), [row for own in rows.values() for row in own]
    return ["source", *columns], [[Entry(name, name), *row] for name, own in rows.items() for row in own]


def markdown(table: StudyTable, link: Callable[[str], str] | None = None) -> str:
    """The table as Markdown, with a heading; nothing in a cell is markup.

    Args:
        table: to be written.
        link: from a record's key to where its config is.
    """

    def text(entry: Entry) -> str:
        escaped = _escaped(entry.text, _MARKDOWN)
        return f"[{escaped}]({link(entry.key)})" if link and entry.key else escaped

    rows = [[_escaped(column, _MARKDOWN) for column in table.columns], *([text(e) for e in row] for row in table.rows)]
    widths = [max(3, *map(len, column)) for column in zip(*rows, strict=True)]
    left = [index < table.num_labels for index in range(len(widths))]
    lines = [
        " | ".join(
            cell.ljust(width) if is_left else cell.rjust(width)
            for cell, width, is_left in zip(row, widths, left, strict=True)
        )
        for row in rows
    ]
    rule = "|".join(
        f":{'-' * (width + 1)}" if is_left else f"{'-' * (width + 1)}:"
        for width, is_left in zip(widths, left, strict=True)
    )
    body = "\n".join([f"| {lines[0]} |", f"|{rule}|", *(f"| {line} |" for line in lines[1:])])
    below = [
        _escaped(text, _MARKDOWN) for text in (table.note, table.protocol and f"protocol: {table.protocol}") if text
    ]
    return "\n\n".join([f"## {_escaped(table.title, _MARKDOWN)}", body, *below]) + "\n"


def latex(table: StudyTable) -> str:
    """The table as a LaTeX tabular for the package booktabs."""
    alignment = "l" * table.num_labels + "r" * (len(table.columns) - table.num_labels)
    texts = [table.columns, *([entry.text for entry in row] for row in table.rows)]
    head, *body = [" & ".join(_escaped(text, _LATEX) for text in row) + r" \\" for row in texts]
    lines = [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule", head, r"\midrule", *body, r"\bottomrule"]
    comments = [f"% {one_line(text)}" for text in (table.title, table.caption)]
    return "\n".join([*comments, *lines, r"\end{tabular}", ""])


def comma_separated(table: StudyTable) -> str:
    """As CSV with a header; the first columns are what all rows share, the last are the keys of the row's records."""
    file = io.StringIO()
    same = {**table.shared, **({"protocol": table.protocol} if table.protocol else {})}
    shared = list(same.values())
    rows = []
    for row in table.rows:
        keys = dict.fromkeys(entry.key for entry in row if entry.key)
        rows.append([*shared, *(entry.text for entry in row), " ".join(keys)])
    write_rows(file, [*same, *table.columns, "records"], rows)
    return file.getvalue()


_MARKDOWN = str.maketrans({**{one: f"\\{one}" for one in "\\`*_[]|~$"}, "&": "&amp;", "<": "&lt;"})
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "^": r"\textasciicircum{}",
        "~": r"\textasciitilde{}",
        "<": r"\ensuremath{<}",
        ">": r"\ensuremath{>}",
        "\N{INFINITY}": r"\ensuremath{\infty}",
        "\N{GREATER-THAN OR EQUAL TO}": r"\ensuremath{\geq}",
        "\N{LESS-THAN OR EQUAL TO}": r"\ensuremath{\leq}",
        **{character: f"\\{character}" for character in "&%$#_{}"},
        **{character: f"{{{character}}}" for character in "[*"},  # a line break before them would swallow it
    }
)


def _escaped(text: str, replacements: dict[int, str]) -> str:
    """One line in which nothing is markup."""
    return one_line(text).translate(replacements)
