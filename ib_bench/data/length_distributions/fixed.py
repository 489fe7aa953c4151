"""All sequences have the maximal length."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ib_bench.data.length_distributions.length_distribution import LengthDistribution


class Fixed(LengthDistribution):
    """Every sequence is ``max_length`` long.

    Reference: arXiv 2602.18333, section 3.
    """

    def support(self, max_length: int) -> list[int]:
        """``max_length`` alone."""
        return [max_length]

    def draw(self, num: int, available: Mapping[int, int], generator: torch.Generator) -> Tensor:
        """The one length, ``num`` times."""
        (length,) = available
        return torch.full((num,), length, dtype=torch.int16)
