"""Tables and figures as a notebook shows them."""

from __future__ import annotations

from rich.console import Group
from rich.text import Text

from ib_bench.drawing.figure import Figure
from ib_bench.drawing.notebook import Drawing
from ib_bench.drawing.terminal import terminal_table, titled

SPEC = {"data": {"values": [{"x": 1}]}, "mark": "point", "encoding": {"x": {"field": "x", "type": "quantitative"}}}


def test_nothing_that_a_name_holds_becomes_markup() -> None:
    table = titled("<b>title</b>", terminal_table(["model"], [["<script>alert(1)</script>"]], {"model"}))
    html = Drawing([table], [Figure("f", '"><script>', SPEC)]).html
    assert "<script" not in html and "<b>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_wide_table_is_not_cut() -> None:
    wide = terminal_table([f"column {number}" for number in range(30)], [["123,456,789"] * 30], set())
    drawing = Drawing([Group(wide)])
    assert str(drawing).count("123,456,789") == drawing.html.count("123,456,789") == 30


def test_colours_are_kept_and_text_is_plain() -> None:
    drawing = Drawing([Group(Text("failed", style="bold red"))])
    assert "font-weight: bold" in drawing.html and str(drawing).strip() == "failed"
    assert drawing._repr_mimebundle_() == {"text/plain": str(drawing), "text/html": drawing.html}
