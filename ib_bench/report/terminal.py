"""How tables look on a terminal: the title above, which may be wider than the table, and the note below."""

from __future__ import annotations

from rich import box
from rich.console import Console, Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text


def plain_table() -> Table:
    """A table with one line below its head."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)


def titled(title: str, table: Table, note: str) -> Group:
    """A table with a title above and a note below."""
    return Group(Text(title, style="bold"), table, Text(note, style="dim"))


def show(table: Table | Group, console: Console | None = None) -> None:
    """Print a table; where it is wider than the terminal the lines are, rather than that a number is cut.

    Args:
        table: with or without a title.
        console: where to; None is the standard output.
    """
    console = console or Console()
    tables = [part for part in table.renderables if isinstance(part, Table)] if isinstance(table, Group) else [table]
    width = console.width
    console.width = max([width, *(_fit(part, console) for part in tables)])
    console.print(table)
    console.width = width


def _fit(table: Table, console: Console) -> int:
    """Fix the widths of a table's columns: those that may wrap give way, down to their longest word, the others never.

    Returns:
        The width of the table.
    """
    unlimited = console.options.update(width=10_000)
    widths, least = [], []
    for column in table.columns:
        texts = [Measurement.get(console, unlimited, text) for text in (column.header, *column.cells)]
        widths.append(max(text.maximum for text in texts))
        least.append(widths[-1] if column.no_wrap else max(text.minimum for text in texts))
    between = 2 * (len(widths) - 1)
    while sum(widths) + between > console.width and widths != least:
        widest = max(range(len(widths)), key=lambda index: widths[index] if widths[index] > least[index] else 0)
        widths[widest] -= 1
    for column, fixed in zip(table.columns, widths, strict=True):
        column.width = fixed
    return sum(widths) + between
