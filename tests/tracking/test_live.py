"""Offline runs, read back with wandb's own reader."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest
import wandb
from made_up_records import saturation
from offline_runs import inspect

from ib_bench.quantities.logged_run import LoggedRun
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.quantities.search.saturation import SaturationRecord
from ib_bench.quantities.search.saturation_job import SaturationJob
from ib_bench.quantities.search.search import Search, TrialFunction
from ib_bench.results.records import Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.tracking import runs
from ib_bench.tracking.live import LiveLogging
from ib_bench.tracking.runs import resolved_mode
from ib_bench.tracking.settings import WandbSettings

SETTINGS = SearchSettings(learning_rates=[0.1], seeds=[1], max_size=100, multiplier=10)


def fake_trial(config: TrialConfig) -> TrialRecord:
    status = "succeeded" if config.num_train_sequences >= 40 else "failed"
    loss = 1e-5 if status == "succeeded" else 0.5
    return TrialRecord(config.key, config, status, 7, loss, 7, 7, [(7, loss)], {}, "1", 2.0, 1.0, {}, {}, "now")


def search(
    experiment: Experiment,
    store: Store,
    settings: WandbSettings,
    group: str | None = None,
    run_trial: TrialFunction = fake_trial,
) -> SearchRecord:
    """A search with made-up trials, logged as a job is."""
    job = SearchJob(experiment, SETTINGS, 100, 3)
    progress = ProgressReporter(lambda event: None)
    with LiveLogging(job, settings, group, store) as observed:
        return Search(experiment, SETTINGS, 100, 3, observed, run_trial, progress).run()


def test_a_run_that_was_killed_goes_on_behind_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    class Run:
        """What W&B keeps of a run."""

        resumed = False
        summary: ClassVar[dict[str, object]] = {}
        steps: ClassVar[list[object]] = []

        def log(self, step: object) -> None:
            self.steps.append(step)

        def define_metric(self, *_: object, **__: object) -> None:
            pass

    def logged(num: int) -> LoggedRun:
        return LoggedRun(
            "id", "name", {}, "x", "y/*", [{"x": number} for number in range(num)], {"status": "running"}, {}
        )

    run = Run()
    monkeypatch.setattr(runs, "open_run", lambda *_: run)
    runs.GrowingRun(WandbSettings(), "search", None, logged(0)).update(logged(3))
    run.resumed = True
    runs.GrowingRun(WandbSettings(), "search", None, logged(3)).update(logged(5))
    assert run.steps == [{"x": number} for number in range(5)]


@pytest.mark.system
def test_one_run_per_search(experiment: Experiment, store: Store, in_tmp_path: Path) -> None:
    settings = WandbSettings(mode="offline", project="sums", tags=["quick"])
    record = search(experiment, store, settings, group="demo")
    (run,) = (in_tmp_path / "wandb").glob("offline-run-*")
    assert run.name.endswith(record.key)

    records = [json.loads(line) for line in inspect(run, "--json").splitlines()]
    header = next(entry["run"] for entry in records if entry["type"] == "run")
    assert header["run_id"] == record.key
    assert (header["project"], header["run_group"], header["job_type"]) == ("sums", "demo", "search")
    assert header["tags"] == ["quick"]
    config = header["config"]["update"]
    assert config["task"] == "ModularAddition"
    assert config["max_length"] == 4
    assert {name: config[name] for name in ("settings", "experiment")} == record.config.to_json()

    steps = [entry["history"]["item"] for entry in records if entry["type"] == "history"]
    logged = [step for step in steps if "search/size" in step]
    assert [step["search/size"] for step in logged] == [evaluation.size for evaluation in record.evaluations]
    assert [step["search/succeeded"] for step in logged] == [int(e.succeeded) for e in record.evaluations]
    assert [step["evaluation"] for step in logged] == list(range(1, len(logged) + 1))
    assert logged[-1]["search/smallest_succeeding_size"] == 40
    assert [step["trials.nrows"] for step in steps if "trials.nrows" in step] == [record.num_trials]

    summary = json.loads(inspect(run, "--summary", "--json"))["summary"]
    shown = {name: summary[name] for name in ("status", "min_train_size", "censored", "bracket", "num_trials")}
    assert shown == {
        "status": "finished",
        "min_train_size": 40,
        "censored": False,
        "bracket": [39, 40],
        "num_trials": record.num_trials,
    }


@pytest.mark.system
def test_a_failed_search_closes_its_run_and_leaves_the_next_alone(
    experiment: Experiment, store: Store, in_tmp_path: Path
) -> None:
    def broken(config: TrialConfig) -> TrialRecord:
        raise RuntimeError("no luck")

    settings = WandbSettings(mode="offline")
    other = replace(experiment, model=experiment.model.with_arguments(hidden_size=99))
    with pytest.raises(RuntimeError, match="no luck"):
        search(other, store, settings, run_trial=broken)
    record = search(experiment, store, settings)
    summaries = {
        run.name.rpartition("-")[2]: json.loads(inspect(run, "--summary", "--json"))["summary"]
        for run in (in_tmp_path / "wandb").glob("offline-run-*")
    }
    assert len(summaries) == 2
    assert summaries.pop(record.key)["min_train_size"] == 40
    (failed,) = summaries.values()
    assert failed["status"] == "failed"
    assert failed["num_trials"] == 0
    assert "error" not in failed, "it may name files of the user"


def test_trouble_with_wandb_ends_the_logging_not_the_search(
    experiment: Experiment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def unreachable(**_: object) -> None:
        asked.append(1)
        raise wandb.errors.CommError("no network")

    monkeypatch.setattr(wandb, "init", unreachable)
    monkeypatch.setattr(runs, "_silent_until_s", 0.0)
    for size in (1, 2):
        another = replace(experiment, model=experiment.model.with_arguments(hidden_size=size))
        with pytest.warns(UserWarning, match="no longer logged"):
            record = search(another, store, WandbSettings(mode="online"))
        assert record.min_train_size == 40
    assert len(asked) == 1, "every search waits for W&B again"


@pytest.mark.parametrize("name", sorted(runs._ANONYMOUS))
def test_a_wandb_that_cannot_keep_runs_anonymous_is_not_used(
    name: str, experiment: Experiment, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    monkeypatch.delitem(wandb.Settings.model_fields, name)
    monkeypatch.setattr(wandb, "init", lambda **_: opened.append(1))
    with pytest.warns(UserWarning, match=f"no longer logged.*has no setting {name}"):
        record = search(experiment, store, WandbSettings(mode="offline"))
    assert record.min_train_size == 40 and not opened


def test_a_wandb_without_our_timeouts_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in runs._TIMEOUTS_S:
        monkeypatch.delitem(wandb.Settings.model_fields, name)
    settings = runs._private_settings()
    assert {name: getattr(settings, name) for name in runs._ANONYMOUS} == runs._ANONYMOUS
    assert settings.init_timeout != runs._TIMEOUTS_S["init_timeout"]


def test_the_mode_is_the_options_then_the_environments_then_the_accounts(
    in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolved_mode(WandbSettings()) == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert resolved_mode(WandbSettings()) == "disabled"
    assert resolved_mode(WandbSettings(mode="online")) == "online"
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert resolved_mode(WandbSettings()) == "online"


def test_a_saturated_evaluation_is_no_run_of_its_own(experiment: Experiment, store: Store, in_tmp_path: Path) -> None:
    job = SaturationJob(SearchJob(experiment, SETTINGS, 100, 3), 117)
    record = saturation(search(experiment, store, WandbSettings(mode="disabled")), 117, succeeded=True)
    with LiveLogging(job, WandbSettings(mode="offline"), None, store) as observed:
        observed.add(record)
    assert record.key == job.key and store.get(SaturationRecord, job.key) == record
    assert not (in_tmp_path / "wandb").exists()
