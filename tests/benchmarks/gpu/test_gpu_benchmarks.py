"""What ``make gpu`` runs, run on a CPU as far as one goes; what it measures is no matter of a test."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import grids
from benchmarks.gpu.checks import Check, NotRunError, Row, Section, checked
from benchmarks.gpu.grids import GridTimes, grid_checks
from benchmarks.gpu.marked_tests import checks_of_tests
from benchmarks.gpu.paper_grid import paper_checks, workloads
from benchmarks.gpu.steps import Size, memory_checks, padding_checks, step_checks
from benchmarks.gpu.summary import summary
from benchmarks.measurement import Measurement
from ib_bench.execution.inline import Inline
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.training.global_state import one_thread

CPU = torch.device("cpu")
TINY = [Size("LSTM", {"hidden_size": 4}), Size("DenseSSM", {"hidden_size": 4}, is_small=True)]
MAX_S = 0.02


@pytest.fixture(autouse=True)
def single_thread() -> Iterator[None]:
    """Two threads that wait for one another take longer for so little."""
    with one_thread():
        yield


def quiet(what: str) -> None:
    """Nobody watches."""


def rows(checks: Sequence[Check]) -> list[Row]:
    return list(checked([Section("tiny", 1.0, checks)], 200.0, None, quiet))


def verdicts(found: Iterable[Row]) -> set[str]:
    return {row.verdict for row in found}


MEASURED = {"met", "missed", "measured"}


@pytest.mark.system
def test_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SequenceModel, "compile_steps", lambda *_: None)  # other tests compile
    found = rows(step_checks(CPU, TINY[:1], MAX_S, max_length=6))
    by_name = {row.what: row for row in found}
    graph = by_name.pop("LSTM, width 4: step as a CUDA graph")
    assert (graph.verdict, graph.why) == ("not run", "a CPU has no CUDA graphs")
    assert verdicts(by_name.values()) <= MEASURED
    assert {name.partition(": ")[2] for name in by_name} == {
        "step",
        "trial against bare loop",
        "step against compiled step",
        "steps after which compiling has repaid itself",
    }
    assert by_name["LSTM, width 4: steps after which compiling has repaid itself"].target == "<= 20000"


@pytest.mark.system
def test_padding_and_memory() -> None:
    found = rows(padding_checks(CPU, TINY, MAX_S, max_length=6))
    assert len(found) == 4 and verdicts(found) <= {"met", "missed"}
    assert not [row for row in found if "results differ" in row.why]
    memory = rows(memory_checks(CPU, TINY[:1], max_length=6))
    assert [(row.verdict, row.why) for row in memory] == [("not run", "torch counts no memory of a CPU")]


@pytest.mark.slow
@pytest.mark.system
def test_grids_and_the_hours_that_follow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")
    monkeypatch.setattr(grids, "Processes", lambda num, gpus: Inline())
    monkeypatch.setattr(grids, "GRID", grids.GRID[:2])
    times = GridTimes()
    found = rows(grid_checks(CPU, TINY[1:], MAX_S, 1, times))
    assert [row.what.partition(": ")[2] or row.what for row in found] == [
        "DenseSSM, width 4, one by one: a step of one configuration".partition(": ")[2],
        "trial as usual against replayed as CUDA graphs",
        "one by one against 1 processes",
    ]
    assert [row.target for row in found] == ["", ">= 2x", ""]
    assert verdicts(found) <= MEASURED
    todo = [work for work in workloads("demo") if work.experiment.model.class_path.endswith("DenseSSM")]
    found = rows(paper_checks(CPU, lambda: todo, MAX_S, times))
    assert verdicts(found) == {"measured"}
    assert [row.what for row in found[1:]] == [
        f"the paper's grid, {how}" for how in ("one by one", "without CUDA graphs", "1 processes")
    ]
    assert all(row.measured.endswith("h") for row in found[1:])


def test_what_rests_on_a_missing_time_is_not_run() -> None:
    found = rows(grid_checks(CPU, TINY[1:], MAX_S, 1, GridTimes())[1:])
    assert [(row.verdict, row.why) for row in found] == [("not run", "the time of one by one is not known")] * 2


def sleepy(seconds: float) -> Iterator[Measurement]:
    yield Measurement("a", "first", 1.0, "x", 2.0)
    time.sleep(seconds)
    yield Measurement("a", "second", 3.0, "x", 2.0)


def failing(error: Exception) -> list[Measurement]:
    raise error


def test_whatever_happens_to_a_check_it_has_a_row() -> None:
    checks: dict[str, Callable[[], Iterable[Measurement]]] = {
        "both": partial(sleepy, 0.0),
        "error": partial(failing, ValueError("no\nsuch kernel")),
        "impossible": partial(failing, NotRunError("no compiler")),
        "slow": partial(sleepy, 60.0),
        "late": partial(sleepy, 0.0),
    }
    section = Section("some", 0.5, [Check(name, measure) for name, measure in checks.items()])
    found = list(checked([section, Section("others", 0.5, [Check("next", partial(sleepy, 0.0))])], 1.0, None, quiet))
    assert [(row.what, row.verdict, row.why) for row in found] == [
        ("first", "met", ""),
        ("second", "missed", ""),
        ("error", "failed", "ValueError: no such kernel"),
        ("impossible", "not run", "no compiler"),
        ("first", "met", ""),
        ("slow", "not run", "not done in the 0 s that were left"),
        ("late", "not run", "no time was left"),
        ("first", "met", ""),
        ("second", "missed", ""),
    ]
    (differing,) = rows([Check("a", lambda: [Measurement("a", "b", 1.0, "x", 2.0, note="1 and 2", same=False)])])
    assert (differing.verdict, differing.why) == ("missed", "results differ; 1 and 2")


TESTS = """
import os, signal, time, pytest

