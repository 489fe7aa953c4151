"""Errors after which CUDA is of no use to this process any more.

After an illegal access, an uncorrectable memory error or the loss of a GPU, every later use of CUDA in the same process
fails too, within milliseconds. A worker process that went on would take one call after the other and fail them all, so
executors ask here after every error of a call. A new process can often use the GPU again.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass

from ib_bench.errors import shortened
from ib_bench.execution.executor import Emit

_EXIT_CODE = 87
_OUT_OF_MEMORY = "out of memory"  # passes, and may only mean that other processes have taken the GPU's memory


@dataclass(frozen=True)
class BrokenCuda:
    """The last event of a worker process, for its executor: it ends by itself.

    Attributes:
        reason: what CUDA said.
    """

    reason: str


def cuda_failure() -> str | None:
    """What CUDA says where it has failed for good; None where it works, or where this process does not use it."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return None
    reason = ""
    for _ in range(2):  # an error that passes may be reported late, but only once
        try:
            torch.cuda.synchronize()
        except Exception as error:
            reason = shortened(str(error).strip().partition("\n")[0])
        else:
            return None
    return None if _OUT_OF_MEMORY in reason else reason


def leave_after_cuda_failure(emit: Emit) -> None:
    """End this process, a worker whose call has raised, if CUDA has failed for good: its call is made again elsewhere.

    Args:
        emit: sends events of the call.
    """
    reason = cuda_failure()
    if reason is not None:
        with suppress(Exception):
            emit(BrokenCuda(reason))
        os._exit(_EXIT_CODE)
