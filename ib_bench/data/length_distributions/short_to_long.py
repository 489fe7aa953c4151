"""The shortest sequences first."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ib_bench.data.length_distributions.length_distribution import LengthDistribution
from ib_bench.results.records import MIN_LENGTH


class ShortToLong(LengthDistribution):
    """Every sequence available at one length is used before the next length starts.

    Reference: arXiv 2602.18333, section 3.
    """

    def support(self, max_length: int) -> list[int]:
        """2..max_length."""
        return list(range(MIN_LENGTH, max_length + 1))

    def draw(self, num: int, available: Mapping[int, int], generator: torch.Generator) -> Tensor:
        """Return ascending lengths, each as often as it is available."""
        lengths = torch.empty(num, dtype=torch.int16)
        start = 0
        for length, count in sorted(available.items()):
            lengths[start : start + min(count, num - start)] = length
            start += min(count, num - start)
        return lengths
