"""Jobs of several stages and costs on an executor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ib_bench.execution.executor import CallResult, Executor, SharedOptions
from ib_bench.execution.inline import Inline
from ib_bench.execution.processes import Processes
from ib_bench.quantities.extrapolation.job import ExtrapolationJob
from ib_bench.quantities.extrapolation.record import ExtrapolationSettings
from ib_bench.quantities.job import Job
from ib_bench.quantities.progress import Progress
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.runner.jobs import LocalCall, Output, RemoteCall, run_jobs
from ib_bench.runner.watching import Batch, Watcher
from ib_bench.tracking.settings import WandbSettings
from ib_bench.training.trial import TrainedTrial, train_trial

SETTINGS = SearchSettings([0.01], [1, 2], threshold=0.05, max_steps=60, multiplier=4, max_evaluations=2)


def jobs(experiment: Experiment) -> list[Job[Any]]:
    """Of two models: the search that costs more is the second; each has an extrapolation."""
    other = replace(experiment, model=ClassSpec("ib_bench.models.LSTM", {"hidden_size": 8, "num_layers": 1}))
    searches = [
        SearchJob(experiment, replace(SETTINGS, max_evaluations=1), pool_size=95, num_states=3),
        SearchJob(other, SETTINGS, pool_size=95, num_states=3),
    ]
    settings = ExtrapolationSettings(multiples=[1.0, 2.0], num_sequences=8)
    return [*(ExtrapolationJob(search, settings) for search in reversed(searches)), *searches]


class Recording(Executor):
    """Makes no call, and notes what it is given."""

    def __init__(self, takes_after: bool) -> None:
        self.calls: list[tuple[Sequence[Job[Any]], Any]] = []
        self.takes_after = takes_after  # type: ignore[misc]

    @classmethod
    def from_settings(cls, settings: Any, shared: SharedOptions) -> Recording:
        raise NotImplementedError

    def run(self, function: Any, items: Any, on_event: Any, resume: Any = None, **after: Any) -> list[CallResult[Any]]:
        assert all(isinstance(item, LocalCall) for item in items)
        self.calls.append(([item.job for item in items], after.get("after")))
        return [CallResult(error=ValueError(item.job.key)) for item in items]


def output(folder: Path) -> Output:
    return Output(folder / "store.sqlite", WandbSettings(mode="disabled"))


def test_long_jobs_first_and_no_barrier_between_stages(experiment: Experiment, tmp_path: Path) -> None:
    long_extrapolation, short_extrapolation, short, long = asked = jobs(experiment)
    executor = Recording(takes_after=True)
    outcomes = run_jobs(asked, executor, output(tmp_path))
    ((ordered, after),) = executor.calls
    assert [job.key for job in ordered[:2]] == [long.key, short.key]
    places = {job.key: index for index, job in enumerate(ordered)}
    assert after == {places[long_extrapolation.key]: [0], places[short_extrapolation.key]: [1]}
    assert [str(outcome.error) for outcome in outcomes] == [job.key for job in asked]  # in the order of the question


def test_other_executors_run_one_stage_after_the_other(experiment: Experiment, tmp_path: Path) -> None:
    executor = Recording(takes_after=False)
    run_jobs(jobs(experiment), executor, output(tmp_path))
    assert [{job.quantity for job in ordered} for ordered, _ in executor.calls] == [{"search"}, {"extrapolate"}]
    assert all(after is None for _, after in executor.calls)


class AnyStage(ExtrapolationJob):
    uses = None  # type: ignore[assignment]


def test_a_job_that_names_nothing_waits_for_all_lower_stages(experiment: Experiment, tmp_path: Path) -> None:
    _, _, short, long = jobs(experiment)
    careful = AnyStage(short, ExtrapolationSettings())  # type: ignore[arg-type]
    executor = Recording(takes_after=True)
    run_jobs([careful, short, long], executor, output(tmp_path))
    assert executor.calls[0][1] == {2: [0, 1]}


class Stored(Watcher):
    """Notes the batch, and what was in the store."""

    batches: list[Batch]

    def __init__(self, batch: Batch) -> None:
        self.batches.append(batch)

    def show(self, index: int, newest: Progress) -> None: ...
    def lose(self, index: int) -> None: ...
    def wait(self, index: int, reason: str) -> None: ...
    def leave(self, error: BaseException | None) -> None: ...


@pytest.mark.system
def test_results_do_not_depend_on_the_order_or_the_workers(experiment: Experiment, tmp_path: Path) -> None:
    found = []
    for name, executor, asked in (
        ("one", Inline(), jobs(experiment)),
        ("two", Processes(2), jobs(experiment)[::-1]),
    ):
        (folder := tmp_path / name).mkdir()
        outcomes = {
            job.key: outcome for job, outcome in zip(asked, run_jobs(asked, executor, output(folder)), strict=True)
        }
        assert all(outcome.error is None for outcome in outcomes.values())
        with Store(folder / "store.sqlite") as store:
            trials = {trial.key: (trial.val_curve, trial.metrics) for trial in store.all(TrialRecord)}
        brackets = {key: getattr(outcome.result, "evaluations", None) for key, outcome in outcomes.items()}
        accuracies = {key: getattr(outcome.result, "accuracies", None) for key, outcome in outcomes.items()}
        found.append((trials, brackets, accuracies))
    assert found[0] == found[1]


@pytest.mark.system
def test_what_is_stored_counts_as_done_at_once(experiment: Experiment, tmp_path: Path) -> None:
    _, _, short, long = jobs(experiment)
    run_jobs([short], Inline(), output(tmp_path))
    Stored.batches = []
    run_jobs([short, long], Inline(), output(tmp_path), Stored)
    (batch,) = Stored.batches
    assert (batch.num_stored, [job.key for job in batch.jobs]) == (1, [long.key])
    assert len(batch.costs_s) == 1 and batch.num_at_once == 1


class Elsewhere(Inline):
    """Calls functions as machines would that cannot reach the store, and notes what they are given."""

    is_local = False
    takes_after = False

    def __init__(self) -> None:
        self.calls: list[RemoteCall[Any]] = []

    def run(self, function: Any, items: Any, on_event: Any, resume: Any = None, after: Any = None) -> list[Any]:
        self.calls += items
        return super().run(function, items, on_event, resume, after)


@pytest.mark.system
def test_a_machine_without_the_store_gets_what_it_may_look_up(experiment: Experiment, tmp_path: Path) -> None:
    """And trains what this machine would train."""
    trained: list[TrialConfig] = []

    def train(config: TrialConfig, placement: Any, on_validation: Any) -> TrainedTrial:
        trained.append(config)
        return train_trial(config, placement, on_validation)

    search = SearchJob(experiment, replace(SETTINGS, max_steps=10), pool_size=95, num_states=3, train=train)
    extrapolation = ExtrapolationJob(search, ExtrapolationSettings(multiples=[1.0, 2.0], num_sequences=8))
    smaller = train_trial(search.settings.trial_config(experiment, 16, 0.01, 1), {}, lambda *_: None).record
    asked: list[Job[Any]] = [search, extrapolation]
    keys = []
    for name, executor in (("here", Inline()), ("there", elsewhere := Elsewhere())):
        (folder := tmp_path / name).mkdir()
        with Store(folder / "store.sqlite") as store:
            store.add(smaller)
        outcomes = run_jobs(asked, executor, output(folder))
        assert [outcome.error for outcome in outcomes] == [None, None]
        keys.append([config.key for config in trained])
        trained.clear()
    assert keys[0] == keys[1]
    at_largest = [config.key for config in search.settings.grid_configs(experiment, 95)]
    sent = [[record.key for record in call.records] for call in elsewhere.calls]
    assert sent == [[smaller.key], at_largest]


@pytest.mark.parametrize("is_broken", [False, True])
def test_a_job_that_cuda_has_failed_under_has_not_failed(
    is_broken: bool, experiment: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Progress] = []
    Stored.batches = []

    class Shown(Stored):
        def show(self, index: int, newest: Progress) -> None:
            shown.append(newest)

    def train(config: TrialConfig, placement: Any, on_validation: Any) -> TrainedTrial:
        raise RuntimeError("CUDA error")

    monkeypatch.setattr("ib_bench.runner.jobs.cuda_failure", lambda: "CUDA error" if is_broken else None)
    search = SearchJob(experiment, SETTINGS, pool_size=95, num_states=3, train=train)
    run_jobs([search], Inline(), output(tmp_path), Shown)
    assert (shown[-1].error is None) == is_broken
