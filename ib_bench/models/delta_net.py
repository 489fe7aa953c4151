r"""The delta rule: a matrix that erases what a key points at before it writes there.

Per head and token t, with a state :math:`S \in \mathbb{R}^{d_k \times d_v}`, unit keys :math:`k_{t,j}` and
:math:`n_h` substeps (generalised Householder reflections),

.. math::
    S \leftarrow \alpha_t S, \qquad
    S \leftarrow (I - \beta_{t,j} k_{t,j} k_{t,j}^\top)\, S + \beta_{t,j} k_{t,j} v_{t,j}^\top
    \quad (j = 1 \ldots n_h), \qquad
    o_t = S^\top q_t / \sqrt{d_k} .

A reflection has the eigenvalue :math:`1 - \beta`: in [0, 1] with :math:`\beta = \sigma(\cdot)`, in [-1, 1] with
:math:`\beta = 2\sigma(\cdot)`. With :math:`\beta = 2` it is an exact reflection, and the transition is orthogonal.

References: DeltaNet, arXiv 2406.06484; Gated DeltaNet, arXiv 2412.06464; negative eigenvalues, arXiv 2411.12537;
DeltaProduct, arXiv 2502.10297; without the write term, arXiv 2609.18966.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.errors import require
from ib_bench.models.convolution import ShortConvolution
from ib_bench.models.mixer import Mixer, require_heads
from ib_bench.models.norm import RMSNorm
from ib_bench.models.residual import ResidualModel, stacked
from ib_bench.models.scan import key_value_scan
from ib_bench.models.sequence_model import require_size


class DeltaNet(ResidualModel):
    """DeltaNet; with its options Gated DeltaNet (``gate``, ``output_gate``) and DeltaProduct (``num_householders``).

    Queries, keys and values pass a short convolution and SiLU; outputs are normalised per head. Unlike the gated
    papers' layers, the widths of keys and values do not differ. Unlike those of flash-linear-attention, the convolution
    and beta have biases.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width.
        num_layers: number of blocks.
        num_heads: heads of each layer, a divisor of ``hidden_size``.
        num_householders: reflections n_h in each token's transition, at least 1.
        negative_eigenvalues: whether reflections have eigenvalues in [-1, 1] instead of [0, 1].
        exact_reflections: whether beta is 2 for every token, so that transitions without a gate are orthogonal and keep
            what they act on at its size over any length; needs ``negative_eigenvalues``.
        gate: whether the state decays by a factor alpha that depends on the token.
        write_term: whether anything is written; without it the transitions act on a learned first state.
        output_gate: whether a gate that depends on the token scales the output.
        conv_size: tokens that the short convolution sees; 0 leaves it out.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range, or reflections are exact without ``negative_eigenvalues``.

    Reference: arXiv 2406.06484, 2412.06464, 2502.10297.
    """

    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        num_householders: int = 1,
        negative_eigenvalues: bool = False,
        gate: bool = False,
        write_term: bool = True,
        output_gate: bool = False,
        conv_size: int = 4,
        mlp_factor: int = 4,
        learning_rate: float = 1e-3,
        exact_reflections: bool = False,
    ) -> None:
        mixers = stacked(
            num_layers,
            lambda: DeltaMixer(
                hidden_size,
                num_heads,
                num_householders,
                negative_eigenvalues=negative_eigenvalues,
                exact_reflections=exact_reflections,
                gate=gate,
                write_term=write_term,
                output_gate=output_gate,
                conv_size=conv_size,
            ),
        )
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class DeltaMixer(Mixer):
    """One layer of :class:`DeltaNet`, which documents the arguments."""

    def __init__(
        self,
        hidden_size: int,
        num_heads: int = 4,
        num_householders: int = 1,
        *,
        negative_eigenvalues: bool = False,
        exact_reflections: bool = False,
        gate: bool = False,
        write_term: bool = True,
        output_gate: bool = False,
        conv_size: int = 4,
    ) -> None:
        super().__init__()
        require_size("hidden_size", hidden_size)
        require_heads(num_heads, hidden_size)
        require_size("num_householders", num_householders)
        require(conv_size >= 0, "conv_size", conv_size, "an integer of at least 0")
        allowed = "false without negative_eigenvalues"
        require(negative_eigenvalues or not exact_reflections, "exact_reflections", exact_reflections, allowed)
        self.num_heads, self.num_householders = num_heads, num_householders
        self.max_beta = 2 if negative_eigenvalues else 1
        head_size = hidden_size // num_heads
        num_values = num_householders if write_term else 0
        self._widths = [hidden_size * num for num in (1, num_householders, num_values)]
        self.query_key_value = nn.Linear(hidden_size, sum(self._widths), bias=False)
        self.convolution = ShortConvolution(sum(self._widths), conv_size) if conv_size else None
        self.beta = None if exact_reflections else nn.Linear(hidden_size, num_heads * num_householders)
        self.decay = Decay(hidden_size, num_heads) if gate else None
        self.initial_state = None if write_term else nn.Parameter(torch.randn(num_heads, head_size, head_size))
        self.output_norm = RMSNorm(head_size)
        self.output_gate = nn.Linear(hidden_size, hidden_size, bias=False) if output_gate else None
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def decode(self, hidden: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See :meth:`Mixer.decode`; the state is that of the convolution and S of every head."""
        recent, matrix = (None, self._first_matrix(hidden)) if state is None else state
        projected = self.query_key_value(hidden)
        if self.convolution is not None:
            projected, recent = self.convolution.decode(projected, recent)
        query, key, value = (
            self._heads(part) for part in torch.split(functional.silu(projected), self._widths, dim=-1)
        )
        query, key = functional.normalize(query, dim=-1), functional.normalize(key, dim=-1)
        beta = self._beta(hidden).reshape(len(hidden), -1, self.num_heads).transpose(1, 2)[..., None]
        written = beta * key
        if value.shape[-2] == 0:
            value = torch.zeros_like(key)
        seen, matrix = key_value_scan(
            query * query.shape[-1] ** -0.5,
            written,
            value,
            self._log_decay(hidden),
            matrix,
            erase=key,
            num_substeps=self.num_householders,
        )
        output = self.output_norm(seen).transpose(1, 2).flatten(2)
        if self.output_gate is not None:
            output = output * functional.silu(self.output_gate(hidden))
        return self.out(output), (recent, matrix)

    def _beta(self, hidden: Tensor) -> Tensor:
        """Strength of every reflection, ``(batch, length, n_h * num_heads)``."""
        if self.beta is None:
            return hidden.new_full((*hidden.shape[:-1], self.num_householders * self.num_heads), self.max_beta)
        return self.max_beta * self.beta(hidden).sigmoid()

    def _heads(self, values: Tensor) -> Tensor:
        """Split ``(batch, length, n * width)`` into ``(batch, heads, length * n, head size)``."""
        head_size = self.output_norm.normalized_shape[0]
        batch, length, width = values.shape
        num = width // (self.num_heads * head_size)
        return values.reshape(batch, length * num, self.num_heads, head_size).transpose(1, 2)

    def _first_matrix(self, hidden: Tensor) -> Tensor | None:
        """S before the first token, ``(batch, heads, head size, head size)``; None if it is zero."""
        return None if self.initial_state is None else self.initial_state.expand(len(hidden), -1, -1, -1)

    def _log_decay(self, hidden: Tensor) -> Tensor | None:
        """Logarithm of the decay of every substep, ``(batch, heads, length * n_h, 1)``; a token's first one decays."""
        if self.decay is None:
            return None
        of_token = self.decay(hidden).transpose(1, 2)[..., None]
        return functional.pad(of_token, (0, self.num_householders - 1)).flatten(2)[..., None]


class Decay(nn.Module):
    r"""Logarithm of a decay per head, :math:`-a\,\mathrm{softplus}(W x + b)`, as in Mamba-2.

    Args:
        hidden_size: width of the tokens.
        num_heads: number of decays.
    """

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__()
        self.projection = nn.Linear(hidden_size, num_heads, bias=False)
        self.log_rate = nn.Parameter(torch.empty(num_heads).uniform_(1, 16).log())
        self.bias = nn.Parameter(initial_step_bias(num_heads))

    def forward(self, hidden: Tensor) -> Tensor:
        """Map ``(batch, length, hidden_size)`` to values below 0, ``(batch, length, num_heads)``."""
        return -self.log_rate.exp() * functional.softplus(self.projection(hidden) + self.bias)


def initial_step_bias(num: int) -> Tensor:
    """Values whose softplus is uniform on a logarithmic scale from 0.001 to 0.1: Mamba's first step sizes."""
    steps = torch.empty(num).uniform_(math.log(1e-3), math.log(1e-1)).exp()
    return steps + (-torch.expm1(-steps)).log()
