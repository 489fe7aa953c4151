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
    unlimited = console.options.update(width=10_000)
    for column in (column for part in tables for column in part.columns):
        widths = [Measurement.get(console, unlimited, text) for text in (column.header, *column.cells)]
        column.min_width = max(width.maximum if column.no_wrap else width.minimum for width in widths)
    needed = max((Measurement.get(console, unlimited, part).minimum for part in tables), default=0)
    width = console.width
    console.width = max(width, needed)
    console.print(table)
    console.width = width
