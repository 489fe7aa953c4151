"""The norm of the scaffold and its mixers."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class RMSNorm(nn.RMSNorm):
    """``torch.nn.RMSNorm`` for inputs of another type than the weight's, which mixed precision gives it.

    Torch's own is slower there, and warns of it.
    """

    def forward(self, x: Tensor) -> Tensor:
        """See ``torch.nn.RMSNorm.forward``."""
        normalized = functional.rms_norm(x, self.normalized_shape, eps=self.eps)
        return normalized if self.weight is None else normalized * self.weight
