from __future__ import annotations

import io

from ib_bench.report.terminal import plain_table, show, titled
from rich.console import Console
from rich.text import Text


def printed(num_columns: int, width: int) -> list[str]:
    table = plain_table()
    table.add_column("supervision")
    for index in range(num_columns):
        table.add_column(f"n={index}", justify="right", no_wrap=True)
    table.add_row("aligned CoT", *["> 8,192"] * num_columns)
    console = Console(width=width, file=io.StringIO())
    show(titled("A title that is wider than the table that it is of", table, "a note"), console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


def test_numbers_are_never_cut() -> None:
    lines = printed(num_columns=12, width=60)
    row = next(line for line in lines if "8,192" in line)
    assert row.count("> 8,192") == 12
    assert row.startswith("aligned")
    assert len({len(line.rstrip()) for line in lines if "8,192" in line}) == 1


def test_labels_wrap_before_the_terminal_does() -> None:
    table = plain_table()
    table.add_column("what is compared, in many words")
    table.add_column("true", justify="right", no_wrap=True)
    table.add_row("the number of one model and the number of another model", "12,345")
    console = Console(width=30, file=io.StringIO())
    show(table, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 30
    assert any(line.rstrip().endswith("12,345") for line in lines)


def test_a_title_may_be_wider_than_its_table() -> None:
    lines = printed(num_columns=1, width=60)
    assert lines[0].strip() == "A title that is wider than the table that it is of"
    assert max(map(len, lines)) <= 60


def test_texts_are_shown_as_they_are() -> None:
    table = plain_table()
    table.add_column("markup")
    table.add_column("N*", justify="right")
    table.add_row("[bold]5[/bold] :smile:", Text("> 5", style="bold"))
    table.add_section()
    table.add_row("two\nlines", "7")
    console = Console(width=60, file=io.StringIO(), force_terminal=True, color_system="standard", legacy_windows=False)
    show(table, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert lines[2] == "[bold]5[/bold] :smile:  \x1b[1m> 5\x1b[0m"
    assert not lines[3].strip()
    assert lines[4].split() == ["two", "7"] and lines[5].strip() == "lines"
