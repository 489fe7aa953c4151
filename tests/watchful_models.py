"""Models that look at what a test wants to know of them, wherever they run."""

from __future__ import annotations

import torch
from torch import Tensor, distributed
from torch.nn.utils import parameters_to_vector

from ib_bench.models import LSTM


class Alike(LSTM):
    """Fails in evaluation unless it has the same parameters in every process, bit for bit."""

    def forward(self, tokens: Tensor) -> Tensor:
        if not self.training and distributed.is_initialized():
            own = parameters_to_vector(self.parameters()).detach()
            all_of_them = [torch.zeros_like(own) for _ in range(distributed.get_world_size())]
            distributed.all_gather(all_of_them, own)
            assert all(torch.equal(own, other) for other in all_of_them)
        return super().forward(tokens)


class Exact(LSTM):
    """Fails unless it is trained in mixed precision and evaluated in float32."""

    def forward(self, tokens: Tensor) -> Tensor:
        assert torch.is_autocast_enabled("cpu") == self.training
        logits = super().forward(tokens)
        assert logits.dtype == (torch.bfloat16 if self.training else torch.float32)
        return logits
