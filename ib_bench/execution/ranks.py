"""The one of several equal processes that prints messages."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from ib_bench.errors import BenchError, shown

_RANKS = {
    "RANK": ("TORCHELASTIC_RUN_ID",),  # torchrun
    "SLURM_PROCID": ("SLURM_STEP_NUM_TASKS",),  # srun
    "LOCAL_RANK": ("WORLD_SIZE", "MASTER_PORT"),  # Lightning's own launcher
}
"""The variable with a process's number, and others that its launcher sets. Alone it comes from another program."""

_NUMBERS = (
    *("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_PORT", "NODE_RANK", "GROUP_RANK", "LOCAL_WORLD_SIZE"),
    *("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID", "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS"),
    *("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_LOCAL_RANK", "JSM_NAMESPACE_SIZE"),
)
"""Variables that Lightning reads as numbers, some of them when it is imported, whichever program has set them."""

_MAX_PORT, _MAX_RANK, _MAX_DIGITS = 65_535, 2**31 - 1, 20

_TORCHRUN = "TORCHELASTIC_RUN_ID"
_OF_TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")

PATIENCE_S = 10.0
"""Seconds within which the first process has met what this one has met, too."""


def require_numbers() -> None:
    """Make sure that the variables of launchers are numbers, and all there. To be called before Lightning is imported.

    Raises:
        BenchError: they are not.
    """
    for name in _NUMBERS:
        value = os.environ.get(name, "0")
        most = _MAX_PORT if name.endswith("PORT") else _MAX_RANK
        if not (value.isdecimal() and int(value[:_MAX_DIGITS]) <= most):
            raise BenchError(
                f"the environment variable {name} must be an integer in 0..{most:,}, as launchers such as torchrun set "
                f"it, got {shown(value)}; unset it if nothing has launched this process"
            )
    if _TORCHRUN not in os.environ:
        return
    if missing := [name for name in _OF_TORCHRUN if name not in os.environ]:
        raise BenchError(f"the environment variable {_TORCHRUN} is set, as by torchrun, but not {', '.join(missing)}")
    num = os.environ["WORLD_SIZE"]
    for name in ("RANK", "LOCAL_RANK"):
        if int(rank := os.environ[name]) >= int(num):
            raise BenchError(f"the environment variable {name} must be below WORLD_SIZE, {num}, got {rank}")


def speaks() -> bool:
    """Whether this process is the first of those that torchrun, srun or Lightning have started, or the only one."""
    rank = next((os.environ[name] for name, others in _RANKS.items() if {name, *others} <= os.environ.keys()), "0")
    return rank == "0"


def speak_after_the_first(speak: Callable[[], None]) -> None:
    """Say an error at once in the first process, which is to say it; in the others only if nobody has ended them.

    torchrun terminates all of them, the first too, as soon as one has ended with an error. That also ends this wait.

    Args:
        speak: says it.
    """
    if not speaks():
        time.sleep(PATIENCE_S)
    speak()
