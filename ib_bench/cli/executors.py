"""The arguments that say where searches run."""

from __future__ import annotations

from typing import Any, Literal

from jsonargparse import Namespace

from ib_bench.errors import BenchError, InvalidOptionError, require
from ib_bench.execution.devices import num_cores, visible_gpus
from ib_bench.execution.executor import Executor
from ib_bench.execution.inline import Inline
from ib_bench.execution.processes import Processes
from ib_bench.execution.ray import Ray, RaySettings
from ib_bench.execution.slurm.executor import Slurm
from ib_bench.execution.slurm.settings import SlurmSettings

ExecutorName = Literal["inline", "processes", "ray", "slurm"]


def add_executor_arguments(parser: Any) -> None:
    """The arguments of :func:`chosen_executor`."""
    parser.add_argument(
        "--executor",
        type=ExecutorName,
        default="processes",
        help="Where searches run: in this process, in worker processes of this machine, on a Ray cluster, or as job "
        "arrays of Slurm.",
    )
    parser.add_argument(
        "--workers",
        type=int | None,
        help="Worker processes, each with a search; as many as there are GPUs, or else CPU cores, if left out.",
    )
    parser.add_class_arguments(RaySettings, "ray")
    parser.add_class_arguments(SlurmSettings, "slurm")
    parser.add_argument(
        "--collect",
        action="store_true",
        help="With the executor slurm: take what has finished, submit nothing, and do not wait.",
    )


def chosen_executor(options: Namespace) -> Executor:
    """The executor that the arguments ask for.

    Raises:
        BenchError: options of another executor are given, or what it needs is not there.
    """
    name, workers = options.executor, options.workers
    require(workers is None or workers >= 1, "workers", workers, "an integer of at least 1")
    ray, slurm = RaySettings(**options.ray), SlurmSettings(**options.slurm)
    given = {
        "workers": ("processes", workers is not None),
        "ray.*": ("ray", ray != RaySettings()),
        "slurm.*": ("slurm", slurm != SlurmSettings()),
        "collect": ("slurm", options.collect),
    }
    for option, (executor, is_given) in given.items():
        if is_given and name != executor:
            raise BenchError(
                f"{option} must be left out with the executor {name}; it belongs to the executor {executor}"
            )
    if name == "ray":
        return Ray(ray)
    if name == "slurm":
        return Slurm(slurm, call_id=lambda remote: remote.job.key, collect_only=options.collect)
    return Inline() if name == "inline" else _processes(workers)


def require_room(options: Namespace, spread: int) -> None:
    """Make sure that a search which trains several configurations at once has the cores for it.

    Args:
        options: of :func:`add_executor_arguments`.
        spread: configurations that one of the searches trains at once, at most.

    Raises:
        BenchError: it has not.
    """
    lacking = {"processes": num_workers(options) > 1, "ray": options.ray.num_cpus < spread}
    lacking["slurm"] = options.slurm.cpus_per_task < spread
    advice = {
        "processes": "1 where several searches run side by side; use --executor inline for one at a time",
        "ray": f"at most ray.num_cpus, {options.ray.num_cpus:g}",
        "slurm": f"at most slurm.cpus_per_task, {options.slurm.cpus_per_task}",
    }
    if spread > 1 and lacking.get(options.executor):
        raise InvalidOptionError("search.spread", spread, advice[options.executor])


def num_workers(options: Namespace) -> int:
    """How many searches run side by side, as far as this machine knows: 1 on a cluster."""
    return (options.workers or _default_workers()) if options.executor == "processes" else 1


def _processes(workers: int | None) -> Executor:
    num = workers or _default_workers()
    return Inline() if num == 1 else Processes(num, visible_gpus())


def _default_workers() -> int:
    return len(visible_gpus()) or num_cores()
