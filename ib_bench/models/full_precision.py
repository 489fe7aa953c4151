"""Where float32 replaces fewer bits: in evaluation, and in the LSTM on processors that lack a kernel for bfloat16."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn

MISSING_KERNEL = "could not create a primitive descriptor"
"""How oneDNN says, in a plain RuntimeError, that it has no kernel for an operation on this processor."""


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Leave the autocast of mixed precision; where there is none, nothing changes.

    A bfloat16 has 8 significant bits: a loss that is to be compared with 1e-4 needs logits of more.

    Args:
        device: that the model is on.
    """
    if not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


class PortableLSTM(nn.LSTM):
    """``torch.nn.LSTM`` that trains under bfloat16 autocast on every processor.

    Without AVX-512, oneDNN has no LSTM kernel for bfloat16, but autocast asks for it. There this LSTM
    computes in float32 and returns float32. Arguments, parameters and ``state_dict`` are those of ``torch.nn.LSTM``.
    """

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # torch.compile cannot compile LSTMs, and would warn about its cache
    def forward(self, input: Any, hx: Any = None) -> Any:
        """See ``torch.nn.LSTM.forward``."""
        device = cast(Tensor, self.weight_ih_l0).device
        asks_for_bfloat16 = torch.is_autocast_enabled(device.type) and torch.get_autocast_dtype("cpu") is torch.bfloat16
        if device.type != "cpu" or not asks_for_bfloat16 or has_bfloat16_lstm():
            return super().forward(input, hx)
        _warn_of_float32()
        with full_precision(device):
            return super().forward(input.float(), None if hx is None else tuple(state.float() for state in hx))


@cache
def has_bfloat16_lstm() -> bool:
    """Whether oneDNN has an LSTM kernel for bfloat16 on this processor; tried once, without drawing random numbers."""
    one = torch.zeros(1, 1, 1)
    weights = [torch.zeros(4, 1), torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)]
    try:
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            torch.lstm(one, (one, one), weights, True, 1, 0.0, False, False, False)
    except RuntimeError as error:
        if MISSING_KERNEL not in str(error):
            raise
        return False
    return True


@cache
def _warn_of_float32() -> None:
    warnings.warn("this processor has no bfloat16 LSTM, so the LSTM computes in float32", stacklevel=2)
