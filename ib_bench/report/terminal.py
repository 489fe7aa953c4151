"""How tables look on a terminal: the title above, which may be wider than the table, and the note below.

Rich's own table takes a tenth of a millisecond for each cell; a store holds thousands of searches. This one lays cells
out as plain text and leaves to rich what is done once: colours, the terminal's width, wrapping where it is too narrow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.segment import Segment
from rich.text import Text

Justify = Literal["left", "right"]

_BETWEEN = "  "


@dataclass(frozen=True)
class _Column:
    title: str
    justify: Justify
    no_wrap: bool


@dataclass
class PlainTable:
    """A table with one line below its head, to be printed by rich.

    A cell is a text as it is, without markup, or rich's ``Text``, whose style it is shown in.
    """

    _columns: list[_Column] = field(default_factory=list)
    _rows: list[Sequence[str | Text]] = field(default_factory=list)

    def add_column(self, title: str, justify: Justify = "left", no_wrap: bool = False) -> None:
        """Add a column, before any row.

        Args:
            title: its heading.
            justify: to which side its cells move.
            no_wrap: keep its cells on one line, however narrow the terminal is.
        """
        self._columns.append(_Column(title, justify, no_wrap))

    def add_row(self, *cells: str | Text) -> None:
        """Add a row, a cell for each column."""
        self._rows.append(cells)

    def add_section(self) -> None:
        """Leave a line free before the next row."""
        self._rows.append([""] * len(self._columns))

    def fitted(self, max_width: int) -> FittedTable:
        """The table with the widths of its columns: some may wrap, down to their longest word, the others never.

        Args:
            max_width: of the table; it is wider where nothing more can give way.
        """
        rows = ([cell if isinstance(cell, str) else cell.plain for cell in row] for row in self._rows)
        texts = [set(column) for column in zip([column.title for column in self._columns], *rows, strict=True)]
        natural = [max(map(cell_len, column)) for column in texts]
        widths = list(natural)
        if _total(widths) > max_width:
            words = [{word for text in column for word in text.split()} for column in texts]
            least = [
                width if column.no_wrap else max(map(cell_len, longest), default=0)
                for column, width, longest in zip(self._columns, widths, words, strict=True)
            ]
            while _total(widths) > max_width and widths != least:
                widest = max(range(len(widths)), key=lambda index: widths[index] * (widths[index] > least[index]))
                widths[widest] -= 1
        wraps = widths != natural or any("\n" in text for column in texts for text in column)
        return FittedTable(self._columns, self._rows, widths, wraps)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.fitted(options.max_width)


@dataclass(frozen=True)
class FittedTable:
    """A table whose columns have a width each."""

    _columns: Sequence[_Column]
    _rows: Sequence[Sequence[str | Text]]
    _widths: Sequence[int]
    _wraps: bool

    @property
    def width(self) -> int:
        """Of the table."""
        return _total(self._widths)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield from self._row([Text(column.title, style="table.header") for column in self._columns], console)
        yield Segment("─" * self.width + "\n")
        for row in self._rows:
            yield from self._row(row, console)

    def _row(self, cells: Sequence[str | Text], console: Console) -> Iterable[Segment]:
        for line in self._wrapped(cells, console) if self._wraps else [cells]:
            yield from self._line(line, console)

    def _line(self, cells: Iterable[str | Text], console: Console) -> Iterable[Segment]:
        plain = ""
        for index, (cell, width, column) in enumerate(zip(cells, self._widths, self._columns, strict=True)):
            text = cell if isinstance(cell, str) else cell.plain
            space = " " * (width - cell_len(text))
            plain += _BETWEEN * (index > 0) + space * (column.justify == "right")
            if isinstance(cell, str):
                plain += text
            else:
                yield Segment(plain)
                yield Segment(text, console.get_style(cell.style))
                plain = ""
            plain += space * (column.justify == "left")
        yield Segment(plain + "\n")

    def _wrapped(self, row: Sequence[str | Text], console: Console) -> Iterable[Sequence[Text]]:
        """A row as the lines that it takes."""
        texts = [cell if isinstance(cell, Text) else Text(cell) for cell in row]
        wrapped = [list(text.wrap(console, width)) for text, width in zip(texts, self._widths, strict=True)]
        for lines in wrapped:
            for line in lines:
                line.rstrip()
        return zip_longest(*wrapped, fillvalue=Text())


def plain_table() -> PlainTable:
    """A table with one line below its head."""
    return PlainTable()


def titled(title: str, table: PlainTable, note: str) -> Group:
    """A table with a title above and a note below."""
    return Group(Text(title, style="bold"), table, Text(note, style="dim"))


def show(table: PlainTable | Group, console: Console | None = None) -> None:
    """Print a table; where it is wider than the terminal the lines are, rather than that a number is cut.

    Args:
        table: with or without a title.
        console: where to; None is the standard output.
    """
    console = console or Console()
    parts = table.renderables if isinstance(table, Group) else [table]
    parts = [part.fitted(console.width) if isinstance(part, PlainTable) else part for part in parts]
    width = console.width
    console.width = max([width, *(part.width for part in parts if isinstance(part, FittedTable))])
    console.print(Group(*parts), crop=False)
    console.width = width


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(_BETWEEN) * (len(widths) - 1)
