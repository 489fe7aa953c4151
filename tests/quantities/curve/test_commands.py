"""Success curves as a user measures them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import wandb
from offline_runs import inspect

import ib_bench
from ib_bench import catalogue
from ib_bench.cli import main
from ib_bench.cli.measure import experiment_parser
from ib_bench.errors import InvalidOptionError
from ib_bench.report.html import page_data

MODEL = [*("--model", "DenseSSM", "--model.hidden_size", "16", "--data", "ModularAddition", "--data.modulus", "3")]
SEARCH = [
    *("--data.max_length", "4", "--data.batch_size", "16", "--search.learning_rates", "[0.01]"),
    *("--search.threshold", "0.05", "--search.max_steps", "300", "--search.max_size", "64"),
]
CURVE = ["curve", *MODEL, *SEARCH, "--curve.max_trials", "6", "--curve.batch", "2"]
QUIET = ["--wandb.mode", "disabled"]

SUITE = """
base:
  data: {init_args: {modulus: 3, batch_size: 16}}
  search: {learning_rates: [0.01], seeds: [10], threshold: 0.05, max_steps: 200, max_size: 64, relative_tolerance: 0.9}
  curve: {max_trials: 4}
axes:
  task: [ModularAddition]
  max_length: [4]
  model: [{class_path: DenseSSM, init_args: {hidden_size: 16}}]
  quantity: [search, curve]
"""


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    wandb.teardown()  # it keeps the folder and the environment of its first use
    return tmp_path


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main([*arguments, "--format", "json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("command", ["curve", "growth"])
def test_help_says_which_options_change_nothing(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "These options change nothing here: --search.seeds, --search.multiplier, " in said


@pytest.mark.system
def test_a_curve_then_results_then_from_the_store(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CURVE, *QUIET]) == 0
    printed = capsys.readouterr().out
    assert "Success curve" in printed and "N90" in printed
    (curve,) = listed(capsys, "results", "--kind", "curve")
    assert curve["status"] == "finished" and curve["model"] == "DenseSSM"
    assert {"n50", "n50_low", "n50_high", "n90", "spread", "ceiling", "num_steps", "ended", "prior"} <= curve.keys()
    trials = listed(capsys, "trials")
    assert [trial["seed"] for trial in trials] == list(range(10, 10 + curve["num_trials"]))
    assert main([*CURVE, *QUIET]) == 0
    assert capsys.readouterr().out == printed
    assert listed(capsys, "trials") == trials
    assert curve["protocol"].startswith("paper v1") and curve["num_curve_trials"] == len(trials)
    assert main(["results"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("0 searches in ib_bench.sqlite") and "The store holds 1 curve (--kind curve)." in said
    assert "protocol paper v1" in said


def test_a_curve_keeps_no_weights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CURVE, *QUIET, "--keep_weights", "best"]) == 2
    assert "keep_weights" in capsys.readouterr().err
    model = {"class_path": "DenseSSM", "init_args": {"hidden_size": 16}}
    data = {"class_path": "ModularAddition", "init_args": {"modulus": 3, "max_length": 4}}
    with pytest.raises(InvalidOptionError, match="keep_weights must be False for curve, which keeps no weights"):
        ib_bench.measure("curve", model=model, data=data, keep_weights=True)
    assert not list(Path().iterdir())


def test_commands_offer_to_keep_weights_where_they_do() -> None:
    offering = {one.name for one in catalogue.quantities() if "--keep_weights" in experiment_parser(one).format_help()}
    assert offering == {"search", "sharing", "extrapolate"}


@pytest.mark.system
@pytest.mark.slow
def test_from_records_trains_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", *MODEL, *SEARCH, "--search.seeds", "[1,2]", "--search.exhaustive", "true", *QUIET]) == 0
    trials = listed(capsys, "trials")
    from_records = [*CURVE, *QUIET, "--curve.from_records", "true"]
    assert main([*from_records, "--format", "json"]) == 0
    curve = json.loads(capsys.readouterr().out)
    assert (curve["ended"], curve["num_trials"]) == ("records", len(trials))
    assert listed(capsys, "trials") == trials
    assert main([*from_records, "--search.threshold", "0.01"]) == 2
    assert "the store holds no trials of this experiment" in capsys.readouterr().err


def test_from_records_makes_no_store(working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CURVE, *QUIET, "--curve.from_records", "true"]) == 2
    (said,) = capsys.readouterr().err.strip().splitlines()
    assert "ib_bench.sqlite' does not exist" in said
    assert not list(working_folder.glob("*.sqlite*"))


@pytest.mark.system
def test_a_suite_measures_curves_and_reports_them(working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (working_folder / "tiny.yaml").write_text(SUITE)
    assert main(["run", "tiny.yaml", "--executor", "inline", *QUIET]) == 0
    assert "N50" in capsys.readouterr().out
    (curve,) = listed(capsys, "results", "--kind", "curve")
    assert main(["report"]) == 0
    assert (working_folder / "report" / "figures" / "success_curves.svg").exists()
    assert curve["key"] in json.dumps(
        page_data((working_folder / "report" / "report.html").read_text(encoding="utf-8"))
    )
    trials = listed(capsys, "trials")
    assert main(["curve", "--config", f"report/configs/{curve['key']}.yaml", *QUIET, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["key"] == curve["key"]
    assert listed(capsys, "trials") == trials, "the report's config is that of the curve"


@pytest.mark.system
def test_a_suite_with_n_star_and_n50_ends_with_a_figure_of_each(working_folder: Path) -> None:
    two_kinds = "  supervision: [outcome, aligned_chain_of_thought]\n"
    (working_folder / "tiny.yaml").write_text(SUITE.replace("max_steps: 200", "max_steps: 2") + two_kinds)
    assert main(["run", "tiny.yaml", "--executor", "inline", *QUIET]) == 0
    titles = {"tiny.svg": "smallest training set that suffices", "tiny_n50.svg": "half of the training runs succeed"}
    figures = {path.name: path.read_text() for path in (working_folder / "figures").glob("*.svg")}
    assert figures.keys() == titles.keys()
    assert all(titles[name] in text for name, text in figures.items())


@pytest.mark.system
@pytest.mark.slow
def test_wandb_gets_a_step_for_each_trial_and_n50(working_folder: Path) -> None:
    assert main([*CURVE, "--wandb.mode", "offline"]) == 0
    (run,) = (working_folder / "wandb").glob("offline-run-*")
    records = [json.loads(line) for line in inspect(run, "--json").splitlines()]
    header = next(entry["run"] for entry in records if entry["type"] == "run")
    assert header["job_type"] == "curve"
    steps = [entry["history"]["item"] for entry in records if entry["type"] == "history"]
    summary = json.loads(inspect(run, "--summary", "--json"))["summary"]
    sized = [step for step in steps if "curve/size" in step]
    assert len(sized) == summary["num_trials"]
    assert summary["ended"] in {"narrow", "above", "one", "max_trials"}
    assert summary["status"] == "finished"
