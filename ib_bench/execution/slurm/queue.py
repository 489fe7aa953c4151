"""The queue that array tasks wait in: Slurm's, or another one in tests."""

from __future__ import annotations

import os
import shutil
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path

from ib_bench.errors import BenchError
from ib_bench.execution.slurm.reports import Task
from ib_bench.execution.slurm.settings import SlurmSettings

_ANSWER_S = 60.0
_PING_S = 5.0


def slurm_answers() -> bool:
    """Whether Slurm's controller is up, asked for a few seconds at most."""
    try:
        answer = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, timeout=_PING_S, check=False)
    except (subprocess.SubprocessError, OSError):
        return False
    return " UP" in answer.stdout


@dataclass(frozen=True)
class Standing:
    """Where a task stands.

    Attributes:
        job: its id, such as ``123_4``.
        state: such as ``PENDING`` or ``RUNNING``.
        reason: why it waits, such as ``Priority``.
    """

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
        """Queue tasks, numbered from 0.

        Args:
            name: of the submission, unlike all others.
            folder: for logs.
            tasks: functions of submitit's kind, which may have a method ``checkpoint``.

        Returns:
            The id of the job.

        Raises:
            BenchError: they are refused.
        """

    @abstractmethod
    def active(self) -> dict[Task, Standing] | None:
        """All tasks that are queued or running, by the names of their submissions; None where there is no answer."""


class SlurmQueue(Queue):
    """Slurm, through submitit and squeue.

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
        configuration = {name: value for name, value in os.environ.items() if name == "SLURM_CONF"}
        with clean_env():  # where this process is a job itself, its tasks are not to inherit its limits
            os.environ.update(configuration)
            try:
                with redirect_stderr(StringIO()), executor.batch():  # submitit prints what sbatch says
                    jobs = [executor.submit(task) for task in tasks]
            except (FailedJobError, FailedSubmissionError) as error:
                reasons = [line.removeprefix("sbatch: error: ") for line in str(error).splitlines()]
                raise BenchError(f"Slurm refuses the jobs: {'; '.join(reasons)}") from None
        return jobs[0].job_id.split("_")[0]

    def active(self) -> dict[Task, Standing] | None:
        """See :meth:`Queue.active`; ended tasks are told from queued ones without Slurm's accounting."""
        command = ["squeue", f"--user={os.getuid()}", "--array", "--noheader", "--format=%j|%F|%K|%T|%r"]
        try:
            answer = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_S, check=True).stdout
        except (subprocess.SubprocessError, OSError):
            return None
        tasks: dict[Task, Standing] = {}
        for line in answer.splitlines():
            name, job, number, state, reason = line.split("|", 4)
            in_array = number.isdecimal()
            task = (name, int(number) if in_array else 0)
            tasks[task] = Standing(f"{job}_{number}" if in_array else job, state, reason)
        return tasks
