"""What commands write: whole files, never over a store, however its path is written."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from damage import write_store
from made_up_records import ACOT, Point, search, trial

import ib_bench
from ib_bench.cli import main
from ib_bench.errors import BenchError
from ib_bench.results.store import Store
from ib_bench.results.whole_file import write_text_whole

STORE = "ib_bench.sqlite"
POINT = Point("LSTM", ACOT)
RECORDS = [search(POINT, 64), trial(POINT, 4096)]
SEARCH = ["search", "--model", "LSTM", "--data", "ModularAddition", "--wandb.mode", "disabled", "--search.max_steps=2"]

OUTPUTS: dict[str, Callable[[str], list[str]]] = {
    "log_file": lambda path: [*SEARCH, "--log_file", path],
    "out of a dashboard": lambda path: ["wandb", "workspace", "--dry_run", "--out", path],
    "file of an export": lambda path: ["store", "export", path],
}
"""The command that writes a file, for each option that names one."""

ALIASES = {
    "itself": lambda folder, ending: STORE,
    "another path": lambda folder, ending: f"sub/../{STORE}",
    "link": lambda folder, ending: _linked(folder, f"link{ending}", os.symlink),
    "hard link": lambda folder, ending: _linked(folder, f"hard{ending}", os.link),
    "its log": lambda folder, ending: f"{STORE}-wal",
}


def _linked(folder: Path, name: str, link: Any) -> str:
    link(folder / STORE, folder / name)
    return name


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    write_store(tmp_path / STORE, RECORDS)
    (tmp_path / "sub").mkdir()
    return tmp_path


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("output", OUTPUTS)
def test_no_output_goes_onto_a_store(
    output: str, alias: str, working_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = ALIASES[alias](working_folder, ".csv")
    before = (working_folder / STORE).read_bytes()
    assert main(OUTPUTS[output](path)) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and "another file than" in said and repr(path) in said
    assert (working_folder / STORE).read_bytes() == before


def test_no_export_goes_onto_the_store_that_it_reads(working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (working_folder / STORE).rename("s.csv")
    assert main(["store", "export", "s.csv", "--store", "sub/../s.csv"]) == 2
    assert "file must be another file than the store, got 's.csv'" in capfd.readouterr().err
    with Store("s.csv", create=False) as store:
        assert len(list(store.all(type(RECORDS[0])))) == 1


def test_a_log_goes_onto_no_store_that_is_still_to_come(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "--store", "sub/new.sqlite", "--log_file", "sub/../sub/new.sqlite"]) == 2
    assert "log_file must be another file than the store" in capfd.readouterr().err
    assert not Path("sub/new.sqlite").exists()


def test_a_file_whose_name_begins_like_the_stores_is_another_one(working_folder: Path) -> None:
    arguments = ["--search.max_size=2", "--search.seeds=[1]", "--search.learning_rates=[0.001]"]
    assert main([*SEARCH, *arguments, "--data.max_length=3", "--log_file", f"{STORE}.log"]) == 0
    assert "1 search to run" in (working_folder / f"{STORE}.log").read_text()


def test_no_file_of_a_report_goes_onto_a_store(working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_store(working_folder / "sub" / "report.html", RECORDS)
    assert main(["report", "--out", "sub"]) == 2
    assert "report.html' cannot be written: it is a store" in capfd.readouterr().err
    Store(working_folder / "sub" / "report.html", create=False).close()


@pytest.mark.parametrize(("number", "text"), [(1, "1 table too large"), (2, "2 tables too large")])
def test_a_report_says_where_large_tables_are(
    number: int, text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    large = SimpleNamespace(rows=[["x"]] * 501, columns=["y"])
    made_up = SimpleNamespace(tables=[large] * number, write=lambda out: out / "report.html")
    monkeypatch.setattr("ib_bench.cli.report.study_report", lambda *_: made_up)
    assert main(["report", "--out", "sub"]) == 0
    assert capsys.readouterr().out.startswith(f"{text} to print: sub/tables")


WRITTEN = {
    "dashboard": (["wandb", "workspace", "--dry_run", "--out", "out.json"], "out.json"),
    "CSV": (["store", "export", "out.csv"], "out.csv"),
    "Parquet": (["store", "export", "out.parquet"], "out.parquet"),
    "archive": (["store", "export", "out.jsonl.gz"], "out.jsonl.gz"),
    "report": (["report", "--out", "out"], "out/report.html"),
    "table": (["report", "--out", "out"], "out/tables/min_train_size.tex"),
    "figure": (["report", "--out", "out"], "out/figures/min_train_size_against_length.svg"),
    "config": (["report", "--out", "out"], f"out/configs/{RECORDS[0].key}.yaml"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_file_is_whole_or_as_it_was(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A disk that is full, or a kill, comes before the file has its name."""
    arguments, path = WRITTEN[name]
    if name == "Parquet":
        pytest.importorskip("pyarrow")
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("as it was")
    replace = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target == Path(path).absolute():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fail)
        assert main(arguments) == 2
    assert "cannot be written: No space left on device" in capfd.readouterr().err
    assert Path(path).read_text() == "as it was"
    assert [file.name for file in Path(path).parent.glob(f"{Path(path).name}*")] == [Path(path).name]
    assert main(arguments) == 0
    assert Path(path).read_bytes() != b"as it was"


