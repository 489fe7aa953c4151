"""Mixers as a user writes them, without a class of the suite."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningMean(nn.Module):
    """The mean of what has been read so far, through a linear layer for each power of the tokens."""

    def __init__(self, width: int, num_powers: int = 1) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(num_powers))

    def forward(self, hidden: Tensor) -> Tensor:
        total = sum(layer(hidden**power) for power, layer in enumerate(self.layers, start=1))
        count = torch.arange(1, hidden.shape[1] + 1, device=hidden.device)
        mean: Tensor = total.cumsum(dim=1) / count[:, None]
        return mean
