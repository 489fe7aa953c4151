"""Operations for which this processor has no kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ib_bench.errors import InvalidOptionError
from ib_bench.models.full_precision import MISSING_KERNEL
from ib_bench.results.trial_record import TrialConfig

_INSTEAD = (
    "32-true or bf16-true on this processor, which has no bfloat16 kernel for an operation of the model, or the model "
    "must use ib_bench.models.full_precision.PortableLSTM instead of torch.nn.LSTM"
)


@contextmanager
def missing_kernels_explained(config: TrialConfig) -> Iterator[None]:
    """A kernel that mixed precision needs and this processor lacks becomes one sentence.

    The first forward pass already meets it, so nothing has been trained then.

    Args:
        config: of the trial.

    Raises:
        InvalidOptionError: a kernel is missing.
    """
    try:
        yield
    except RuntimeError as error:
        precision = config.experiment.trainer.get("precision")
        if precision is None or MISSING_KERNEL not in str(error):
            raise
        raise InvalidOptionError("trainer.precision", precision, _INSTEAD) from error
