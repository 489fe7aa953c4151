"""Tables and figures in a notebook: the terminal's tables as HTML, the report's figures as SVG."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group

from ib_bench.drawing.figure import Figure
from ib_bench.drawing.terminal import show
from ib_bench.results.identity import Json

_WIDTH = 120
"""Of a table, in characters; one that needs more gets more, and the cell scrolls."""

_PRE = (
    "<pre style=\"white-space:pre;overflow-x:auto;line-height:normal;font-family:Menlo,'DejaVu Sans Mono',"
    'consolas,monospace">{code}</pre>'
)


@dataclass(frozen=True)
class Drawing:
    """The view of an object as the last value of a notebook's cell.

    Attributes:
        tables: as they are printed on a terminal.
        figures: below the tables.
    """

    tables: Sequence[Group]
    figures: Sequence[Figure] = ()

    def __str__(self) -> str:
        return _recorded(self.tables).export_text()

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Json:
        return {"text/plain": str(self), "text/html": self.html}

    @property
    def html(self) -> str:
        """Tables and figures; nothing in it needs a script or a network."""
        return "\n".join([tables_html(self.tables), *map(_image, self.figures)])


def tables_html(tables: Sequence[Group]) -> str:
    """The terminal's tables as HTML, with their colours.

    Args:
        tables: one below the other.
    """
    return _recorded(tables).export_html(inline_styles=True, code_format=_PRE)


def _recorded(tables: Sequence[Group]) -> Console:
    console = Console(file=io.StringIO(), record=True, width=_WIDTH, force_jupyter=False)
    for table in tables:
        show(table, console)
    return console


def _image(figure: Figure) -> str:
    """A figure as an image of its own, whose names cannot clash with those of the page."""
    data = base64.b64encode(figure.svg.encode()).decode()
    return f'<img alt="{html.escape(figure.title)}" src="data:image/svg+xml;base64,{data}">'
