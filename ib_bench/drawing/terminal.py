"""Tables on a terminal, by rich: one line below the head, the title above, the note below."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ib_bench.plain_text import number_of, one_line

MAX_ROWS = 300
"""Rows that a table shows; rich takes a tenth of a millisecond for each cell."""

_MAX_WORD = 40
"""Width of a word of a label that is never broken; longer ones are where the terminal is narrow."""


def terminal_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    labels: Collection[str],
    breaks: Collection[int] = (),
) -> Table:
    """A table of labels, which may wrap, and numbers, which stand on the right and never wrap.

    Args:
        headings: of the columns.
        rows: of cells, as many as columns. A cell is a text without markup, or rich's ``Text`` with a style.
        labels: headings of the columns that hold labels.
        breaks: indices of rows before which a line is left free.
    """
    body = [[_cell(cell) for cell in row] for row in rows]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, collapse_padding=True)
    for index, heading in enumerate(headings):
        texts = [one_line(heading), *(row[index].plain for row in body)]
        if heading in labels:
            longest = max(cell_len(word) for word in {word for text in texts for word in text.split() or [""]})
            table.add_column(Text(texts[0]), overflow="fold", min_width=min(longest, _MAX_WORD))
        else:
            table.add_column(Text(texts[0]), justify="right", no_wrap=True, min_width=max(map(cell_len, texts)))
    for index, cells in enumerate(body):
        if index in breaks:
            table.add_row()
        table.add_row(*cells)
    return table


def titled(title: str, table: Table, note: str = "") -> Group:
    """A table with a title above and a note below.

    Args:
        title: may have several lines.
        table: of :func:`terminal_table`.
        note: may have several lines, or none.
    """
    parts: list[RenderableType] = [Text(_lines(title), style="bold"), table]
    if note:
        parts.append(Text(_lines(note), style="dim"))
    return Group(*parts)


def more_rows(num_rows: int, where: str = "--format csv lists all") -> str:
    """The note about rows that a table leaves out; empty if it shows all.

    Args:
        num_rows: that there are.
        where: they can be found.
    """
    left = num_rows - MAX_ROWS
    return f"\N{HORIZONTAL ELLIPSIS} {number_of(left, 'more rows')}; {where}" if left > 0 else ""


def show(table: Table | Group, console: Console | None = None) -> None:
    """Print a table. Where it is wider than the terminal its lines are too, so that no number is cut.

    Args:
        table: with or without a title.
        console: where to; None is the standard output.
    """
    console = console or Console()
    width = console.width
    console.width = max([width, *map(least_width, _tables(table))])
    console.print(table, crop=False)
    console.width = width


def console_beside(how: str) -> Console:
    """Where a command prints sentences: on the error stream where its output is data for another program.

    Args:
        how: the format of its output; ``table`` is for people.
    """
    return Console(stderr=how != "table")


def say(text: str, console: Console | None = None, style: str = "") -> None:
    """Print a sentence, in which nothing is markup or a command to the terminal.

    Args:
        text: becomes one line, however wide the terminal is.
        console: where to; None is the standard output.
        style: such as ``bold``.
    """
    (console or Console()).print(Text(one_line(text), style=style), soft_wrap=True)


def _tables(drawn: RenderableType) -> Iterator[Table]:
    """All tables of something drawn, however deep they lie in groups."""
    if isinstance(drawn, Table):
        yield drawn
    elif isinstance(drawn, Group):
        for part in drawn.renderables:
            yield from _tables(part)


def least_width(table: Table) -> int:
    """The width that a table of :func:`terminal_table` takes at least, with two spaces between columns."""
    return sum((column.min_width or 0) + 2 for column in table.columns) - 2


def _cell(cell: str | Text) -> Text:
    if isinstance(cell, Text):
        return Text(one_line(cell.plain), style=cell.style)
    return Text(one_line(cell))


def _lines(text: str) -> str:
    return "\n".join(map(one_line, text.split("\n")))
