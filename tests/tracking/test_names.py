"""What W&B refuses does not reach it; variables of other programs do not decide what a run is."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_records import ACOT, Point, search
from offline_runs import inspect
from wandb.sdk.artifacts._validators import validate_artifact_name

from ib_bench.cli import main
from ib_bench.errors import InvalidOptionError
from ib_bench.results.archive import Records
from ib_bench.tracking.names import artifact_name, run_text
from ib_bench.tracking.replay import replay
from ib_bench.tracking.settings import WandbSettings

NAMES = ["demo", "my suite", "x" * 200, "a/b:c", "\x1b[31mred\nline", "käse", "..", "", "x" * 119]


@pytest.mark.parametrize("text", NAMES)
def test_names(text: str) -> None:
    name = artifact_name(text, "report")
    assert validate_artifact_name(name) == name and len(name) <= 128
    assert len(run_text(text)) <= 128 and run_text(text).isprintable()


def test_names_that_fit_stay_and_others_are_told_apart() -> None:
    assert artifact_name("demo", "report") == "demo-report"
    assert run_text("my suite") == "my suite"
    assert len({artifact_name(text, "records") for text in ("my suite", "my-suite", "my/suite")}) == 3
    assert run_text("x" * 200) != run_text("x" * 201)


@pytest.mark.system
@pytest.mark.parametrize("group", ["my study", "x" * 200])
def test_every_result_has_a_run_of_its_own(group: str, in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_ID"):
        monkeypatch.setenv(name, "another")
    monkeypatch.setenv("WANDB_RESUME", "must")
    monkeypatch.setenv("WANDB_PROJECT", "from-outside")
    records = Records.of_all([search(Point(model, ACOT), 128) for model in ("LSTM", "DenseSSM")])
    assert replay(records, WandbSettings(mode="offline"), group, "<html>") == (3, 0, {})
    folders = list((in_tmp_path / "wandb").glob("offline-run-*"))
    assert len(folders) == 3 and not any("another" in folder.name for folder in folders)
    assert all('"project": "from-outside"' in inspect(folder, "--json").replace('":"', '": "') for folder in folders)


def test_the_project_is_the_options_or_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_PROJECT", raising=False)
    assert WandbSettings().project_name == "ib_bench"
    monkeypatch.setenv("WANDB_PROJECT", "sums")
    monkeypatch.setenv("WANDB_ENTITY", "team")
    assert (WandbSettings().project_name, WandbSettings().entity_name) == ("sums", "team")
    assert (WandbSettings(project="own").project_name, WandbSettings(entity="me").entity_name) == ("own", "me")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert WandbSettings().is_disabled and not WandbSettings(mode="offline").is_disabled
    monkeypatch.setenv("WANDB_PROJECT", "a/b")
    with pytest.raises(InvalidOptionError, match="WANDB_PROJECT must be a name of 1 to 128 characters"):
        WandbSettings()


def test_the_dashboard_is_of_the_same_project(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "sums")
    assert main(["wandb", "workspace", "--dry_run"]) == 0
    assert '"sums"' in (in_tmp_path / "workspace.json").read_text()
