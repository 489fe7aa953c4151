"""Trainings for which the memory does not suffice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ib_bench.errors import OutOfMemoryError
from ib_bench.results.trial_record import TrialConfig

_CPU_MESSAGE = "can't allocate memory"  # torch raises a plain RuntimeError there


@contextmanager
def memory_errors_explained(config: TrialConfig) -> Iterator[None]:
    """Whatever says that memory has run out becomes one sentence.

    Args:
        config: of the trial.

    Raises:
        OutOfMemoryError: memory has run out.
    """
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise _explained(config) from error
    except RuntimeError as error:
        if _CPU_MESSAGE not in str(error):
            raise
        raise _explained(config) from error


def _explained(config: TrialConfig) -> OutOfMemoryError:
    batch_size = config.experiment.data.presentation.batch_size
    return OutOfMemoryError(config.num_train_sequences, batch_size)
