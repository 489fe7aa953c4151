"""The 15 configurations of the paper's grid on one GPU: one by one, with and without CUDA graphs, and in processes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from benchmarks.gpu.checks import Check, NotRunError
from benchmarks.gpu.steps import Size
from benchmarks.measurement import Measurement
from benchmarks.training_step import unseen
from ib_bench.execution.devices import visible_gpus
from ib_bench.execution.executor import Emit
from ib_bench.execution.processes import Processes
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.trial import train_trial

GRID = [(rate, seed) for rate in (1e-3, 1e-4, 1e-5) for seed in (10, 20, 30, 40, 50)]
REPLAY_TARGET = 2.0
"""How many times as fast as usual a trial must be at width 64 whose steps are replayed as CUDA graphs."""

_START_STEPS = 5
_PATIENCE_S = 120.0
_POLL_S = 0.01


@dataclass
class GridTimes:
    """Milliseconds for a step of one configuration, by the name of the size.

    Attributes:
        one_by_one: of a trial that has the GPU for itself.
        usual: of the same without CUDA graphs.
        side_by_side: of several processes, shared out over them.
        num_processes: how many those were.
    """

    one_by_one: dict[str, float] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=dict)
    side_by_side: dict[str, float] = field(default_factory=dict)
    num_processes: int = 0


def grid_checks(
    device: torch.device, sizes: Sequence[Size], max_s: float, num_processes: int, times: GridTimes
) -> list[Check]:
    """One by one for each size, replayed and as usual; then all sizes in processes, which are started once.

    Args:
        device: where trials run.
        sizes: of the models.
        max_s: seconds for each timing.
        num_processes: that train side by side.
        times: receives what is measured.
    """
    together = partial(_side_by_side, device, sizes, max_s, num_processes, times)
    return [
        *(Check(f"{size.name}: one by one", partial(_alone, device, size, max_s, times)) for size in sizes),
        *(Check(f"{size.name}: without CUDA graphs", partial(_usual, device, size, max_s, times)) for size in sizes),
        Check(f"{num_processes} processes side by side", together),
    ]


def grid_configs(size: Size, num_steps: int) -> list[TrialConfig]:
    """The grid of a size, for so many optimizer steps and one validation at the end."""
    experiment = Experiment(
        model=ClassSpec(f"ib_bench.models.{size.model}", size.arguments),
        data=DataSpec(
            "ib_bench.data.ModularAddition", {"modulus": 5, "max_length": 10, "length_distribution": "fixed"}
        ),
    )
    first = TrialConfig(experiment, 4096, 1e-3, 10, 1e-12, num_steps, 10 * num_steps, 1)
    return [replace(first, learning_rate=rate, seed=seed) for rate, seed in GRID]


def ms_per_step(train: Callable[[int], object], max_s: float) -> float:
    """The time of a step in a training run, without what its start and its end take.

    Args:
        train: trains for so many steps, at least 1.
        max_s: seconds for the timing.
    """
    train(_START_STEPS)  # the first run in a process also loads kernels
    start_s = _seconds(train, _START_STEPS)
    rough_s = max(_seconds(train, 5 * _START_STEPS) - start_s, 1e-4) / (4 * _START_STEPS)
    num = max(_START_STEPS, min(5000, int(max_s / rough_s)))
    return 1000 * (_seconds(train, _START_STEPS + num) - start_s) / num


def _seconds(train: Callable[[int], object], num_steps: int) -> float:
    start = time.perf_counter()
    with unseen():
        train(num_steps)
    return time.perf_counter() - start


def _alone(device: torch.device, size: Size, max_s: float, times: GridTimes) -> Iterator[Measurement]:
    placement = {"accelerator": device.type}
    step_ms = ms_per_step(lambda num: train_trial(grid_configs(size, num)[0], placement), max_s)
    times.one_by_one[size.name] = step_ms
    yield Measurement("grids", f"{size.name}, one by one: a step of one configuration", step_ms, "ms")


def _usual(device: torch.device, size: Size, max_s: float, times: GridTimes) -> Iterator[Measurement]:
    replayed_ms = _known(times.one_by_one, size)

    def train(num_steps: int) -> None:
        train_trial(replace(grid_configs(size, num_steps)[0], cuda_graph=False), {"accelerator": device.type})

    usual_ms = ms_per_step(train, max_s)
    times.usual[size.name] = usual_ms
    note = f"{usual_ms:.3f} against {replayed_ms:.3f} ms for a step of one configuration"
    what = f"{size.name}: trial as usual against replayed as CUDA graphs"
    target = REPLAY_TARGET if size.is_small else None
    yield Measurement("grids", what, usual_ms / replayed_ms, "x", target, at_least=True, note=note)


@dataclass(frozen=True)
class _Share:
    """What one of the processes trains.

    Attributes:
        index: of the process.
        num_processes: that there are.
        sizes: one after the other, and for how many steps.
        accelerator: Lightning's name of the device.
        folder: where processes wait for one another.
    """

    index: int
    num_processes: int
    sizes: Sequence[tuple[Size, int]]
    accelerator: str
    folder: Path


def _side_by_side(
    device: torch.device, sizes: Sequence[Size], max_s: float, num: int, times: GridTimes
) -> Iterator[Measurement]:
    known = [size for size in sizes if size.name in times.one_by_one]
    if not known:
        raise NotRunError("the time of one by one is not known")
    steps = [(size, max(_START_STEPS, int(400 * max_s / times.one_by_one[size.name]))) for size in known]
    executor = Processes(num, visible_gpus() if device.type == "cuda" else ())
    with tempfile.TemporaryDirectory() as folder:
        shares = [_Share(index, num, steps, device.type, Path(folder)) for index in range(num)]
        ended = executor.run(_train_share, shares, lambda *_: None)
    for one in ended:
        if one.error is not None:
            raise one.error
    paces = [one.result for one in ended if one.result is not None]
    times.num_processes = num
    for index, size in enumerate(known):
        own_ms = 1000 / sum(1 / pace[index] for pace in paces)
        times.side_by_side[size.name] = own_ms
        one_ms = times.one_by_one[size.name]
        note = f"{one_ms:.3f} against {own_ms:.3f} ms for a step of one configuration"
        yield Measurement("grids", f"{size.name}: one by one against {num} processes", one_ms / own_ms, "x", note=note)


def _train_share(share: _Share, emit: Emit) -> list[float]:
    """Seconds for a step of each size, while the other processes train the same."""
    paces = []
    for number, (size, num_steps) in enumerate(share.sizes):

        def train(num: int, size: Size = size) -> None:
            train_trial(grid_configs(size, num)[share.index % len(GRID)], {"accelerator": share.accelerator})

        _seconds(train, _START_STEPS)
        _wait_for_others(share, number)
        start_s = _seconds(train, _START_STEPS)
        paces.append(max(_seconds(train, _START_STEPS + num_steps) - start_s, 1e-6) / num_steps)
    return paces


def _wait_for_others(share: _Share, number: int) -> None:
    (share.folder / f"{number}-{share.index}").touch()
    deadline = time.monotonic() + _PATIENCE_S
    while len(list(share.folder.glob(f"{number}-*"))) < share.num_processes:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{share.num_processes} processes were not ready within {_PATIENCE_S:.0f} s")
        time.sleep(_POLL_S)


def _known(times: dict[str, float], size: Size) -> float:
    if size.name not in times:
        raise NotRunError("the time of one by one is not known")
    return times[size.name]
