from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from typing import cast

from rich.console import Console

from ib_bench.drawing.tables import Entry, StudyTable, comma_separated, latex, markdown, narrowed, rich_table

EVIL = "<!--<script>alert(1)</script>|\n$x^$ 50% & a_b \\ `c` =1"


def table(text: str) -> StudyTable:
    rows = [[Entry(text, text), Entry("> 4,096", 4096, "k1")], [Entry("b", "b"), Entry("7", 7, "k2")]]
    return StudyTable("name", f"title {text}", f"note {text}", ["task", "LSTM"], 1, rows, {"L": text})


def test_markdown_links_numbers_to_configs() -> None:
    lines = markdown(table("plain"), link="../{}.yaml".format).splitlines()
    assert lines[0] == "## title plain" and lines[-1] == "note plain"
    assert lines[2:6] == [
        "| task  |                  LSTM |",
        "|:------|----------------------:|",
        "| plain | [> 4,096](../k1.yaml) |",
        "| b     |       [7](../k2.yaml) |",
    ]


def test_every_form_names_the_protocol_if_there_is_one() -> None:
    own = replace(table("plain"), protocol="score-v1, budget laptop")
    assert markdown(own).splitlines()[-3:] == ["note plain", "", "protocol: score-v1, budget laptop"]
    assert "% note plain protocol: score-v1, budget laptop" in latex(own).splitlines()
    rows = list(csv.DictReader(io.StringIO(comma_separated(own))))
    assert {row["protocol"] for row in rows} == {"score-v1, budget laptop"}
    console = Console(file=io.StringIO(), width=200)
    console.print(rich_table(own))
    assert "protocol: score-v1, budget laptop" in cast(io.StringIO, console.file).getvalue()
    for text in (markdown(table("plain")), latex(table("plain")), comma_separated(table("plain"))):
        assert "protocol" not in text


def test_nothing_in_a_cell_of_markdown_is_markup() -> None:
    lines = markdown(table(EVIL)).splitlines()
    assert len(lines) == 8
    assert not any("<" in line for line in lines)
    row = lines[4]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert r"\$x^\$" in row and r"\`c\`" in row and r"a\_b" in row


def test_latex_keeps_titles_in_comments_and_escapes_cells() -> None:
    lines = latex(table(EVIL)).splitlines()
    assert [line for line in lines if line.startswith("%")] == lines[:2]
    assert lines[2] == r"\begin{tabular}{lr}"
    assert lines[6].endswith(r" & \ensuremath{>} 4,096 \\")
    assert r"\$x\textasciicircum{}\$ 50\% \& a\_b \textbackslash{}" in lines[6]
    assert lines[-1] == r"\end{tabular}"


def test_csv_has_what_all_rows_share_and_the_keys() -> None:
    rows = list(csv.DictReader(io.StringIO(comma_separated(table("=1+1")))))
    assert rows[0] == {"L": "'=1+1", "task": "'=1+1", "LSTM": "> 4,096", "records": "k1"}


def test_a_narrow_terminal_gets_the_first_numbers_and_the_names_of_the_others() -> None:
    rows = [[Entry("a", "a"), *(Entry("1.00 [0.50, 2.00]", 1) for _ in range(3))]]
    own = StudyTable("name", "title", "note.", ["task", "LSTM", "GRU", "RNN"], 1, rows)
    assert narrowed(own, 80) == own
    shown = narrowed(own, 50)
    assert shown.columns == ["task", "LSTM", "GRU"] and [len(row) for row in shown.rows] == [3]
    assert shown.note == "note. The terminal is too narrow for RNN: --format csv has all."
    assert narrowed(own, 1).columns == ["task", "LSTM"]
