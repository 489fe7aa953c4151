"""What an executor costs: calls that do nothing."""

from __future__ import annotations

import importlib.util
import time

from benchmarks.measurement import Measurement, OnRound
from ib_bench.execution.devices import num_cores
from ib_bench.execution.executor import Emit, Executor
from ib_bench.execution.processes import Processes
from ib_bench.execution.ray import Ray, RaySettings

_MAX_MS = 5.0


def scheduling(on_round: OnRound, num_calls: int = 1000) -> list[Measurement]:
    """The time of a call on each executor that is installed, once its workers are there.

    Args:
        on_round: receives what is being timed.
        num_calls: how many are timed.
    """
    executors: dict[str, Executor] = {"processes": Processes(num_cores())}
    if importlib.util.find_spec("ray") is not None:
        executors["ray"] = Ray(RaySettings())
    measurements = []
    for name, executor in executors.items():
        on_round(f"{num_calls:,} calls on {name}")
        start_s = _time_s(executor, 1)
        time_s = _time_s(executor, num_calls)
        what = f"{name}: a call that does nothing, of {num_calls:,}"
        note = f"{time_s:.1f} s for all, of which {start_s:.1f} s until the first has ended"
        target = _MAX_MS if name == "ray" else None
        measurements.append(
            Measurement("scheduling", what, 1000 * max(time_s - start_s, 0.0) / num_calls, "ms", target, note=note)
        )
    return measurements


def _time_s(executor: Executor, num_calls: int) -> float:
    start = time.perf_counter()
    outcomes = executor.run(_nothing, list(range(num_calls)), lambda index, event: None)
    if any(outcome.error is not None for outcome in outcomes):
        raise RuntimeError("a call that does nothing has failed")
    return time.perf_counter() - start


def _nothing(item: int, emit: Emit) -> None:
    """Nothing."""
