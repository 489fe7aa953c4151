"""Which of several processes that were started alike speaks to the user."""

from __future__ import annotations

import os
import time

_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")  # of torchrun, of srun, of Lightning's own launcher

PATIENCE_S = 10.0
"""Seconds within which the first process has met what this one has met, too."""


def speaks() -> bool:
    """Whether this process is the first of those that torchrun, srun or Lightning have started, or the only one."""
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    return rank == "0"


def let_the_first_speak() -> None:
    """Wait, in all processes but the first, which meets the same error and is to say it.

    torchrun terminates all of them, the first too, as soon as one has ended with an error. That also ends this wait.
    """
    if not speaks():
        time.sleep(PATIENCE_S)