def test_a_link_stays_one_and_a_device_is_no_file(working_folder: Path) -> None:
    (working_folder / "link").symlink_to("sub/target")
    write_text_whole(working_folder / "link", "text")
    assert (working_folder / "link").is_symlink() and (working_folder / "sub" / "target").read_text() == "text"
    os.mkfifo(working_folder / "pipe")
    with pytest.raises(ib_bench.errors.StoreError, match="it is no regular file"):
        write_text_whole(working_folder / "pipe", "text")


def test_a_text_that_is_there_is_not_written_again(working_folder: Path) -> None:
    path = working_folder / "text"
    write_text_whole(path, "text")
    before = path.stat().st_ino
    write_text_whole(path, "text")
    assert path.stat().st_ino == before
    write_text_whole(path, "next")
    assert path.read_text() == "next"


_WRITES = {"write_text", "write_bytes", "to_csv", "savefig"}
_WRITERS = {
    "results/whole_file.py": "the one way",
    "drawing/columns.py": "CSV, to the path that it is given by write_whole",
    "results/archive.py": "line by line, to the path that it is given by write_whole",
    "tracking/runs.py": "a list that grows",
}


def test_nothing_else_opens_files_for_writing() -> None:
    found = set()
    for path in Path(ib_bench.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and not _is_in_write_whole(node, path):
                found.add((path.name, ast.unparse(node)))
    assert not found


def _is_in_write_whole(node: ast.Call, path: Path) -> bool:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    given = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
    modes = [argument.value for argument in given if isinstance(argument, ast.Constant)]
    opens = name == "open" and any(isinstance(mode, str) and set(mode) & set("wax") and len(mode) < 4 for mode in modes)
    if not opens and name not in _WRITES:
        return True
    line = path.read_text(encoding="utf-8").splitlines()[node.lineno - 1]
    return path.relative_to(Path(ib_bench.__file__).parent).as_posix() in _WRITERS or "write_whole" in line


UNREAD = """
import os, sys, types
from ib_bench import cli
from ib_bench.runner.counting import print_line

def unread(stream):
    reading, writing = os.pipe()
    os.close(reading)
    os.dup2(writing, stream)

sys.modules["ib_bench.cli.run"] = run = types.ModuleType("ib_bench.cli.run")
run.main = lambda command, arguments: print("a table" * 10_000) or 0
kept = os.dup(2)
unread(2)
print_line("1/9 searches")
print_line("2/9 searches")
os.dup2(kept, 2)
codes = []
for arguments in (["ls"], ["run", "--executor", "inline"]):
    unread(1)
    codes.append(cli.main(arguments))
print(codes, file=sys.stderr)
"""


def test_nobody_reads_what_is_printed() -> None:
    """``| head``: a list has printed enough; a measurement goes on without lines, and says that not all was shown."""
    ended = subprocess.run([sys.executable, "-c", UNREAD], capture_output=True, text=True, check=True)
    assert ended.stderr == "[0, 1]\n"


def test_a_quantity_that_cannot_be_imported_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> list[object]:
        raise BenchError("quantity 'mine' of the package mine cannot be imported: No module named 'gone'")

    monkeypatch.setattr("ib_bench.catalogue.quantities", fail)
    assert main(["ls"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "ib-bench: error: quantity 'mine' of the package mine cannot be imported: No module named 'gone'"
    ]
