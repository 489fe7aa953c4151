"""What runs can be seen from elsewhere while it runs, and read afterwards."""

from __future__ import annotations

import json
import logging
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ib_bench.cli import main
from ib_bench.errors import StoreError
from ib_bench.quantities.progress import Progress
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.records import Experiment
from ib_bench.results.run_status import (
    RunningJob,
    RunStatus,
    forget_past_runs,
    pid_started,
    put_run_status,
    run_statuses,
    utc_now,
)
from ib_bench.results.store import Store
from ib_bench.runner.watching import Batch, LogFile, StatusKeeper

SUITE = """
base:
  data: {class_path: ModularAddition, init_args: {modulus: 3, max_length: 4}}
  search: {learning_rates: [0.01], seeds: [1], max_steps: 100, max_size: 32, max_evaluations: 2, multiplier: 4}
axes:
  model: [{class_path: DenseSSM, init_args: {hidden_size: 16}}, my_models.Broken]
"""

BROKEN_MODEL = """
from torch import nn
from ib_bench.models.sequence_model import SequenceModel


class Broken(SequenceModel):
    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3):
        super().__init__(num_classes, learning_rate)
        self.head = nn.Linear(1, num_classes)

    def forward(self, tokens):
        return self.head(tokens[..., None].float())

    def on_train_start(self):
        raise ArithmeticError("no training")
"""

LABEL = "DenseSSM · ModularAddition(modulus=3) · aligned_chain_of_thought · uniform · L=4"


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "my_models", raising=False)  # of another test's folder
    return tmp_path


def running(pid: int, host: str = socket.gethostname(), **changes: object) -> RunStatus:
    job = RunningJob("LSTM · L=5", f"{host}:{pid}", utc_now(), 4096, 3, 20, 2, 15, 1000, 250_000, 0.25)
    start, newest = "2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+00:00"
    status = RunStatus("ib-bench run a", host, pid, "ray", "searches", start, newest, "running", 9, 1)
    return replace(status, num_evaluations=20, max_evaluations=80, jobs=[job], **changes)  # type: ignore[arg-type]


