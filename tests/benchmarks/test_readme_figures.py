"""The figures of ``make bench`` in the README fit each other, and the code where no machine matters."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import _BENCHMARKS, _HEADINGS
from benchmarks.measurement import Measurement
from benchmarks.reference import futility

_TABLE = (Path(__file__).parent / "README.md").read_text(encoding="utf-8").partition("| benchmark |")[2]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in _TABLE.partition("\n\n")[0].splitlines()[2:]
    if line.startswith("|")
]
_NUMBER = re.compile(r"(-?[\d.]+)(x|s|ms|GB|%)")
_TARGET = re.compile(r"(<=|>=) ([\d.]+)(x|s|ms|GB|%)( \(missed\))?")
_RATIO = re.compile(r"([\d.]+) against ([\d.]+)")


def measurement(row: list[str]) -> tuple[Measurement, bool]:
    """A row as it was measured, and whether it is marked as missed."""
    benchmark, what, measured, target, source = row
    number = _NUMBER.fullmatch(measured)
    assert number is not None, row
    bound = _TARGET.fullmatch(target)
    assert bound is not None or not target, row
    limit, at_least = (None, False) if bound is None else (float(bound[2]), bound[1] == ">=")
    found = Measurement(benchmark, what, float(number[1]), number[2], limit, at_least, source)
    return found, bound is not None and bound[4] is not None


def test_the_table_has_the_columns_and_benchmarks_of_the_command() -> None:
    header = "| benchmark |" + _TABLE.partition("\n")[0]
    assert [cell.strip() for cell in header.strip("|").split("|")] == _HEADINGS
    assert len(ROWS) > 50 and {row[0] for row in ROWS} <= set(_BENCHMARKS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_a_row_says_of_itself_whether_it_misses_its_target(row: list[str]) -> None:
    found, is_missed = measurement(row)
    assert found.measured_text == row[2]
    ratio = _RATIO.match(found.note)
    if found.benchmark == "steps":
        assert ratio is not None
        assert float(ratio[1]) / float(ratio[2]) == pytest.approx(found.value, rel=0.02)
    if found.value != found.target:  # where rounding makes them equal, only the timings could decide
        assert is_missed == (found.reached is False)


def test_the_rows_of_the_reference_results_are_what_these_give() -> None:
    shown = [row for row in ROWS if row[0] == "futility"]
    assert shown == [[one.benchmark, one.what, one.measured_text, one.target_text, one.note] for one in futility()]
