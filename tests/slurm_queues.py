"""Queues that tests of the executor for Slurm wait in: a real one where there is one, and submitit's imitation."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import submitit

from ib_bench.execution.slurm.driver import Patience
from ib_bench.execution.slurm.executor import Slurm
from ib_bench.execution.slurm.queue import Queue, Standing
from ib_bench.execution.slurm.reports import Task
from ib_bench.execution.slurm.settings import SlurmSettings


def _no_slurm() -> str | None:
    """Why tests that need Slurm are skipped, or None."""
    if not all(map(shutil.which, ("sinfo", "sbatch", "srun"))):
        return "no Slurm is installed (docker/slurm.sh installs one)"
    controller = subprocess.run(["scontrol", "ping"], capture_output=True, text=True)  # sinfo alone waits 9 s for it
    nodes = ["sinfo", "--noheader", "--format=%T"]
    states = subprocess.run(nodes, capture_output=True, text=True).stdout if " UP" in controller.stdout else ""
    ready = any(state in states for state in ("idle", "mixed", "allocated"))
    return None if ready else "Slurm is installed and does not answer (docker/slurm.sh starts it)"


NO_SLURM = _no_slurm()
needs_slurm = pytest.mark.skipif(NO_SLURM is not None, reason=NO_SLURM or "")


class LocalQueue(Queue):
    """Runs tasks at once, in processes of this machine, through the part of submitit that does without Slurm."""

    def __init__(self) -> None:
        self.submitted: list[Task] = []
        self._jobs: dict[Task, Any] = {}

    def submit(self, name: str, folder: Path, tasks: Sequence[Callable[[], None]]) -> str:
        executor = submitit.LocalExecutor(folder)
        jobs = [executor.submit(task) for task in tasks]
        self._jobs.update({(name, number): job for number, job in enumerate(jobs)})
        self.submitted += [(name, number) for number in range(len(tasks))]
        return str(jobs[0].job_id)

    def active(self) -> dict[Task, Standing]:
        return {task: Standing(job.job_id, "RUNNING") for task, job in self._jobs.items() if not job.done()}

    def join(self) -> None:
        """Wait until all processes have ended."""
        for job in self._jobs.values():
            job._process.wait()

    def preempt(self, task: Task) -> None:
        self._jobs[task]._interrupt()


def slurm_executor(folder: Path, queue: Queue | None = None, collect_only: bool = False, **settings: Any) -> Slurm:
    """An executor that waits no longer than it has to on one machine; items are their own ids."""
    patience = Patience(files_s=0.1, queue_s=0.5, grace_s=0.5)
    return Slurm(SlurmSettings(folder=folder, **settings), str, collect_only, queue, patience)
