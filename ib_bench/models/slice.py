r"""SLiCE, a structured linear controlled differential equation: block-diagonal transitions, linear in the token.

.. math:: h_t = \big(I + \mathrm{blockdiag}(A^1(x_t), \ldots, A^m(x_t))\big)\, h_{t-1} + b(x_t),

where the blocks :math:`A^i(x) \in \mathbb{R}^{k \times k}` are linear in x, and :math:`h_0` is learned. By default
there is no b; ``write_term`` adds a linear map of x with a bias. This is the equation :math:`dh = A(dX)\, h + b(dX)`,
one Euler step a token. Nothing bounds the state. From entries of about 1e19 on the norm after it gives zero, as their
squares overflow, and so what the model says no longer depends on the state; from about 3e38 on logits are NaN, which is
a wrong answer.

The authors' code (https://github.com/Benjamin-Walker/structured-linear-cdes) differs: there, a constant input makes
A(x) affine, steps are smaller, :math:`h_0` is a map of the first token, increments are limited to 1e11, and the
residual block is a LayerNorm after the sum, and a gated linear layer.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ib_bench.errors import require
from ib_bench.models.mixer import Mixer
from ib_bench.models.norm import RMSNorm
from ib_bench.models.residual import ResidualModel, stacked
from ib_bench.models.scan import affine_scan
from ib_bench.models.sequence_model import require_size

_INITIAL_NORM = 0.2  # of a block for a normalised token, relative to the square root of its size


class SLiCE(ResidualModel):
    """A stack of block-diagonal SLiCEs, each with a norm of its state and a linear map.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width, also of the state.
        num_layers: number of blocks.
        block_size: of the transition, a divisor of ``hidden_size``; ``hidden_size`` itself makes it dense, 1 diagonal.
        write_term: whether each token also adds a vector to the state.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range.

    Reference: arXiv 2505.17761.
    """

    packable = True
    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        block_size: int = 4,
        write_term: bool = False,
        mlp_factor: int = 4,
        learning_rate: float = 1e-3,
    ) -> None:
        mixers = stacked(num_layers, lambda: SLiCEMixer(hidden_size, block_size, write_term))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class SLiCEMixer(Mixer):
    """One layer of :class:`SLiCE`; its state is h, ``(batch, blocks, block_size)``."""

    def __init__(self, hidden_size: int, block_size: int = 4, write_term: bool = False) -> None:
        super().__init__()
        require_size("hidden_size", hidden_size)
        divides = block_size >= 1 and hidden_size % block_size == 0
        require(divides, "block_size", block_size, f"a divisor of hidden_size, which is {hidden_size}")
        self.block_size = block_size
        scale = _INITIAL_NORM / math.sqrt(block_size * hidden_size)
        self.transition = nn.Parameter(scale * torch.randn(hidden_size * block_size, hidden_size))
        self.write = nn.Linear(hidden_size, hidden_size) if write_term else None
        self.initial_state = nn.Parameter(torch.randn(hidden_size))
        self.norm = RMSNorm(hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)

    def decode(self, hidden: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """See :meth:`Mixer.decode`."""
        if state is None:
            state = self.initial_state.view(-1, self.block_size).expand(len(hidden), -1, -1)
        change = torch.unflatten(hidden @ self.transition.T, -1, (-1, self.block_size, self.block_size))
        identity = torch.eye(self.block_size, dtype=hidden.dtype, device=hidden.device)
        written = torch.zeros_like(hidden) if self.write is None else self.write(hidden)
        states = affine_scan(identity + change, torch.unflatten(written, -1, (-1, self.block_size)), state)
        return self.out(self.norm(states.flatten(2))), states[:, -1]
