"""How a whole suite uses two cores: how soon they train, how busy they are, and with what."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from functools import wraps
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loops.evaluation_loop import _EvaluationLoop

from benchmarks.commands import run_command
from benchmarks.measurement import Measurement, OnRound
from ib_bench.execution.inline import Inline
from ib_bench.quantities.curve import job as curve_job
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.jobs import Output, run_jobs
from ib_bench.runner.plan import data_parameters, make_plan
from ib_bench.runner.suites import find_suite
from ib_bench.studies.suite import read_suite
from ib_bench.tracking.settings import WandbSettings

_NUM_WORKERS = 2
_MIN_BUSY = 90.0


def whole_run(num_steps: int, on_round: OnRound) -> list[Measurement]:
    """Run the suite ``demo`` with fewer steps, as a command and then in this process, where its parts are timed.

    Args:
        num_steps: budget of a trial.
        on_round: receives what is being timed.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        suite = _shortened_demo(folder, num_steps)
        on_round("a suite on two workers")
        return [*_two_workers(folder, suite), *_parts(folder, suite, on_round)]


def _shortened_demo(folder: Path, num_steps: int) -> Path:
    content = yaml.safe_load(find_suite("demo").read_text(encoding="utf-8"))
    content["base"]["search"] |= {"max_steps": num_steps, "max_size": 1024}
    path = folder / "short.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def _two_workers(folder: Path, suite: Path) -> list[Measurement]:
    """From the time stamps of trials, which are given in whole seconds."""
    store, options = folder / "two.sqlite", ("--workers", str(_NUM_WORKERS), "--wandb.mode", "disabled")
    started_at = datetime.now(timezone.utc)
    run_command(folder, "run", str(suite), "--store", str(store), *options)
    all_s = (datetime.now(timezone.utc) - started_at).total_seconds()
    with Store(store) as opened:
        trials = list(opened.all(TrialRecord))
    ends_s = [(datetime.fromisoformat(trial.finished_at) - started_at).total_seconds() for trial in trials]
    first_s = min(end_s - trial.wall_time_s for end_s, trial in zip(ends_s, trials, strict=True))
    training_s, cpu_s = sum(trial.wall_time_s for trial in trials), sum(trial.process_time_s for trial in trials)
    window_s = max(ends_s) - first_s
    busy = 100 * training_s / (_NUM_WORKERS * window_s)
    note = f"{training_s:.0f} s of trials ({cpu_s:.0f} s of CPU) in {window_s:.0f} s"
    return [
        Measurement("whole_run", "demo, short: until the first training", max(first_s, 0.0), "s"),
        Measurement("whole_run", "demo, short: both workers train", busy, "%", _MIN_BUSY, at_least=True, note=note),
        Measurement("whole_run", "demo, short: after the last training", all_s - max(ends_s), "s"),
    ]


def _parts(folder: Path, suite: Path, on_round: OnRound) -> list[Measurement]:
    """One job after the other, in this process."""
    on_round("the parts of a suite")
    read = read_suite(suite)
    output = Output(folder / "one.sqlite", WandbSettings(mode="disabled"))
    seconds: dict[str, float] = {}
    with (
        _timed(seconds, "validation", _EvaluationLoop, "run"),
        _timed(seconds, "store", Store, "add_all"),
        _timed(seconds, "trials", curve_job, "train_trial"),
    ):
        plan = make_plan(read, read.cells(data_parameters), output.store, keep_weights=False)
        start_s = time.perf_counter()
        run_jobs(list(plan.jobs.values()), Inline(), output)
        all_s = time.perf_counter() - start_s
    trials_s, validation_s, store_s = seconds["trials"], seconds["validation"], seconds["store"]
    parts_s = {
        "training steps": trials_s - validation_s,
        "validation": validation_s,
        "store": store_s,
        "all else": all_s - trials_s - store_s,
    }
    return [
        Measurement(
            "whole_run", f"demo, short: {what}", 100 * part_s / all_s, "%", note=f"{part_s:.1f} of {all_s:.1f} s"
        )
        for what, part_s in parts_s.items()
    ]


@contextmanager
def _timed(seconds: dict[str, float], what: str, owner: Any, name: str) -> Iterator[None]:
    """Context manager that adds up the time spent in a function."""
    function: Callable[..., Any] = getattr(owner, name)

    @wraps(function)
    def timed(*arguments: Any, **options: Any) -> Any:
        start_s = time.perf_counter()
        try:
            return function(*arguments, **options)
        finally:
            seconds[what] = seconds.get(what, 0.0) + time.perf_counter() - start_s

    setattr(owner, name, timed)
    try:
        yield
    finally:
        setattr(owner, name, function)
