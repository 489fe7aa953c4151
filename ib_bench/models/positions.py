r"""How attention learns where tokens are, other than by an embedding of their positions.

Rotary (RoFormer, arXiv 2104.09864) turns pairs of channels of queries and keys by angles that grow with the position,
so that their product depends on the distance. ALiBi (arXiv 2108.12409) subtracts from the score of head i of n
:math:`2^{-8 i / n}` times the distance.
"""

from __future__ import annotations

import torch
from torch import Tensor

POSITIONS = ("learned", "rotary", "alibi", "none")

_ROTARY_BASE = 10_000.0


def rotated(values: Tensor, positions: Tensor) -> Tensor:
    """Turn the channels i and i + n of values by ``position * 10000^(-i / n)``.

    Args:
        values: ``(..., 2 n)``.
        positions: of the values; broadcast to their shape without the last dimension.
    """
    num = values.shape[-1] // 2
    rates = _ROTARY_BASE ** (-torch.arange(num, device=values.device) / num)
    angle = positions[..., None] * rates
    cos, sin = angle.cos().to(values.dtype), angle.sin().to(values.dtype)
    one, other = values.chunk(2, dim=-1)
    return torch.cat([one * cos - other * sin, one * sin + other * cos], dim=-1)


def alibi(distance: Tensor, num_heads: int) -> Tensor:
    """The bias of ALiBi: ``(..., queries, keys)`` distances to ``(..., num_heads, queries, keys)``.

    Args:
        distance: position of the query minus that of the key.
        num_heads: number of heads n, at least 1.
    """
    slopes = 2.0 ** (-8 * torch.arange(1, num_heads + 1, device=distance.device) / num_heads)
    return -slopes[:, None, None] * distance[..., None, :, :]
