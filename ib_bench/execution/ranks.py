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

PATIENCE_S = 10.0
"""Seconds within which the first process has met what this one has met, too."""


def require_numbers() -> None:
    """Make sure that the variables of launchers are numbers. To be called before Lightning is imported.

    Raises:
        BenchError: one is not.
    """
    for name in _NUMBERS:
        value = os.environ.get(name, "0")
        if not value.isdecimal():
            raise BenchError(
                f"the environment variable {name} must be an integer of at least 0, as launchers such as torchrun set "
                f"it, got {shown(value)}; unset it if nothing has launched this process"
            )


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