@pytest.mark.parametrize("number", [1, 2])
def test_right(number): pass

@pytest.mark.parametrize("number", [1, 2])
def test_wrong(number): assert number == 2

@pytest.mark.parametrize("number", [1, 2])
def test_skipped(number): pytest.skip("needs more")

@pytest.fixture
def broken():
    yield
    raise ValueError("at its end")

def test_broken(broken): pass

def test_slow():
    os.kill(os.getppid(), signal.SIGALRM)  # the time is up
    time.sleep(60)

def test_after(): pass
"""


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Of a pytest that knows nothing of this repository."""
    (tmp_path / "test_made_up.py").write_text(TESTS)
    return ["-c", os.devnull, "--rootdir", str(tmp_path), str(tmp_path / "test_made_up.py")]


def test_every_test_has_a_row_also_where_the_time_is_up(arguments: list[str]) -> None:
    section = Section("tests", 1.0, checks_of_tests(arguments))
    found = list(checked([section], 200.0, None, quiet))
    assert [(row.what, row.verdict) for row in found] == [
        ("made up: right", "met"),
        ("made up: wrong", "failed"),
        ("made up: skipped", "not run"),
        ("made up: broken", "failed"),
        ("made up: slow", "not run"),
        ("made up: after", "not run"),
    ]
    assert [row.measured.partition(" in ")[0] for row in found] == ["2 of 2", "1 of 2", "", "0 of 1", "", ""]
    assert [row.why for row in found[2:]] == [
        "needs more",
        "ValueError: at its end",
        "the time was up",
        "the time was up",
    ]
    assert found[1].why == "1: assert 1 == 2"


def test_a_pytest_that_does_not_start_is_a_failure() -> None:
    (row,) = checked([Section("tests", 1.0, checks_of_tests(["no-such-file.py"]))], 60.0, None, quiet)
    assert row.verdict == "failed" and "pytest found no tests" in row.why


Sections = Callable[[Sequence[Check]], None]


@pytest.fixture
def with_checks(monkeypatch: pytest.MonkeyPatch) -> Sections:
    """A machine without CUDA, and of all sections two short ones."""

    def use(checks: Sequence[Check]) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        made_up = [Section("tests", 0.5, checks, needs_cuda=False), Section("steps", 0.5, checks)]
        monkeypatch.setattr(command, "sections", lambda device, planned: made_up)

    return use


def test_the_table(with_checks: Sections, capsys: pytest.CaptureFixture[str]) -> None:
    with_checks([Check("a claim", partial(sleepy, 0.0))])
    assert command.main([]) == 0
    assert "needs CUDA" in capsys.readouterr().out
    assert command.main(["--format", "markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    assert cells == [
        ["section", "what", "measured", "target", "verdict", "why or from"],
        ["tests", "first", "1x", "&lt;= 2x", "met", ""],
        ["tests", "second", "3x", "&lt;= 2x", "missed", ""],
        ["steps", "a claim", "", "", "not run", "needs CUDA"],
    ]
    assert command.main(["--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][2]["verdict"] == "not run"


def test_an_error_is_an_exit_code_and_a_missed_target_is_none(with_checks: Sections) -> None:
    with_checks([Check("a claim", partial(failing, ValueError("wrong")))])
    assert command.main([]) == 1
    assert command.main(["--minutes", "0"]) == 2


def test_the_sections_share_the_time() -> None:
    everything = command.sections(CPU, list)
    assert sum(section.share for section in everything) <= 1
    assert [section.name for section in everything if not section.needs_cuda] == ["tests"]
    assert all(section.checks for section in everything)


FOLDER = Path(__file__).parent


def test_the_readme_has_the_figures_of_the_raw_rows() -> None:
    found = json.loads((FOLDER / "h200.json").read_text(encoding="utf-8"))
    replayed = json.loads((FOLDER / "h200_replayed.json").read_text(encoding="utf-8"))
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    assert f"\n\n{summary(found)}\n" in readme and f"\n\n{summary(replayed)}\n" in readme
    by_name = {row["what"]: row for row in found["rows"]}
    hours = [float(by_name[f"the paper's grid, {how}"]["measured"].rstrip("h")) for how in ("one by one", "stacked")]
    assert [f"{value:,.0f}" in readme for value in hours] == [True, True]


def test_the_summary_has_a_column_for_each_size() -> None:
    rows = [
        {"section": "steps", "what": "LSTM, width 768: step", "verdict": "measured", "measured": "2ms", "target": ""},
        {"section": "steps", "what": "LSTM, width 64: step", "verdict": "missed", "measured": "inf", "target": "<= 1"},
        {"section": "steps", "what": "DenseSSM, width 64: step", "verdict": "not run", "measured": "", "target": ""},
        {"section": "tests", "what": "it learns", "verdict": "met", "measured": "1 of 1", "target": ""},
    ]
    assert summary({"rows": rows}).splitlines() == [
        "|  | LSTM, width 64 | LSTM, width 768 |",
        "| --- | --- | --- |",
        "| step | *never* | 2ms |",
    ]
