"""What a command shows of its progress, on a terminal and without one."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from made_up_records import Point
from rich.console import Console

from ib_bench.cli import main
from ib_bench.quantities.progress import Progress
from ib_bench.quantities.search.job import SearchJob
from ib_bench.runner import counting, display
from ib_bench.runner.display import Display, Lines, short_names
from ib_bench.runner.watching import Batch

MODELS, REGIMES = ["Transformer", "LSTM"], ["outcome", "aligned_chain_of_thought"]


@pytest.fixture
def batch() -> Batch:
    """Four searches, of which each is expected to take a minute, beside two in the store; two workers."""
    points = [Point(model, supervision) for model in MODELS for supervision in REGIMES]
    jobs = [SearchJob(point.experiment, point.settings, 4096, 5) for point in points]
    return Batch(jobs, 2, "searches", "processes", [60.0] * 4, 2)


class MadeUpTime:
    """In seconds; set by a test."""

    now_s = 1000.0

    def monotonic(self) -> float:
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MadeUpTime:
    clock = MadeUpTime()
    monkeypatch.setattr(display, "time", clock)
    return clock


def test_a_line_for_each_job_that_has_ended(
    batch: Batch, clock: MadeUpTime, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(batch)
    lines.show(0, Progress(size=4096))
    lines.show(1, Progress(size=4096))
    assert capsys.readouterr().err == ""
    clock.now_s += 120
    lines.show(1, Progress(verdict="N* = 128 (64, 128]"))
    clock.now_s += 10
    lines.show(0, Progress(error="ValueError: no"))
    lines.show(2, Progress())
    lines.lose(2)
    lines.show(3, Progress(verdict="N* > 4,096"))
    lines.show(2, Progress(verdict="N* > 4,096"))
    label = "ModularAddition(modulus=5) · {} · uniform · L=4"
    outcome, aligned = label.format("outcome"), label.format("aligned_chain_of_thought")
    assert capsys.readouterr().err.splitlines() == [
        f"3/6 Transformer · {aligned}: N* = 128 (64, 128]  2m 00s, about 2m 30s left",
        f"4/6 Transformer · {outcome}: failed: ValueError: no  2m 10s, about 2m 05s left",
        f"LSTM · {outcome}: its process is lost; the job will run again",
        f"5/6 LSTM · {aligned}: N* > 4,096  0s, about 1m 23s left",
        f"6/6 LSTM · {outcome}: N* > 4,096  0s, all done",
    ]


def test_a_single_job_prints_a_size_now_and_then(
    batch: Batch, clock: MadeUpTime, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = Lines(Batch(batch.jobs[:1], 0, "searches", "inline", [60.0], 1))
    for num in range(1, 5):
        clock.now_s += 6
        lines.show(0, Progress(num_evaluations=num, judged_size=4096 // num))
    printed = capsys.readouterr().err.splitlines()
    assert [line.partition(" is judged")[0] for line in printed] == [
        "2/20 at most: N = 2,048",
        "4/20 at most: N = 1,024",
    ]


@pytest.mark.parametrize("width", [80, 160])
def test_names_can_be_read_on_a_terminal(batch: Batch, clock: MadeUpTime, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    shown = Display(batch, console)
    for index in range(4):
        shown.show(index, Progress(size=4096, num_trials=1, num_steps=1200, val_loss=1.2e-2))
    shown.leave(None)
    last = console.file.getvalue()  # type: ignore[attr-defined]
    for name in (f"{model} · {regime}" for model in MODELS for regime in REGIMES):
        assert name in last
    assert "2 of 6, about 2m 00s left" in last
    assert ("step 1,200/" in last) == (width == 160)
    assert "N=4,096" in last


def test_a_count_is_printed_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = MadeUpTime()
    monkeypatch.setattr(counting, "time", clock)
    with counting.counted("records read") as on_count:
        for done in range(0, 7000, 1000):
            on_count(done, 6000 if done > 4000 else None)
            clock.now_s += 4
    assert capsys.readouterr().err == "3,000 records read\n6,000/6,000 records read\n"


def test_names_leave_out_what_all_share() -> None:
    assert short_names(["a · b · c"]) == ["a · b · c"]
    assert short_names(["a · b · c", "a · d · c"]) == ["b", "d"]
    assert short_names(["a · b", "a · b · c"]) == ["a · b", "c"]


SUITE = """
base:
  data: {class_path: ModularAddition, init_args: {modulus: 3, max_length: 4}}
  search: {learning_rates: [0.001], seeds: [1], max_steps: 5, max_size: 32, max_evaluations: 1}
axes:
  model: [{class_path: LSTM, init_args: {hidden_size: 8}}, {class_path: DenseSSM, init_args: {hidden_size: 8}}]
"""

SEARCH = (
    *("search", "--model", "LSTM", "--model.hidden_size", "8", "--data", "ModularAddition", "--data.modulus", "3"),
    *("--data.max_length", "4", "--search.learning_rates", "[0.001]", "--search.seeds", "[1,2]"),
    *("--search.max_steps", "5", "--search.max_size", "32", "--search.max_evaluations", "1"),
)


@pytest.mark.system
def test_without_a_terminal_lines_go_to_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def printed(*arguments: str) -> tuple[str, list[str]]:
        assert main([*arguments, "--wandb.mode", "disabled"]) == 0
        out, err = capfd.readouterr()
        return out, err.splitlines()

    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE)
    out, lines = printed("run", "suite.yaml", "--executor", "inline")
    assert [line.partition(" ")[0] for line in lines] == ["1/2", "2/2"]
    assert all("N* > 32" in line for line in lines) and "left" in lines[0] and "1/2" not in out
    _, lines = printed("run", "suite.yaml", "--executor", "inline")
    assert len(lines) == 1 and lines[0].startswith("2 of 2 results come from the store")
    out, lines = printed(*SEARCH, "--format", "json")
    found: dict[str, Any] = json.loads(out)
    assert found["max_size"] == 32 and len(lines) == 1 and "N* > 32" in lines[0]
