r"""Mamba-2: a matrix that decays by one factor per head; with two options that let it track states.

Per head and token t, with a state :math:`S \in \mathbb{R}^{N \times P}`, keys :math:`B_t`, queries :math:`C_t`, values
:math:`x_t` (of the layer's input :math:`u_t`) and step sizes :math:`\Delta_t = \mathrm{softplus}(\cdot)`,

.. math::
    S_t = \alpha_t R_t S_{t-1} + \Delta_t B_t x_t^\top, \qquad \alpha_t = e^{-a \Delta_t}, \qquad
    y_t = S_t^\top C_t + d\, x_t .

In Mamba-2, R is the identity. ``negative_eigenvalues`` takes :math:`\alpha_t = 2 e^{-a \Delta_t} - 1`, in (-1, 1).
``rotation`` takes Mamba-3's R_t, which turns pairs of rows of S by angles :math:`\Delta_t \pi \tanh(W_\theta u_t)`: the
complex diagonal transition. The rate is then :math:`a = \mathrm{softplus}(W_a u_t)` instead of a constant, so that a
turn need not decay; both maps have a bias. Signs and rotations commute, so that both can be accumulated along the
sequence, as rotary embeddings are: rotations turn B and C, signs are factors of what is written and read.

References: Mamba-2, arXiv 2405.21060; negative eigenvalues, arXiv 2411.12537; Mamba-3, arXiv 2603.15569.
"""

from __future__ import annotations

import math
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.errors import require
from ib_bench.models.convolution import ShortConvolution
from ib_bench.models.delta_net import initial_step_bias
from ib_bench.models.mixer import Mixer, require_heads
from ib_bench.models.norm import RMSNorm
from ib_bench.models.residual import ResidualModel, stacked
from ib_bench.models.scan import key_value_scan
from ib_bench.models.sequence_model import require_size

_SMALLEST = 1e-6  # smallest |alpha|, as its logarithm is taken


