"""Which of several processes that were started alike speaks to the user."""

from __future__ import annotations

import os

_RANKS = ("RANK", "SLURM_PROCID", "LOCAL_RANK")  # of torchrun, of srun, of Lightning's own launcher


def speaks() -> bool:
    """Whether this process is the first of those that torchrun, srun or Lightning have started, or the only one."""
    rank = next((os.environ[name] for name in _RANKS if name in os.environ), "0")
    return rank == "0"
