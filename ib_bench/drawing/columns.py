"""One list of columns for each kind of result: on terminals, as CSV, JSON and Parquet, and in W&B summaries."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TextIO, TypeVar

from rich.console import Group
from rich.text import Text

from ib_bench.drawing.labels import Labelled, model_texts
from ib_bench.drawing.terminal import MAX_ROWS, more_rows, terminal_table, titled
from ib_bench.drawing.texts import DOT, value_text
from ib_bench.errors import BenchError
from ib_bench.plain_text import one_line
from ib_bench.results.identity import Json
from ib_bench.results.records import PAPER_PROTOCOL, PAPER_VERSION, task_text

Row = TypeVar("Row", contravariant=True)
Other = TypeVar("Other")
Table = dict[str, list[Any]]
"""Values by column; None where a row has no such value."""


@dataclass(frozen=True)
class Column(Generic[Row]):
    """One property of results.

    Attributes:
        name: in CSV, JSON, exports and W&B summaries.
        value: returns plain data, as JSON can hold it.
        title: heading on terminals; None leaves the column out there.
        text: how the value is written for people.
        is_label: whether it says what the result is about. On terminals such a column stands on the left, and what all
            rows share is said once above the table; a W&B run has it in its config.
        texts: of all rows for people, where a text depends on more than the value; None uses ``text``.
        style: on terminals, such as ``bold``.
    """

    name: str
    value: Callable[[Row], Any]
    title: str | None = None
    text: Callable[[Any], str] = value_text
    is_label: bool = False
    texts: Callable[[Sequence[Row]], list[str]] | None = None
    style: str = ""

    def of(self, other: Callable[[Other], Row]) -> Column[Other]:
        """The same column of rows of another type.

        Args:
            other: the row whose column this is, in a row of the other type.
        """
        value, texts = self.value, self.texts
        return Column(
            self.name,
            lambda row: value(other(row)),
            self.title,
            self.text,
            self.is_label,
            None if texts is None else lambda rows: texts([other(row) for row in rows]),
            self.style,
        )


LABELS: tuple[Column[Labelled], ...] = (
    Column("key", lambda one: one.key, is_label=True),
    Column("model", lambda one: one.labels.model, "model", is_label=True, texts=model_texts),
    Column("task", lambda one: one.labels.task, "task", is_label=True, texts=lambda rows: _tasks(rows)),
    Column("task_args", lambda one: dict(one.labels.task_arguments), is_label=True),
    Column("supervision", lambda one: one.labels.supervision, "supervision", is_label=True),
    Column("length_distribution", lambda one: one.labels.length_distribution, "lengths", is_label=True),
    Column("max_length", lambda one: one.labels.max_length, "L", "L={}".format, is_label=True),
)
"""The columns that every kind of result begins with."""

CHOICES: tuple[Column[Labelled], ...] = (
    Column("model_args", lambda one: dict(one.config.experiment.model.init_args), is_label=True),
    Column("trainer", lambda one: dict(one.config.experiment.trainer), is_label=True),
    Column("protocol", lambda one: PAPER_PROTOCOL, is_label=True),
)
"""What else was chosen about the experiment, for programs."""


def _tasks(rows: Sequence[Labelled]) -> list[str]:
    return [task_text(row.labels) for row in rows]


def json_row(row: Row, columns: Iterable[Column[Row]]) -> Json:
    """All columns of a row as plain data."""
    return {column.name: column.value(row) for column in columns}


def json_text(data: Any) -> str:
    """Plain data as JSON."""
    return json.dumps(data, indent=2, allow_nan=False) + "\n"


def summary(row: Row, columns: Iterable[Column[Row]]) -> Json:
    """What a W&B run's summary holds: everything that was measured; labels are in the run's config."""
    return {column.name: column.value(row) for column in columns if not column.is_label}


def listing(
    rows: Sequence[Row],
    columns: Iterable[Column[Row]],
    title: str,
    note: str = "",
    settings: Callable[[Sequence[Row]], list[str]] | None = None,
) -> Group:
    """Rows on a terminal, the first few hundred of them.

    What all rows share is said once, above the table, and so is the protocol that measured them. The first label is a
    column always, and a line is left free where it changes.

    Args:
        rows: in order.
        columns: of which those with a title are shown.
        title: of the table.
        note: below it.
        settings: texts that tell rows apart of which all labels are the same; a column if there are such rows.
    """
    titled_columns = [column for column in columns if column.title is not None]
    labels = {str(column.title): _texts(column, rows) for column in titled_columns if column.is_label}
    if settings is not None and len(set(zip(*labels.values(), strict=True))) < len(rows):
        labels["setting"] = settings(rows)
    varying = [name for index, (name, texts) in enumerate(labels.items()) if index == 0 or len(set(texts)) > 1]
    shared = [texts[0] for name, texts in labels.items() if name not in varying and rows and texts[0]]
    shown = rows[:MAX_ROWS]
    cells: list[Sequence[str | Text]] = [labels[name][:MAX_ROWS] for name in varying]
    numbers = [column for column in titled_columns if not column.is_label]
    cells += [[Text(text, style=column.style) for text in _texts(column, shown)] for column in numbers]
    body = list(zip(*cells, strict=True))
    breaks = {index for index in range(1, len(shown)) if varying and body[index][0] != body[index - 1][0]}
    table = terminal_table([*varying, *(str(column.title) for column in numbers)], body, set(varying), breaks)
    heading = f"{title}\n{DOT.join([*shared, f'protocol {PAPER_VERSION}'])}"
    return titled(heading, table, "\n".join(filter(None, [more_rows(len(rows)), note])))


def _texts(column: Column[Row], rows: Sequence[Row]) -> list[str]:
    if column.texts is not None:
        return column.texts(rows)
    return [column.text(column.value(row)) for row in rows]


def flat_table(rows: Iterable[Row], columns: Sequence[Column[Row]]) -> Table:
    """Rows as flat columns, for spreadsheets and data frames.

    A dictionary has a column for each of its entries, such as ``task_args.modulus``; lists are left to JSON and
    archives.
    """
    table: Table = {}
    for num_rows, row in enumerate(rows):
        flat = _flat({column.name: column.value(row) for column in columns})
        for name in flat:
            table.setdefault(name, [None] * num_rows)
        for name, values in table.items():
            values.append(flat.get(name))
    return table


def _flat(row: Mapping[str, Any], prefix: str = "") -> Json:
    flat: Json = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        elif not isinstance(value, (list, tuple)):
            flat[f"{prefix}{name}"] = value
    return flat


def csv_text(table: Table) -> str:
    """A table as CSV with a header; None is empty, and no rows are no text."""
    file = io.StringIO()
    if table:
        write_rows(file, list(table), zip(*table.values(), strict=True))
    return file.getvalue()


def write_csv(table: Table, path: Path) -> None:
    """Write a table as CSV with a header; None is empty.

    Raises:
        OSError: the file cannot be written.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        write_rows(file, list(table), zip(*table.values(), strict=True))


