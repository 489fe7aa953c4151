from __future__ import annotations

import io

from rich.console import Console, Group
from rich.text import Text

from ib_bench.drawing.terminal import MAX_ROWS, more_rows, show, terminal_table, titled


def lines_of(table: object, width: int, **console: object) -> list[str]:
    file = io.StringIO()
    show(table, Console(width=width, file=file, **console))  # type: ignore[arg-type]
    return file.getvalue().splitlines()


def printed(num_columns: int, width: int) -> list[str]:
    headings = ["supervision", *(f"n={index}" for index in range(num_columns))]
    table = terminal_table(headings, [["aligned CoT", *["> 8,192"] * num_columns]], {"supervision"})
    return lines_of(titled("A title that is wider than the table that it is of", table, "a note"), width)


def test_numbers_are_never_cut() -> None:
    lines = printed(num_columns=12, width=60)
    row = next(line for line in lines if "8,192" in line)
    assert row.count("> 8,192") == 12
    assert row.startswith("aligned")
    assert len([line for line in lines if "8,192" in line]) == 1


def test_a_table_deep_in_groups_is_not_cut_either() -> None:
    headings = [f"n={index}" for index in range(12)]
    table = titled("one", terminal_table(headings, [["> 8,192"] * 12], set()))
    assert any(line.count("> 8,192") == 12 for line in lines_of(Group(Group(table), Text("another")), 60))


def test_labels_wrap_before_the_terminal_does() -> None:
    rows = [["the number of one model and the number of another model", "12,345"]]
    lines = lines_of(terminal_table(["what is compared", "true"], rows, {"what is compared"}), 30)
    assert max(map(len, lines)) <= 30
    assert any(line.rstrip().endswith("12,345") for line in lines)


def test_a_title_may_be_wider_than_its_table() -> None:
    lines = printed(num_columns=1, width=60)
    assert lines[0].strip() == "A title that is wider than the table that it is of"
    assert lines[-1].strip() == "a note"
    assert max(map(len, lines)) <= 60


def test_texts_are_shown_as_they_are() -> None:
    rows = [["[bold]5[/bold] :smile:", Text("> 5", style="bold")], ["r[/b]", "7"]]
    table = terminal_table(["mark[/x]up", "N*"], rows, {"mark[/x]up"}, breaks={1})
    lines = lines_of(titled("[red]title[/b]", table), 60, force_terminal=True, color_system="standard")
    assert "[red]title[/b]" in lines[0] and "mark[/x]up" in lines[1]
    assert lines[3] == "[bold]5[/bold] :smile:  \x1b[1m> 5\x1b[0m"
    assert not lines[4].strip()
    assert lines[5].split() == ["r[/b]", "7"]


def test_escapes_in_labels_never_reach_the_terminal() -> None:
    label = "\x1b]0;title\x07\x1b[31mL\x9b2JSTM\x1b[0m\nsecond\u202e line\x00"
    table = terminal_table(["model", "N*"], [[label, Text("\x1b[5m7")]], {"model"})
    text = "\n".join(lines_of(titled(f"title {label}", table, label), 80))
    assert "LSTM second line   7" in text
    assert not set(text) & {"\x1b", "\x9b", "\x07", "\x00", "\u202e"}


def test_rows_beyond_the_limit_are_counted() -> None:
    assert more_rows(MAX_ROWS) == ""
    assert more_rows(MAX_ROWS + 1) == "\N{HORIZONTAL ELLIPSIS} 1 more row; --format csv lists all"
    assert more_rows(MAX_ROWS + 1_200) == "\N{HORIZONTAL ELLIPSIS} 1,200 more rows; --format csv lists all"
