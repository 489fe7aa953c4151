"""Variables and files around a command change neither what it does nor what it draws."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from damage import write_store
from made_up_records import ACOT, Point, search, trial

ROOT = str(Path(__file__).parents[2])
SEARCH = ["search", "--model=LSTM", "--model.hidden_size=4", "--data=ModularAddition", "--data.max_length=3"]
SEARCH += ["--search.max_steps=4", "--search.max_size=2", "--search.seeds=[1]", "--search.learning_rates=[0.001]"]
SEARCH += ["--wandb.mode=disabled", "--format=json"]
PASSING = ("wall_time_s", "process_time_s", "finished_at", "updated_at", "total_wall_time_s")

SURROUNDINGS = {
    "notebook": {"MPLBACKEND": "module://matplotlib_inline.backend_inline"},
    "rank of a pod": {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"},
    "optimized": {"PYTHONOPTIMIZE": "1"},
    "agent of a sweep": {"WANDB_RUN_ID": "a", "WANDB_SWEEP_ID": "b", "WANDB_PROJECT": "c"},
}


def run(arguments: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": ROOT, **variables}
    command = [sys.executable, "-m", "ib_bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200)


def outcome(**variables: str) -> object:
    """What a search finds, and the figures of a report."""
    store = f"{len(list(Path().iterdir()))}.sqlite"
    searched = run([*SEARCH, "--store", store], **variables)
    assert searched.returncode == 0, searched.stderr
    reported = run(["report", "--out", f"{store}.report"], **variables)
    assert reported.returncode == 0, reported.stderr
    found = {name: value for name, value in json.loads(searched.stdout).items() if name not in PASSING}
    figures = {path.name: path.read_bytes() for path in sorted(Path(f"{store}.report").rglob("*.svg"))}
    assert figures
    return found, figures


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variables in SURROUNDINGS.values():
        for name in variables:
            monkeypatch.delenv(name, raising=False)
    write_store(tmp_path / "ib_bench.sqlite", [search(Point("LSTM", ACOT), 64), trial(Point("LSTM", ACOT), 4096)])


@pytest.mark.system
@pytest.mark.slow
def test_what_is_around_a_command_changes_nothing() -> None:
    expected = outcome()
    Path("matplotlibrc").write_text("text.usetex: True\nfont.size: 30\nbackend: nonsense\n")
    everything = {name: value for variables in SURROUNDINGS.values() for name, value in variables.items()}
    assert outcome(**everything) == expected


def test_an_error_in_a_pod_is_said_at_once() -> None:
    ended = run(["results", "--store", "nowhere"], **SURROUNDINGS["rank of a pod"])
    assert ended.returncode == 2 and "does not exist" in ended.stderr


def test_python_without_docstrings_is_refused_in_one_sentence() -> None:
    ended = run(["results"], PYTHONOPTIMIZE="2")
    assert ended.returncode == 2 and not ended.stdout
    assert ended.stderr == "ib-bench: error: PYTHONOPTIMIZE must be 0 or 1, got 2: without docstrings altair fails\n"
