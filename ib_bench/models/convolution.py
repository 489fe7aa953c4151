"""The short convolution of linear recurrences: each channel mixes its last few tokens."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn


class ShortConvolution(nn.Module):
    r"""Causal depthwise convolution, :math:`y_t = b + \sum_{i<s} w_i \odot x_{t-i}`, with zeros before the start.

    Args:
        num_channels: width.
        size: number of tokens s that it sees, at least 1.
    """

    def __init__(self, num_channels: int, size: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(size)
        self.weight = nn.Parameter(torch.empty(size, num_channels).uniform_(-bound, bound))  # the oldest token first
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def decode(self, values: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Read on.

        Args:
            values: ``(batch, length, num_channels)``.
            state: the ``size - 1`` tokens before these; None at the start.

        Returns:
            ``(batch, length, num_channels)``, and the last ``size - 1`` tokens.
        """
        num_past, length = len(self.weight) - 1, values.shape[1]
        if state is None:
            state = values.new_zeros(len(values), num_past, values.shape[2])
        seen = torch.cat([state, values], dim=1)
        mixed = self.bias
        for i, weight in enumerate(self.weight):
            mixed = mixed + weight * seen[:, i : i + length]
        return cast(Tensor, mixed), seen[:, length:]