def write_parquet(table: Table, path: Path) -> None:
    """Write a table as Parquet; a column whose values are of several types becomes text.

    Raises:
        BenchError: pyarrow is not installed.
        OSError: the file cannot be written.
    """
    try:
        import pyarrow  # noqa: PLC0415 (an extra)
        import pyarrow.parquet  # noqa: PLC0415
    except ImportError as error:
        raise BenchError("a .parquet file needs pyarrow: pip install 'ib_bench[parquet]'") from error
    pyarrow.parquet.write_table(pyarrow.table({name: _of_one_type(values) for name, values in table.items()}), path)


def write_rows(file: TextIO, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write CSV whose texts no spreadsheet takes for formulas."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(list(map(csv_cell, headings)))
    writer.writerows([csv_cell(value) for value in row] for row in rows)


def csv_cell(value: Any) -> Any:
    """A value as it may stand in CSV: one line, and a text that a spreadsheet would compute has an apostrophe first."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.lstrip().startswith(_FORMULA) and not _is_number(text) else text


_FORMULA = ("=", "+", "-", "@")
_NUMBER = re.compile(r"-?[\d.,]+(e[-+]?\d+)?( \[[-\d.,e?> \u221e]*\])?\*?")
"""A number, as tables write it: with an interval, such as ``-0.49 [-1.92, 0.91]``, or a star."""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return _NUMBER.fullmatch(text) is not None
    return True


def _of_one_type(values: list[Any]) -> list[Any]:
    types = {type(value) for value in values if value is not None}
    if len(types) <= 1:
        return values
    if types == {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else str(value) for value in values]
