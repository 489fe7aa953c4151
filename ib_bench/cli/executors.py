"""The arguments that say where searches run."""

from __future__ import annotations

from typing import Any, Literal

from jsonargparse import Namespace

from ib_bench.errors import BenchError, require
from ib_bench.execution.devices import num_cores, visible_gpus
from ib_bench.execution.executor import Executor
from ib_bench.execution.inline import Inline
from ib_bench.execution.processes import Processes
from ib_bench.execution.ray import Ray, RaySettings

ExecutorName = Literal["inline", "processes", "ray"]


def add_executor_arguments(parser: Any) -> None:
    """The arguments of :func:`chosen_executor`."""
    parser.add_argument(
        "--executor",
        type=ExecutorName,
        default="processes",
        help="Where searches run: in this process, in worker processes of this machine, or on a Ray cluster.",
    )
    parser.add_argument(
        "--workers",
        type=int | None,
        help="Worker processes, each with a search; as many as there are GPUs, or else CPU cores, if left out.",
    )
    parser.add_class_arguments(RaySettings, "ray")


def chosen_executor(options: Namespace) -> Executor:
    """The executor that the arguments ask for.

    Raises:
        BenchError: options of another executor are given, or what it needs is not there.
    """
    name, workers = options.executor, options.workers
    require(workers is None or workers >= 1, "workers", workers, "an integer of at least 1")
    if workers is not None and name != "processes":
        raise BenchError(f"workers is an option of the executor processes, got {workers} with {name}")
    settings = RaySettings(**options.ray)
    if name == "ray":
        return Ray(settings)
    if settings != RaySettings():
        raise BenchError(f"ray.* are options of the executor ray, got them with {name}")
    return Inline() if name == "inline" else _processes(workers)


def num_workers(options: Namespace) -> int:
    """How many searches run side by side, as far as this machine knows: 1 on a cluster."""
    return (options.workers or _default_workers()) if options.executor == "processes" else 1


def _processes(workers: int | None) -> Executor:
    num = workers or _default_workers()
    return Inline() if num == 1 else Processes(num, visible_gpus())


def _default_workers() -> int:
    return len(visible_gpus()) or num_cores()
