"""All lengths are equally likely."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ib_bench.data.length_distributions.length_distribution import LengthDistribution, draw_uniform
from ib_bench.results.records import MIN_LENGTH


class Uniform(LengthDistribution):
    """Lengths are uniform on 2..max_length, among those of which sequences are left.

    Reference: arXiv 2602.18333, section 3.
    """

    def support(self, max_length: int) -> list[int]:
        """2..max_length."""
        return list(range(MIN_LENGTH, max_length + 1))

    def draw(self, num: int, available: Mapping[int, int], generator: torch.Generator) -> Tensor:
        """See :func:`draw_uniform`."""
        return draw_uniform(num, available, generator)
