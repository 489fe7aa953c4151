"""Labels of a stranger's store: no escape, markup or formula reaches a terminal, a page, a paper or a spreadsheet."""

from __future__ import annotations

import ast
import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from damage import write_store
from made_up_records import ACOT, Point, search, trial

import ib_bench
from ib_bench.cli import main
from ib_bench.report.html import page_data
from ib_bench.results.records import DataSpec, Experiment

EVIL = "=1+1\x1b]0;title\x07\x1b[31m\x9b5m\u202e[/b][red]$x^$<!--<script>alert(1)</script>\r\n=cmd|' /C calc'!A0 [*"
STORE, OUT = "s[/b].sqlite", "r[/b][red]"  # in the folders `s[` and `r[`
FORBIDDEN = {"\x1b", "\x9b", "\x07", "\r", "\u202e"}


def evil_experiment(point: Point) -> Experiment:
    plain = point.experiment
    arguments = {
        **plain.data.init_args,
        "supervision": EVIL,
        "length_distribution": EVIL,
        "modulus": f"{EVIL}{point.modulus}",
    }
    return replace(plain, data=DataSpec(f"mine.{EVIL}", arguments), trainer={"precision": EVIL})


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "mine.py").write_text("open('was run', 'w').close()\n")  # the module of the records' data
    for folder in ("s[", "r[", "m["):
        (tmp_path / folder).mkdir()
    records = []
    for point in (Point("LSTM", ACOT), Point("LSTM", ACOT, modulus=7), Point("DenseSSM", ACOT)):
        for record in (search(point, 64), trial(point, 4096)):
            evil = replace(record.config, experiment=evil_experiment(point))
            records.append(replace(record, config=evil, key=evil.key))  # type: ignore[type-var]
    other = search(Point("DenseSSM", ACOT, modulus=9), 64)
    write_store(tmp_path / STORE, [*records, other])
    return tmp_path


COMMANDS = [
    *(["results"], ["results", "--format", "csv"], ["results", "--format", "json"], ["claims"], ["claims", "--pairs"]),
    *(["trials"], ["trials", "--format", "csv"], ["store", "check"], ["store", "vacuum", "--dry_run"], ["status"]),
    *(["store", "export", f"{OUT}.csv"], ["report", "--out", OUT]),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_nothing_reaches_the_terminal(command: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--store", STORE]) in (0, 1)
    for text in capfd.readouterr():
        assert not FORBIDDEN & set(text)
    assert not Path("was run").exists()
    if command[0] == "report":
        kinds = {".csv", ".tex", ".md", ".html", ".svg", ".yaml"}
        paths = [path for path in Path(OUT).rglob("*") if path.suffix in kinds]
        assert {path.suffix for path in paths} == kinds
        for path in paths:
            text = path.read_bytes().decode()
            texts = [text, json.dumps(page_data(text), ensure_ascii=False)] if path.suffix == ".html" else [text]
            assert not FORBIDDEN & set("".join(texts)), path
            assert "\\u001b" not in texts[-1], path


def test_a_merge_and_an_error_say_names_as_they_are(working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["store", "merge", "m[/b].sqlite", STORE]) == 0
    assert "m[/b].sqlite: 7 records added" in capfd.readouterr().out
    assert main(["results", "--store", f"n{EVIL}"]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and not FORBIDDEN & set(said)


def test_a_spreadsheet_computes_nothing(working_folder: Path) -> None:
    assert main(["store", "export", "out.csv", "--store", STORE]) == 0
    with (working_folder / "out.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert any(cell.startswith("'=1+1") for cell in cells)
    assert not any(cell.startswith(("=", "@", "\t")) or "\n" in cell for cell in cells)


def test_a_page_has_no_script_but_its_own(working_folder: Path) -> None:
    assert main(["report", "--out", OUT, "--store", STORE]) == 0
    page = (working_folder / OUT / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page and "<!--<" not in page
    tables, texts = ([*(working_folder / OUT / "tables").glob(f"*.{kind}")] for kind in ("tex", "md"))
    assert tables and len(tables) == len(texts)
    for path in tables:
        for line in path.read_text(encoding="utf-8").splitlines():
            assert line[:1] in ("%", "\\") or line.endswith("\\\\"), line
            assert line[:1] not in ("[", "*"), line
    for path in texts:
        assert "<" not in path.read_text(encoding="utf-8")


def test_commands_print_by_functions_that_escape() -> None:
    """Rich takes a plain string for markup."""
    found = []
    for path in (Path(ib_bench.__file__).parent / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("console.print", "Console().print")):
                found += [ast.unparse(node) for arg in node.args if isinstance(arg, ast.Constant | ast.JoinedStr)]
    assert not found