class Mamba2(ResidualModel):
    """A stack of Mamba-2 layers; ``rotation`` gives Mamba-3's complex transitions.

    Keys and queries are shared by all heads (one group). Rates a start at 1, 2, ..., as in Hugging Face's code; the
    authors' draws them from 1 to 16. Of Mamba-3, only the rotation is here, of all pairs of rows (the paper's default
    is half of them): not its trapezoidal rule, its norms and biases of B and C, and its many inputs.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width.
        num_layers: number of blocks.
        state_size: rows N of each head's state; even with ``rotation`` (the paper: 64, also 128).
        num_heads: a divisor of ``expand * hidden_size``.
        expand: width of the values, as a multiple of ``hidden_size``.
        negative_eigenvalues: whether alpha lies in (-1, 1) instead of (0, 1).
        rotation: whether pairs of rows of the state are turned by angles that depend on the token.
        conv_size: tokens that the short convolution sees; 0 leaves it out.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out, as the paper.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range.

    Reference: arXiv 2405.21060.
    """

    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        state_size: int = 64,
        num_heads: int = 4,
        expand: int = 2,
        negative_eigenvalues: bool = False,
        rotation: bool = False,
        conv_size: int = 4,
        mlp_factor: int = 0,
        learning_rate: float = 1e-3,
    ) -> None:
        mixers = stacked(
            num_layers,
            lambda: Mamba2Mixer(
                hidden_size,
                state_size,
                num_heads,
                expand,
                negative_eigenvalues=negative_eigenvalues,
                rotation=rotation,
                conv_size=conv_size,
            ),
        )
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class Mamba2Mixer(Mixer):
    """One layer of :class:`Mamba2`, which documents the arguments."""

    def __init__(
        self,
        hidden_size: int,
        state_size: int = 64,
        num_heads: int = 4,
        expand: int = 2,
        *,
        negative_eigenvalues: bool = False,
        rotation: bool = False,
        conv_size: int = 4,
    ) -> None:
        super().__init__()
        for option, size in (("hidden_size", hidden_size), ("state_size", state_size), ("expand", expand)):
            require_size(option, size)
        inner = expand * hidden_size
        require_heads(num_heads, inner)
        require(not rotation or state_size % 2 == 0, "state_size", state_size, "even with rotation")
        require(conv_size >= 0, "conv_size", conv_size, "an integer of at least 0")
        self.num_heads, self.negative_eigenvalues = num_heads, negative_eigenvalues
        self._widths = [inner, state_size, state_size]
        self.gate = nn.Linear(hidden_size, inner, bias=False)
        self.value_key_query = nn.Linear(hidden_size, sum(self._widths), bias=False)
        self.convolution = ShortConvolution(sum(self._widths), conv_size) if conv_size else None
        self.step = nn.Linear(hidden_size, num_heads, bias=False)
        self.step_bias = nn.Parameter(initial_step_bias(num_heads))
        self.log_rate = None if rotation else nn.Parameter(torch.arange(1.0, num_heads + 1).log())
        self.rate_and_angle = nn.Linear(hidden_size, num_heads + state_size // 2) if rotation else None
        self.skip = nn.Parameter(torch.ones(num_heads))
        self.output_norm = RMSNorm(inner, eps=1e-5)
        self.out = nn.Linear(inner, hidden_size, bias=False)

    def decode(self, hidden: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See :meth:`Mixer.decode`; the state is that of the convolution, S of every head, its sign and its angles."""
        recent, matrix, sign, angle = self._first_state(hidden) if state is None else state
        projected = self.value_key_query(hidden)
        if self.convolution is not None:
            projected, recent = self.convolution.decode(projected, recent)
        value, key, query = torch.split(functional.silu(projected), self._widths, dim=-1)
        value = torch.unflatten(value, -1, (self.num_heads, -1)).transpose(1, 2)
        key, query = key[:, None], query[:, None]
        step = functional.softplus(self.step(hidden) + self.step_bias).transpose(1, 2)[..., None]
        if self.rate_and_angle is None:
            log_decay = -cast(Tensor, self.log_rate).exp()[:, None, None] * step
        else:
            rate, turn = self.rate_and_angle(hidden).split([self.num_heads, self._widths[1] // 2], dim=-1)
            log_decay = -functional.softplus(rate).transpose(1, 2)[..., None] * step
            turn = step * math.pi * turn.tanh()[:, None]
            angle = angle + turn.cumsum(dim=-2, dtype=cast(Tensor, angle).dtype)
            key, query, angle = _turned_back(key, angle), _turned_back(query, angle), angle[:, :, -1:] % math.tau
        if sign is not None:
            alpha = 2 * log_decay.exp() - 1
            log_decay = alpha.abs().clamp(min=_SMALLEST).log()
            sign = sign * (1 - 2 * (alpha < 0).to(alpha.dtype)).cumprod(dim=-2)
            step = step * sign
        seen, matrix = key_value_scan(query, key, step * value, log_decay, matrix)
        if sign is not None:
            seen, sign = seen * sign, sign[:, :, -1:]
        seen = seen + self.skip[:, None, None] * value
        gated = seen.transpose(1, 2).flatten(2) * functional.silu(self.gate(hidden))
        return self.out(self.output_norm(gated)), (recent, matrix, sign, angle)

    def _first_state(self, hidden: Tensor) -> tuple[None, None, Tensor | None, Tensor | None]:
        first = len(hidden), self.num_heads
        sign = hidden.new_ones(*first, 1, 1) if self.negative_eigenvalues else None
        angle = hidden.new_zeros(*first, 1, self._widths[1] // 2) if self.rate_and_angle is not None else None
        return None, None, sign, angle


def _turned_back(values: Tensor, angle: Tensor) -> Tensor:
    """Undo a turn of pairs of channels, ``(..., 2 n)`` by angles ``(..., n)``."""
    one, other = values.chunk(2, dim=-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([one * cos + other * sin, other * cos - one * sin], dim=-1)
