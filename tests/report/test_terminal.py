from __future__ import annotations

import io

from rich.console import Console

from ib_bench.report.terminal import plain_table, show, titled


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
