"""``--trainer.strategy ddp``: the same answers from several processes, of which one speaks and writes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ib_bench.cli import main
from ib_bench.execution.ranks import PATIENCE_S
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

SEARCH = [
    *("search", "--model", "LSTM", "--model.hidden_size", "16", "--data", "ModularAddition", "--data.modulus", "3"),
    *("--data.max_length", "4", "--data.supervision", "outcome", "--data.batch_size", "15"),
    *("--search.learning_rates", "[0.01]", "--search.seeds", "[1,2]", "--search.max_steps", "150"),
    *("--search.max_size", "61", "--search.max_evaluations", "3", "--search.threshold", "0.3"),
    *("--wandb.mode", "disabled", "--trainer.accelerator", "cpu"),
]
TWO = ["--trainer.strategy", "ddp", "--trainer.devices", "2"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "-m", "ib_bench"]


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return tmp_path


def stored(path: str) -> tuple[SearchRecord, dict[str, list[float | None]]]:
    """The search, and the curves of its trials."""
    with Store(path) as store:
        trials = list(store.all(TrialRecord))
        (search,) = list(store.all(SearchRecord))
    assert len(trials) == len({trial.key for trial in trials})
    return search, {trial.key: [loss for _, loss in trial.val_curve] for trial in trials}


@pytest.mark.slow
@pytest.mark.system
def test_same_search_by_one_process_by_two_and_under_torchrun(capfd: pytest.CaptureFixture[str]) -> None:
    assert main([*SEARCH, "--store", "one.sqlite"]) == 0
    alone, _ = capfd.readouterr()
    assert main([*SEARCH, *TWO, "--store", "two.sqlite", "--search.compile", "true"]) == 0
    together, err = capfd.readouterr()
    assert "not compiled, as processes may train one model together" in err
    command = [*TORCHRUN, *SEARCH, *TWO, "--store", "torchrun.sqlite"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    assert alone.splitlines()[:-3] == together.splitlines()[:-3] == run.stdout.splitlines()[:-3]
    assert "error" not in run.stderr.lower(), run.stderr

    (one, one_curves), (two, two_curves), (three, three_curves) = map(
        stored, ("one.sqlite", "two.sqlite", "torchrun.sqlite")
    )
    assert one.key == two.key == three.key
    brackets = [
        [(step.size, step.succeeded, step.bracket) for step in search.evaluations] for search in (one, two, three)
    ]
    assert brackets[0] == brackets[1] == brackets[2]
    assert two_curves == three_curves
    assert one_curves.keys() == two_curves.keys()
    for key, curve in one_curves.items():
        assert two_curves[key] == pytest.approx(curve, rel=1e-4)


FIT = [
    *("--model", "LSTM", "--model.hidden_size", "8", "--data", "ModularAddition", "--data.modulus", "3"),
    *("--data.max_length", "4", "--data.num_train_sequences", "61", "--data.batch_size", "15"),
    *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2", "--trainer.log_every_n_steps", "1"),
    *("--trainer.enable_progress_bar", "false", "--trainer.enable_checkpointing", "false"),
]


def logged(folder: str) -> list[dict[str, float]]:
    (version,) = (Path(folder) / "lightning_logs").iterdir()
    with (version / "metrics.csv").open() as file:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(file)]


@pytest.mark.system
@pytest.mark.slow  # tests/training/test_team.py does without the command what this does with it
@pytest.mark.filterwarnings("ignore")  # Lightning's
def test_same_fit_by_one_process_and_by_two(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("one", "two"):
        Path(folder).mkdir()
    monkeypatch.chdir("one")
    assert main(["fit", *FIT, "--trainer.devices", "1"]) == 0
    monkeypatch.chdir("../two")
    command = [str(Path(sys.executable).parent / "ib-bench"), "fit", *FIT, *TWO]
    subprocess.run(command, capture_output=True, text=True, timeout=280, check=True)
    monkeypatch.chdir("..")
    one, two = logged("one"), logged("two")
    assert len(one) == len(two) > 10
    for row, other in zip(one, two, strict=True):
        assert other == pytest.approx(row, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("rank", ["0", "1"])
@pytest.mark.parametrize("command", ["search", "fit"])
def test_started_with_another_number_than_asked_for(
    command: str, rank: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("ib_bench.execution.ranks.time.sleep", waited.append)
    torchrun = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "GROUP_RANK": "0", "TORCHELASTIC_RUN_ID": "none"}
    for name, value in {**torchrun, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    arguments = [command, *FIT] if command == "fit" else [*SEARCH, "--trainer.deterministic", "true"]
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    sentence = (
        "trainer.devices times trainer.num_nodes must be 2, the number of processes that torchrun has started, got 1"
    )
    assert err == f"ib-bench {command}: error: {sentence}\n"
    assert waited == ([] if rank == "0" else [PATIENCE_S])  # within which torchrun would have ended it
    assert not list(Path().iterdir())


@pytest.mark.slow
@pytest.mark.system
def test_the_first_process_speaks_before_torchrun_ends_it() -> None:
    late = "import os, time; time.sleep(2 * (os.environ.get('RANK') == '0'))"  # rank 0 is the last to meet the error
    Path("sitecustomize.py").write_text(late)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path.cwd()), os.environ["PYTHONPATH"]])}
    command = [*TORCHRUN, *SEARCH, "--trainer.strategy", "ddp", "--trainer.devices", "3"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=280, env=environment)
    assert run.returncode != 0
    sentence = "ib-bench search: error: trainer.devices and trainer.num_nodes do not fit the processes"
    assert run.stderr.count(sentence) == 1, run.stderr


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_who_waits_for_other_machines_says_so_and_can_be_ended(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "ib_bench", *SEARCH, "--trainer.strategy", "ddp", "--trainer.num_nodes", "2"]
    first = {**os.environ, "MASTER_ADDR": "127.0.0.1", "NODE_RANK": "0"}
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=first)
    assert process.stderr is not None
    with process.stderr as stderr:
        assert stderr.readline() == "ib-bench: waiting for all 2 processes\n"
    process.send_signal(number)
    assert process.wait(30) == -number


@pytest.mark.system
@pytest.mark.slow
def test_an_extrapolation_is_evaluated_by_one(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = [*SEARCH[1:], "--extrapolation.multiples", "[1,2]", "--extrapolation.num_sequences", "20"]
    measured = []
    for number, more in enumerate(([], TWO)):
        command = ["extrapolate", *arguments, *more, "--store", f"{number}.sqlite", "--format", "json"]
        assert main([*command, "--search.seeds", "[1]"]) == 0
        measured.append(json.loads(capfd.readouterr().out))
    assert measured[0]["accuracies"] == measured[1]["accuracies"]
    assert measured[0]["key"] == measured[1]["key"]
