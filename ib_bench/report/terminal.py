"""How tables look on a terminal: the title above, which may be wider than the table, and the note below."""

from __future__ import annotations

from rich import box
from rich.console import Group
from rich.table import Table
from rich.text import Text


def plain_table() -> Table:
    """A table with one line below its head."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)


def titled(title: str, table: Table, note: str) -> Group:
    """A table with a title above and a note below."""
    return Group(Text(title, style="bold"), table, Text(note, style="dim"))
