"""The queue that array tasks wait in: Slurm's, or another one in tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from ib_bench.errors import BenchError
from ib_bench.execution.slurm.reports import Task
from ib_bench.execution.slurm.settings import SlurmSettings


def slurm_answers() -> bool:
    """Whether Slurm's controller is up; waits for a few seconds at most."""
    return " UP" in (_output_of(["scontrol", "ping"], timeout_s=5, check=False) or "")


class Standing(NamedTuple):
    """The status of a task: the id of its job (``123_4``), its state (``PENDING``), and why it waits (``Priority``)."""

    job: str
    state: str
    reason: str = ""

    def __str__(self) -> str:
        """In words."""
        reason = f" ({self.reason})" if self.state == "PENDING" and self.reason not in ("", "None") else ""
        return f"{self.state.lower()} as {self.job}{reason}"


class Queue(ABC):
    """Takes tasks, runs them, and says which have not ended."""

    @abstractmethod
    def submit(self, name: str, folder: Path, tasks: Sequence[Callable[[], None]]) -> str:
        """Queue tasks, numbered from 0; returns the id of the job.

        Args:
            name: of the submission, unlike all others.
            folder: for logs.
            tasks: functions as submitit takes them, which may have a method ``checkpoint``.

        Raises:
            BenchError: they are refused.
        """

    @abstractmethod
    def active(self) -> dict[Task, Standing] | None:
        """All tasks that are queued or running; None if the queue does not answer."""


class SlurmQueue(Queue):
    """Slurm, through submitit and squeue, without Slurm's accounting.

    Args:
        settings: what is asked of Slurm.

    Raises:
        BenchError: submitit or Slurm is not installed.
    """

    def __init__(self, settings: SlurmSettings) -> None:
        if find_spec("submitit") is None:
            raise BenchError("the executor slurm needs submitit: pip install 'ib_bench[slurm]'")
        for command in ("sbatch", "srun", "squeue"):
            if shutil.which(command) is None:
                raise BenchError(
                    f"the executor slurm needs Slurm, whose command {command} is not found: run it on a login node of "
                    f"the cluster, or see docker/slurm.sh for a Slurm of one machine"
                )
        self._settings = settings

    def submit(self, name: str, folder: Path, tasks: Sequence[Callable[[], None]]) -> str:
        """See :meth:`Queue.submit`."""
        import submitit  # noqa: PLC0415 (an extra)
        from submitit.core.utils import FailedJobError, FailedSubmissionError  # noqa: PLC0415
        from submitit.helpers import clean_env  # noqa: PLC0415

        executor = submitit.SlurmExecutor(folder, max_num_timeout=self._settings.max_num_timeout)
        executor.update_parameters(job_name=name, **self._settings.parameters())
        configuration = {name: os.environ[name] for name in self._kept() if name in os.environ}
        # if this process is a job itself, its tasks must not inherit its limits; nor the address of wandb's service
        with clean_env(extra_names=("WANDB_SERVICE",)):
            os.environ.update(configuration)
            try:
                with redirect_stderr(StringIO()), executor.batch():  # submitit prints what sbatch says
                    jobs = [executor.submit(task) for task in tasks]
            except (FailedJobError, FailedSubmissionError) as error:
                reasons = [line.removeprefix("sbatch: error: ") for line in str(error).splitlines()]
                raise BenchError(f"Slurm refuses the jobs: {'; '.join(reasons)}") from None
        return jobs[0].job_id.split("_")[0]

    def _kept(self) -> list[str]:
        """Variables that sbatch must have: where Slurm is, and a user's defaults for what no option says.

        Others would be stronger than the options of the script, such as the name by which a task is found again.
        """
        given = {name.replace("-", "_") for name in self._settings.additional}
        given |= {name for name in ("account", "partition", "qos") if getattr(self._settings, name) is not None}
        defaults = {"account", "partition", "qos", "constraint", "reservation"} - given
        return ["SLURM_CONF", "SLURM_CLUSTERS", *(f"SBATCH_{name.upper()}" for name in sorted(defaults))]

    def active(self) -> dict[Task, Standing] | None:
        """See :meth:`Queue.active`."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SQUEUE_")}  # filters
        command = ["squeue", f"--user={os.getuid()}", "--array", "--noheader", "--format=%j|%F|%K|%T|%r"]
        if (answer := _output_of(command, timeout_s=60, check=True, environment=environment)) is None:
            return None
        tasks: dict[Task, Standing] = {}
        for line in answer.splitlines():
            name, job, number, state, reason = line.split("|", 4)
            if number.isdecimal():
                tasks[name, int(number)] = Standing(f"{job}_{number}", state, reason)
            else:  # a job of its own
                tasks[name, 0] = Standing(job, state, reason)
        return tasks


def _output_of(
    command: Sequence[str], timeout_s: float, check: bool, environment: Mapping[str, str] | None = None
) -> str | None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=check, env=environment)
        return ended.stdout
    except (subprocess.SubprocessError, OSError):
        return None
