"""The base class of length distributions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

_BLOCK = 2**16


class LengthDistribution(ABC):
    """Decides how long each sequence of a training set is."""

    @abstractmethod
    def support(self, max_length: int) -> list[int]:
        """The lengths that occur, ascending."""

    @abstractmethod
    def draw(self, num: int, available: Mapping[int, int], generator: torch.Generator) -> Tensor:
        """Lengths of the first ``num`` sequences.

        What is drawn for a smaller ``num`` is a prefix of what is drawn for a larger one.

        Args:
            num: how many, at most the sum of ``available``.
            available: how many sequences exist at each length of the support.
            generator: where the randomness comes from.

        Returns:
            int16 ``(num,)``; no length occurs more often than it is available.
        """


def draw_uniform(num: int, available: Mapping[int, int], generator: torch.Generator) -> Tensor:
    """Lengths uniform over those of which sequences are left.

    Position i holds a number u_i in [0, 1), which picks among the lengths that are still open there. A length whose
    last sequence is taken closes right after it, and all later positions pick again, with the same u, among the others:
    as u_i tells nothing about what happened before position i, the pick is uniform.

    Args, Returns: as :meth:`LengthDistribution.draw`.
    """
    left = {length: min(count, num) for length, count in available.items() if count > 0}
    lengths = torch.empty(num, dtype=torch.int16)
    for start in range(0, num, _BLOCK):
        u = torch.rand(_BLOCK, generator=generator, dtype=torch.float64)[: num - start]
        block = lengths[start : start + _BLOCK]
        done = 0
        while done < len(block):
            still_open = torch.tensor([length for length, count in left.items() if count > 0], dtype=torch.int16)
            block[done:] = still_open[(u[done:] * len(still_open)).long()]
            stop = _first_closing(block, done, left)
            for length, count in enumerate(block[done:stop].bincount().tolist()):
                if count:
                    left[length] -= count
            done = stop
    return lengths


def _first_closing(block: Tensor, start: int, left: Mapping[int, int]) -> int:
    """The position, from ``start`` on, behind the first one that takes the last sequence of its length."""
    stop = len(block)
    for length, count in left.items():
        if 0 < count <= stop - start:
            positions = (block[start:stop] == length).nonzero()
            if len(positions) >= count:
                stop = start + int(positions[count - 1]) + 1
    return stop
