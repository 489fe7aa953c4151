"""Ctrl-C with W&B on, and two runs at once; kills at random moments are in tests/torture."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

pytestmark = pytest.mark.system

SUITE = """
base:
  data: {class_path: ModularAddition, init_args: {modulus: 3, max_length: 4}}
  search: {learning_rates: [0.001], seeds: [1, 2, 3, 4], max_steps: 300, max_size: 32, max_evaluations: 2,
           threshold: 1.0e-9}
axes:
  model: [{class_path: LSTM, init_args: {hidden_size: 16}}, {class_path: DenseSSM, init_args: {hidden_size: 16}}]
"""
NUM_TRIALS = 8


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path


def start(*arguments: str, command: tuple[str, ...] = ("run", "suite.yaml")) -> subprocess.Popen[str]:
    """A run in a process group of its own, as a shell would start it."""
    command = (str(Path(sys.executable).parent / "ib-bench"), *command, *arguments)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Lightning takes a free port some seconds before it listens there; a test beside this one could be given the same.
    environment = {**os.environ, "MASTER_PORT": str(20_000 + os.getpid() % 10_000)}
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        command, text=True, start_new_session=True, preexec_fn=hear_ctrl_c, env=environment, **pipes
    )


def hear_ctrl_c() -> None:
    """Also where the tests themselves were started to ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def stored() -> dict[str, TrialRecord]:
    if not Path("ib_bench.sqlite").exists():
        return {}
    with Store("ib_bench.sqlite") as store:
        return {trial.key: trial for trial in store.all(TrialRecord)}


def wait_for_trials(run: subprocess.Popen[str], num: int) -> None:
    deadline = time.monotonic() + 120
    while len(stored()) < num:
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def group_is_gone(group: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if not any(_is_alive_in(group, stat) for stat in Path("/proc").glob("[0-9]*/stat")):
            return True
        time.sleep(0.1)
    return False


def _is_alive_in(group: int, stat: Path) -> bool:
    try:
        state, _, own_group = stat.read_text().rpartition(")")[2].split()[:3]
    except OSError:  # it has ended meanwhile
        return False
    return int(own_group) == group and state != "Z"


def test_ctrl_c_ends_soon_and_says_how_to_go_on() -> None:
    run = start("--workers", "2", "--wandb.mode", "offline")
    wait_for_trials(run, 1)
    interrupted_at = time.monotonic()
    os.killpg(run.pid, signal.SIGINT)  # a terminal sends it to the whole group
    _, err = run.communicate(timeout=200)
    assert time.monotonic() - interrupted_at < 30
    assert run.returncode == 130
    assert "finished trials are kept" in err
    assert "continue with: ib-bench run suite.yaml --workers 2 --wandb.mode offline" in err
    assert "Traceback" not in err
    assert group_is_gone(run.pid)
    assert 1 <= len(stored()) < NUM_TRIALS


SEARCH_BY_TWO = (
    *("search", "--model", "LSTM", "--model.hidden_size", "8", "--data", "ModularAddition", "--data.max_length", "4"),
    *("--search.learning_rates", "[0.001]", "--search.seeds", "[1,2,3,4,5,6,7,8]", "--search.max_size", "32"),
    *("--search.max_steps", "300", "--search.max_evaluations", "2", "--search.threshold", "1e-9"),
    *(
        "--wandb.mode",
        "disabled",
        "--trainer.accelerator",
        "cpu",
        "--trainer.strategy",
        "ddp",
        "--trainer.devices",
        "2",
    ),
)


@pytest.mark.slow
@pytest.mark.parametrize("what", ["Ctrl-C", "leader killed"])
def test_processes_that_train_one_model_end_together(what: str) -> None:
    run = start(command=SEARCH_BY_TWO)
    wait_for_trials(run, 1)
    interrupted_at = time.monotonic()
    if what == "Ctrl-C":
        os.killpg(run.pid, signal.SIGINT)
    else:
        run.kill()
    out, err = run.communicate(timeout=200)
    assert group_is_gone(run.pid)
    assert time.monotonic() - interrupted_at < 30
    assert out == "" and "Traceback" not in err
    assert run.returncode == (130 if what == "Ctrl-C" else -signal.SIGKILL)
    assert ("interrupted; finished trials are kept" in err) == (what == "Ctrl-C")
    assert len(stored()) >= 1


@pytest.mark.slow
def test_two_runs_on_one_store_at_once() -> None:
    runs = [start("--workers", "1", "--wandb.mode", "disabled") for _ in range(2)]
    for run in runs:
        out, err = run.communicate(timeout=280)
        assert run.returncode == 0, err
        assert out.count("> 32") == 2
    assert len(stored()) == NUM_TRIALS
    listing = subprocess.run(
        [str(Path(sys.executable).parent / "ib-bench"), "results", "--format", "json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [record["status"] for record in json.loads(listing.stdout)] == ["finished"] * 2