def gone() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_runs_is_told_with_the_time_left(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    put_run_status(store, running(os.getpid(), failures=[("GRU · L=5", "out of memory")]))
    put_run_status(store, running(gone()))
    put_run_status(store, running(1, host="elsewhere"))
    assert main(["status", "--store", str(store.path), "--format", "json"]) == 0
    here, killed, elsewhere = json.loads(capsys.readouterr().out)
    assert [here["state"], killed["state"], elsewhere["state"]] == ["running", "killed", "no news"]
    assert here["time_left_s"] == 3 * 3600
    assert here["jobs"][0]["size"] == 4096
    assert main(["status", "--store", str(store.path)]) == 0
    told = capsys.readouterr().out
    assert "1 of 9 searches" in told and "3h 00m left at this rate" in told
    assert "GRU · L=5: out of memory" in told
    assert "1,000/250,000" in told and "ib-bench run a: killed" in told
    assert "ib-bench run a: no news for" in told
    put_run_status(store, running(1, host="elsewhere", updated_at=utc_now()))
    assert main(["status", "--store", str(store.path)]) == 0
    assert "no news" not in capsys.readouterr().out


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_no_number_hides_no_command(store: Store, loss: float) -> None:
    status = running(os.getpid())
    put_run_status(store, replace(status, jobs=[replace(status.jobs[0], val_loss=loss)]))
    (found,) = run_statuses(store)
    assert found.jobs[0].val_loss is None


def test_the_number_of_a_process_may_be_anothers_by_now() -> None:
    began = pid_started(os.getpid())
    assert not running(os.getpid(), pid_started=began).is_gone
    assert running(os.getpid(), pid_started="0").is_gone == (began is not None)


def test_past_runs_are_forgotten_when_another_begins(store: Store) -> None:
    stays = running(os.getpid())
    long_ago = running(8, host="elsewhere", updated_at="2026-01-01T00:00:00+00:00")
    for status in (stays, running(gone()), running(7, host="elsewhere", state="ended"), long_ago):
        put_run_status(store, status)
    forget_past_runs(store)
    assert run_statuses(store) == [stays]


def test_a_store_on_which_nothing_has_run(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--store", str(store.path)]) == 0
    assert "nothing has run" in capsys.readouterr().out


@pytest.fixture
def job(experiment: Experiment, store: Store) -> SearchJob:
    return SearchJob(experiment, SearchSettings(), pool_size=95, num_states=3)


def batch_of(job: SearchJob, executor: str) -> Batch:
    return Batch([job], 0, "searches", executor, [1.0], 1)


@pytest.fixture(autouse=True)
def news_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ib_bench.runner.watching._STATUS_INTERVAL_S", 0.01)


def until(store: Store, is_wanted: Callable[[RunStatus], bool]) -> RunStatus:
    """The first status that is wanted, of the only command."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for status in filter(is_wanted, run_statuses(store)):
            return status
        time.sleep(0.01)
    raise TimeoutError


def test_a_lost_job_runs_no_more_until_it_runs_again(job: SearchJob, store: Store, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    keeper = StatusKeeper(store.path, batch_of(job, "ray"))
    with keeper, LogFile(str(log), batch_of(job, "ray")) as lines:
        for watcher in (keeper, lines):
            watcher.wait(0, "a node")
        assert until(store, lambda status: status.num_waiting == {"a node": 1}).jobs == []
        for watcher in (keeper, lines):
            watcher.show(0, Progress(place="a:1"))
        assert until(store, lambda status: status.jobs != []).num_waiting == {}
        for watcher in (keeper, lines):
            watcher.lose(0)
        until(store, lambda status: status.jobs == [])
        for watcher in (keeper, lines):
            watcher.show(0, Progress(place="b:2"))
    told = [line.partition(f"{job.label}: ")[2] for line in log.read_text().splitlines()]
    waiting, lost = "waiting for a node (other jobs may wait too)", "lost in a:1; will run again"
    assert list(filter(None, told)) == [waiting, "started in a:1", lost, "started in b:2"]
    assert log.read_text().endswith("ended: 0 of 1 search finished, 0 failed, 1 not finished\n")


def test_what_ends_a_command_is_told(job: SearchJob, store: Store, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    with (
        pytest.raises(StoreError),
        StatusKeeper(store.path, batch_of(job, "ray")),
        LogFile(str(log), batch_of(job, "ray")),
    ):
        raise StoreError("the disk\nis full")
    (status,) = run_statuses(store)
    assert (status.state, status.error) == ("failed", "the disk\nis full")
    assert "ERROR failed (the disk is full): 0 of 1 search finished" in log.read_text()


def test_lines_are_logged_by_the_packages_logger_while_jobs_run(
    job: SearchJob, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log, logger = tmp_path / "log.txt", logging.getLogger("ib_bench")
    before = list(logger.handlers), logger.level
    with LogFile(str(log), batch_of(job, "inline")) as lines:
        lines.show(0, Progress(place="100 %s:1"))
        logger.info("a line of somebody else")
    logger.error("after the end")
    assert (logger.handlers, logger.level) == before
    told = [line.partition(" INFO ")[2] for line in log.read_text().splitlines()]
    assert told == [
        "1 search to run, 0 in the store; executor inline",
        f"{job.label}: started in 100 %s:1",
        "a line of somebody else",
        "ended: 0 of 1 search finished, 0 failed, 1 not finished",
    ]
    assert [record.getMessage() for record in caplog.records if record.name == "ib_bench"] == [*told, "after the end"]


@pytest.mark.parametrize("text", ["no JSON", "{}", "[1]", '{"jobs": [], "failures": [], "others": 1}', "times"])
def test_a_damaged_status_is_left_out_and_forgotten(text: str, store: Store) -> None:
    intact = running(os.getpid())
    put_run_status(store, intact)
    damaged = json.dumps({**asdict(intact), "updated_at": "2026-13-01"}) if text == "times" else text
    store.put_run("damaged", damaged)
    assert run_statuses(store) == [intact]
    forget_past_runs(store)
    assert list(store.runs()) == [intact.key]


@pytest.mark.parametrize("started_at", ["2026-13-01", "2026-01-01T00:00:00"])
def test_a_job_with_a_damaged_time_is_left_out(
    started_at: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = asdict(running(os.getpid()))
    plain["jobs"][0]["started_at"] = started_at
    store.put_run("damaged", json.dumps(plain))
    assert run_statuses(store) == []
    assert main(["status", "--store", str(store.path)]) == 0
    assert "nothing has run" in capsys.readouterr().out


def test_one_thing_is_in_the_singular(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    put_run_status(store, running(os.getpid(), num_jobs=1, num_waiting={"a node": 1}))
    assert main(["status", "--store", str(store.path)]) == 0
    printed = capsys.readouterr().out
    assert "1 of 1 search " in printed and "1 waiting for a node" in printed


def test_a_command_without_news_says_that_it_lives(
    job: SearchJob, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ib_bench.runner.watching._HEARTBEAT_S", 0.01)
    with StatusKeeper(store.path, batch_of(job, "slurm")):
        store.remove_run(run_statuses(store)[0].key)
        until(store, lambda status: status.state == "running")
    assert [each.state for each in run_statuses(store)] == ["ended"]


@pytest.mark.system
@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_suite_leaves_its_status_and_its_log(
    executor: str, experiment: Experiment, working_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (working_folder / "suite.yaml").write_text(SUITE)
    (working_folder / "my_models.py").write_text(BROKEN_MODEL)
    arguments = ["run", "suite.yaml", "--executor", executor, "--wandb.mode", "disabled", "--log_file", "log.txt"]
    assert main(arguments) == 1
    capsys.readouterr()
    main(["status", "--format", "json"])
    (status,) = json.loads(capsys.readouterr().out)
    assert (status["state"], status["num_jobs"], status["num_finished"]) == ("ended", 2, 1)
    ((label, error),) = status["failures"]
    assert label.startswith("my_models.Broken") and error == "ArithmeticError: no training"
    main(["results", "--format", "json"])
    errors = [record["error"] for record in json.loads(capsys.readouterr().out)]
    assert sorted(map(str, errors)) == ["ArithmeticError: no training", "None"]
    log = Path("log.txt").read_text()
    for text in (
        "2 searches to run, 0 in the store",
        f"INFO {LABEL}: 1 of at most 2 evaluations done, the last at N = 32",
    ):
        assert text in log
    assert f"{LABEL}: N* " in log and "failed: ArithmeticError: no training" in log
    assert "ended: 1 of 2 searches finished, 1 failed" in log
