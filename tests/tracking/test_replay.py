"""A store replayed into W&B, offline, and read back with wandb's own reader."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import wandb
from made_up_records import ACOT, COT, Point, extrapolation, saturation, search, trial
from offline_runs import inspect

from ib_bench.cli import main
from ib_bench.quantities.logged_run import LoggedRun
from ib_bench.results.archive import Records
from ib_bench.results.store import Store
from ib_bench.tracking.replay import Replayed, _log_suite, replay
from ib_bench.tracking.runs import logged_runs
from ib_bench.tracking.settings import WandbSettings

EXHAUSTED = search(Point("LSTM", ACOT, "fixed", 2), None, max_size=20)
RECORDS = Records.of_all(
    [
        trial(Point("LSTM", ACOT), 4096),
        search(Point("LSTM", ACOT), 128),
        EXHAUSTED,
        saturation(EXHAUSTED, 25, succeeded=True),
        *(search(Point("LSTM", ACOT, "fixed", length), size) for length, size in ((3, 40), (4, 30), (5, 24))),
        extrapolation(Point("LSTM", COT), 0.5),
    ]
)
SETTINGS = WandbSettings(mode="offline", project="sums")
NUM_RUNS = 5 + 1 + 1 + 1 + 1  # searches, a kappa, an extrapolation, a growth, the suite


def runs(folder: Path) -> dict[str, tuple[dict[str, object], list[dict[str, object]], dict[str, object]]]:
    """By job type: header, steps and summary of the last run."""
    found = {}
    for run in sorted((folder / "wandb").glob("offline-run-*")):
        records = [json.loads(line) for line in inspect(run, "--json").splitlines()]
        header = next(entry["run"] for entry in records if entry["type"] == "run")
        steps = [entry["history"]["item"] for entry in records if entry["type"] == "history"]
        summary = json.loads(inspect(run, "--summary", "--json"))["summary"]
        found[header["job_type"]] = (header, steps, summary)
    return found


@pytest.mark.system
def test_every_kind_of_result_is_a_run(in_tmp_path: Path) -> None:
    assert replay(RECORDS, SETTINGS, "small", "<html>") == (NUM_RUNS, 0, {})
    found = runs(in_tmp_path)
    assert set(found) == {"search", "sharing", "extrapolation", "growth", "suite"}
    assert {str(header["run_group"]) for header, _, _ in found.values()} == {"small"}
    _, steps, summary = found["sharing"]
    assert [(step["length"], step["sharing/censored"]) for step in steps] == [(2, 1), (3, 0), (4, 0)]
    assert [(step["sharing/low"], step["sharing/high"]) for step in steps] == [(21, 25), (40, 40), (30, 30)]
    assert [(step["sharing/exhausted"], step["sharing/saturated"]) for step in steps] == [(1, 1), (0, 0), (0, 0)]
    assert summary["sharing_factor"] == "0.71 to 0.75"
    assert summary["sharing_factor_low"] == pytest.approx(91 / 128)
    assert summary["sharing_factor_high"] == pytest.approx(95 / 128)
    assert (summary["exhausted"], summary["num_saturated"]) == ("1 of 3", 1)
    assert "sharing_factor_is" not in summary  # what rests on a saturated evaluation is no N*
    _, steps, summary = found["extrapolation"]
    assert [step["multiple"] for step in steps] == [1, 2, 16]
    assert summary["accuracy_at_2x"] == 0.5
    _, steps, summary = found["growth"]
    assert [(step["growth/x"], step.get("growth/size")) for step in steps] == [(2, None), (3, 40), (4, 30), (5, 24)]
    assert (summary["num_bounds"], summary["num_left_out"]) == (0, 1)
    assert summary["exponent_low"] < summary["exponent"]
    _, _, summary = found["suite"]
    assert summary["num_search"] == 5
    assert summary["claim 3.1"] == "not enough data"


@pytest.mark.system
def test_doing_it_again_changes_nothing(in_tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Store(in_tmp_path / "ib_bench.sqlite") as store:
        store.add_all(RECORDS)
    command = ["wandb", "sync-store", "--wandb.mode", "offline", "--group", "small"]
    assert main(command) == 0
    assert f"{NUM_RUNS} runs logged, 0 already there" in capsys.readouterr().out
    before = sorted(path.name for path in (in_tmp_path / "wandb").glob("offline-run-*"))
    assert len(before) == NUM_RUNS
    assert main(command) == 0
    assert f"0 runs logged, {NUM_RUNS} already there" in capsys.readouterr().out
    assert sorted(path.name for path in (in_tmp_path / "wandb").glob("offline-run-*")) == before
    assert main([*command, "--wandb.project", "elsewhere"]) == 0
    assert f"{NUM_RUNS} runs logged, 0 already there" in capsys.readouterr().out


def test_runs_that_are_refused_count_as_failed(
    in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(logged: LoggedRun, job_type: str, *_: object) -> None:
        if job_type == "search":
            raise wandb.errors.CommError("no, \nthanks")

    with Store(in_tmp_path / "ib_bench.sqlite") as store:
        store.add_all(RECORDS)
    monkeypatch.setattr("ib_bench.tracking.replay.log_run", refuse)
    monkeypatch.setattr("ib_bench.tracking.replay._log_suite", lambda *_: None)
    assert main(["wandb", "sync-store", "--wandb.mode", "offline"]) == 1
    out = capsys.readouterr().out
    assert f"0 runs logged, 0 already there, {NUM_RUNS} failed (" in out  # no run is there, whatever was said
    assert "no, thanks" in out


def test_a_run_that_fails_halfway_is_closed_as_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise wandb closes it as finished when the process ends, and it counts as there."""
    exit_codes: list[int] = []

    def fail(_: object) -> None:
        raise PermissionError("no folder for artifacts")

    run = SimpleNamespace(log=fail, finish=lambda exit_code: exit_codes.append(exit_code))
    monkeypatch.setattr("ib_bench.tracking.replay.open_run", lambda *_: run)
    with pytest.raises(PermissionError):
        _log_suite(Records(), SETTINGS, None, "", "0" * 32)
    assert exit_codes == [1]


