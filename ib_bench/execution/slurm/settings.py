"""The options of Slurm."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ib_bench.errors import require

_POSITIVE = ("timeout_min", "max_attempts", "cpus_per_task", "chunk_size", "max_parallel")
_HAVE_OPTIONS = (
    *("account", "array", "cpus-per-task", "error", "gpus-per-node", "job-name", "mem", "open-mode"),
    *("output", "partition", "qos", "requeue", "signal", "time"),
)
_ONE_TASK = ("clusters", "nodes", "ntasks", "ntasks-per-node")
"""Parameters that would start a call several times, or queue it where squeue does not look."""


@dataclass(frozen=True)
class SlurmSettings:
    """Options of array tasks; names are those of Slurm and submitit.

    Args:
        folder: folder for the files of the tasks. Every node must see it, and the same folder finds them again.
        partition: where tasks run; null takes the cluster's default.
        timeout_min: time limit of a task, in minutes. A task that reaches it is queued again and continues from its
            finished trials, so the limit must exceed the longest trial, not the longest search. A search fails if no
            trial ends within the limit.
        max_num_timeout: how often a task is queued again after it has reached its time limit.
        max_attempts: how many tasks may end without a result of a search before the search is given up.
        cpus_per_task: cores of a task.
        gpus_per_node: GPUs of a task.
        mem_gb: memory of a task, in GB; null takes the cluster's default.
        account: account to charge; null takes the user's default.
        qos: quality of service; null takes the default.
        chunk_size: searches of one task, done one after the other; with more than one, short searches share the start
            of a process.
        max_parallel: tasks of an array that run at once, at most. An array has up to 1,000 tasks.
        signal_delay_s: seconds before the time limit at which Slurm signals a task.
        additional: further parameters of sbatch, such as ``{"constraint": "a100"}``; none that has an option here.
    """

    folder: Path = Path("slurm")
    partition: str | None = None
    timeout_min: int = 240
    max_num_timeout: int = 20
    max_attempts: int = 5
    cpus_per_task: int = 1
    gpus_per_node: int = 0
    mem_gb: float | None = None
    account: str | None = None
    qos: str | None = None
    chunk_size: int = 1
    max_parallel: int = 256
    signal_delay_s: int = 60
    additional: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*_POSITIVE, "max_num_timeout", "gpus_per_node"):
            value, least = getattr(self, name), int(name in _POSITIVE)
            require(value >= least, f"slurm.{name}", value, f"an integer of at least {least}")
        delay_s, limit_s = self.signal_delay_s, 60 * self.timeout_min
        require(self.mem_gb is None or self.mem_gb > 0, "slurm.mem_gb", self.mem_gb, "positive")
        require(0 < delay_s < limit_s, "slurm.signal_delay_s", delay_s, f"in [1, {limit_s - 1}], within the time limit")
        for name in self.additional:
            allowed = f"parameters of sbatch other than {', '.join(_HAVE_OPTIONS)}"
            require(name.replace("_", "-") not in _HAVE_OPTIONS, "slurm.additional", name, allowed)
            allowed = f"parameters of sbatch other than {', '.join(_ONE_TASK)}: each task is one process"
            require(name.replace("_", "-") not in _ONE_TASK, "slurm.additional", name, allowed)

    def parameters(self) -> dict[str, Any]:
        """The settings as submitit's parameters."""
        parameters = {
            "partition": self.partition,
            "mem": None if self.mem_gb is None else f"{round(1024 * self.mem_gb)}M",
            "account": self.account,
            "qos": self.qos,
            "gpus_per_node": self.gpus_per_node or None,
            "time": self.timeout_min,
            "cpus_per_task": self.cpus_per_task,
            "srun_args": [f"--cpus-per-task={self.cpus_per_task}"],  # srun of Slurm 22.05 does not take sbatch's
            "array_parallelism": self.max_parallel,
            "signal_delay_s": self.signal_delay_s,
            "additional_parameters": {**self.additional, "requeue": True},
        }
        return {name: value for name, value in parameters.items() if value is not None}
