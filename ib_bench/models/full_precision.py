"""Evaluation in float32, also where training computes in fewer bits."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Leave the autocast of mixed precision; where there is none, nothing changes.

    A bfloat16 has 8 significant bits: a loss that is to be compared with 1e-4 needs logits of more.

    Args:
        device: that the model is on.
    """
    if not torch.is_autocast_enabled(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