def test_an_interruption_says_how_to_go_on(
    in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    Store(in_tmp_path / "ib_bench.sqlite").close()
    monkeypatch.setattr("ib_bench.cli.wandb.log_results", interrupt)
    command = ["wandb", "sync-store", "--wandb.mode", "offline"]
    assert main(command) == 130
    sentence = "ib-bench wandb: interrupted\ncontinue with: ib-bench wandb sync-store --wandb.mode offline"
    assert capfd.readouterr().err.strip() == sentence


def test_a_server_that_does_not_answer_is_one_sentence(
    in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("no answer\nfrom the server")

    Store(in_tmp_path / "ib_bench.sqlite").close()
    monkeypatch.setattr("ib_bench.tracking.replay.logged_runs", refuse)
    assert main(["wandb", "sync-store", "--wandb.mode", "offline"]) == 2
    assert capfd.readouterr().err == "ib-bench wandb: error: W&B failed: no answer from the server\n"


@pytest.mark.parametrize("named", ["disabled", "sometimes"])
def test_a_store_is_not_logged_to_nowhere(
    named: str, in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Store(in_tmp_path / "ib_bench.sqlite").close()
    monkeypatch.setenv("WANDB_MODE", named)
    assert main(["wandb", "sync-store"]) == 2
    message = capsys.readouterr().err
    assert "WANDB_MODE" in message and f"got {named!r}" in message


def test_the_dashboards_definition(in_tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["wandb", "workspace", "--dry_run", "--entity", "us", "--project", "sums", "--out", "board.json"]
    assert main(command) == 0
    board = json.loads((in_tmp_path / "board.json").read_text())
    assert (board["entity"], board["project"]) == ("us", "sums")
    sections = board["spec"]["section"]["panelBankConfig"]["sections"]
    panels = {section["name"]: section["panels"] for section in sections}
    assert {"N*", "kappa", "length extrapolation", "claims"} <= set(panels)
    text = json.dumps(panels)
    for name in (
        "min_train_size",
        "log2_sharing_factor_low",
        "log2_sharing_factor_high",
        "extrapolation/accuracy",
        "max_length",
        "claims",
    ):
        assert name in text
    assert main(["wandb", "workspace", "--dry_run", "--out", "missing/board.json"]) == 2
    assert main(["wandb", "workspaces"]) == 2
    assert main(["wandb", "sync-store", "--wandb.mode", "disabled"]) == 2


def test_a_dashboard_without_an_account(in_tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wandb", "workspace"]) == 2
    assert "a dashboard needs an account" in capsys.readouterr().err


def test_a_dashboard_in_wandb_needs_no_file(in_tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wandb", "workspace", "--out", "workspace.json"]) == 2
    assert "out must be left out without --dry_run, got 'workspace.json'" in capsys.readouterr().err


def test_the_list_of_offline_runs_is_where_wandb_puts_them(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(in_tmp_path))
    monkeypatch.setenv("WANDB_DIR", "~/logged")
    listed = in_tmp_path / "logged" / "wandb" / "ib_bench_runs.txt"
    listed.parent.mkdir(parents=True)
    listed.write_text("/sums/a\n")
    assert logged_runs(SETTINGS) == {"a"}


@pytest.mark.parametrize(("number", "text"), [(1, "1 run logged"), (2, "2 runs logged")])
def test_how_many_runs_were_logged(
    number: int, text: str, in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Store(in_tmp_path / "ib_bench.sqlite").close()
    monkeypatch.setattr("ib_bench.cli.wandb.log_results", lambda *_: Replayed(number, 0, {}))
    assert main(["wandb", "sync-store", "--wandb.mode", "offline"]) == 0
    assert capsys.readouterr().out == f"ib_bench.sqlite: {text}, 0 already there\n"
