"""The one of several equal processes that prints messages."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

_RANKS = {
    "RANK": ("TORCHELASTIC_RUN_ID",),  # torchrun
    "SLURM_PROCID": ("SLURM_STEP_NUM_TASKS",),  # srun
    "LOCAL_RANK": ("WORLD_SIZE", "MASTER_PORT"),  # Lightning's own launcher
}
"""The variable with a process's number, and others that its launcher sets. Alone it comes from another program."""

PATIENCE_S = 10.0
"""Seconds within which the first process has met what this one has met, too."""


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
