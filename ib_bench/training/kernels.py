"""Operations for which this processor has no kernel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ib_bench.errors import BenchError
from ib_bench.models.full_precision import MISSING_KERNEL


@contextmanager
def missing_kernels_explained(precision: object) -> Iterator[None]:
    """A kernel that mixed precision needs and this processor lacks becomes one sentence.

    The first forward pass already meets it, so nothing has been trained then.

    Args:
        precision: what the Trainer is given; None is its default.

    Raises:
        BenchError: a kernel is missing.
    """
    try:
        yield
    except RuntimeError as error:
        if precision is None or MISSING_KERNEL not in str(error):
            raise
        raise BenchError(
            f"trainer.precision {precision} needs a bfloat16 kernel that this processor lacks; use 32-true or "
            f"bf16-true, or ib_bench.models.full_precision.PortableLSTM in place of torch.nn.LSTM"
        ) from error
