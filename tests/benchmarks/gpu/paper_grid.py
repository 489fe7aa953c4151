"""How long the paper's grid would take on this GPU, from the time of a step of each of its models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch

from benchmarks.gpu.checks import Check
from benchmarks.gpu.grids import GRID, GridTimes, ms_per_step
from benchmarks.measurement import Measurement
from ib_bench.quantities.job import Workload
from ib_bench.results.archive import Records
from ib_bench.results.records import ClassSpec, Experiment, arguments_text
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.runner.plan import data_parameters, make_plan
from ib_bench.runner.suites import find_suite
from ib_bench.studies.estimate import estimate
from ib_bench.studies.suite import read_suite
from ib_bench.training.trial import run_trial

_HOUR_S = 3600.0
_NUM_SEQUENCES = 64


def workloads(suite: str) -> list[Workload]:
    """Everything that a shipped suite trains at most; a minute for the paper's."""
    read = read_suite(find_suite(suite))
    plan = make_plan(read, read.cells(data_parameters), Path("no store"), keep_weights=False)
    return [job.workload(plan.jobs.keys()) for job in plan.jobs.values()]


def paper_checks(
    device: torch.device, planned: Callable[[], Sequence[Workload]], max_s: float, times: GridTimes
) -> list[Check]:
    """The hours, one by one, and by what the grids have shown.

    Args:
        device: where trials run.
        planned: returns what the grid trains at most, see :func:`workloads`; may take its time.
        max_s: seconds for each timing.
        times: of the grids.
    """
    return [Check("hours for the paper's grid", partial(_hours, device, planned, max_s, times))]


def _hours(
    device: torch.device, planned: Callable[[], Sequence[Workload]], max_s: float, times: GridTimes
) -> Iterator[Measurement]:
    todo = planned()
    records: list[TrialRecord] = []
    for model, experiments in _typical(todo).items():
        timed = [_timed_record(experiment, device, max_s) for experiment in experiments]
        records += timed
        step_ms = fmean(1000 * record.wall_time_s / record.num_steps for record in timed)
        name = f"{model.class_path.rpartition('.')[2]} {arguments_text(model.init_args)}"
        note = f"mean of {len(timed)} of its experiments; validation takes at most a tenth more"
        yield Measurement("paper", f"{name}: a step", step_ms, "ms", note=note)
    num_trials = sum(work.max_trials for work in todo)
    note = f"at most: {num_trials:,} trials with their whole budget"
    yield Measurement("paper", "the paper's grid, one by one", _at_most(todo, records), "h", note=note)
    for how, own in (("without CUDA graphs", times.usual), (f"{times.num_processes} processes", times.side_by_side)):
        faster = {name.partition(",")[0]: times.one_by_one[name] / ms for name, ms in own.items() if _is_of_paper(name)}
        if faster:
            scaled = [_scaled(record, faster) for record in records]
            note = "with the factors above: " + ", ".join(f"{name} {factor:.2f}x" for name, factor in faster.items())
            yield Measurement("paper", f"the paper's grid, {how}", _at_most(todo, scaled), "h", note=note)


def _is_of_paper(name: str) -> bool:
    return not name.endswith("width 64")


def _scaled(record: TrialRecord, faster: dict[str, float]) -> TrialRecord:
    model = record.config.experiment.model.class_path.rpartition(".")[2]
    return replace(record, wall_time_s=record.wall_time_s / faster.get(model, 1.0))


def _typical(todo: Sequence[Workload]) -> dict[ClassSpec, list[Experiment]]:
    """For each model a few experiments of every regime, at the quartiles of sequence length and alphabet."""
    alike: dict[tuple[ClassSpec, str], list[Experiment]] = defaultdict(list)
    for work in todo:
        if work.max_trials:
            alike[work.experiment.model, str(work.experiment.data.presentation.supervision)].append(work.experiment)
    typical: dict[ClassSpec, list[Experiment]] = defaultdict(list)
    for (model, _), experiments in alike.items():
        ordered = sorted(experiments, key=_extent)
        typical[model] += [ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]]
    return typical


def _extent(experiment: Experiment) -> tuple[int, int]:
    data = experiment.data
    return data.presentation.max_length or 0, max(data.task_arguments.values(), default=0)


def _timed_record(experiment: Experiment, device: torch.device, max_s: float) -> TrialRecord:
    """A trial's record, whose time is that of its steps alone, as a long trial has it."""
    placement: dict[str, Any] = {"accelerator": device.type}

    def config(num_steps: int) -> TrialConfig:
        return TrialConfig(experiment, _NUM_SEQUENCES, *GRID[0], 1e-12, num_steps, 10 * num_steps, 1)

    step_ms = ms_per_step(lambda num: run_trial(config(num), placement), max_s)
    record = run_trial(config(1), placement)
    return replace(record, wall_time_s=step_ms / 1000 * record.num_steps)


def _at_most(todo: Sequence[Workload], records: Sequence[TrialRecord]) -> float:
    seconds = estimate(todo, Records.of_all(records), num_workers=1).max_time_s
    assert seconds is not None, "there is a record of every model"
    return seconds / _HOUR_S
