"""Training runs that run out of memory."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ib_bench.errors import OutOfMemoryError
from ib_bench.results.trial_record import TrialConfig

_MESSAGES = (
    "can't allocate memory",  # on a CPU
    "std::bad_alloc",  # under a limit of the process
    "CUDA error: out of memory",  # on a GPU whose memory other processes have taken
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""In plain RuntimeErrors of torch."""


@contextmanager
def memory_errors_explained(config: TrialConfig) -> Iterator[None]:
    """Turn every error about missing memory into one sentence.

    Args:
        config: of the trial.

    Raises:
        OutOfMemoryError: memory has run out.
    """
    try:
        yield
    except (MemoryError, torch.cuda.OutOfMemoryError) as error:
        raise _explained(config, error) from error
    except RuntimeError as error:
        if not any(message in str(error) for message in _MESSAGES):
            raise
        raise _explained(config, error) from error


def _explained(config: TrialConfig, error: BaseException) -> OutOfMemoryError:
    traceback.clear_frames(error.__traceback__)  # an error that is kept would keep what filled the memory
    batch_size = config.experiment.data.presentation.batch_size
    return OutOfMemoryError(config.num_train_sequences, batch_size)
