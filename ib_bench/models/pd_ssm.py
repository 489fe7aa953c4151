r"""PD-SSM: transitions with one entry in each column, a permutation-like matrix times a complex diagonal.

.. math::
    h_t = P(x_t)\, D(x_t)\, h_{t-1} + B x_t, \qquad y_t = \mathrm{Re}(C h_t), \qquad
    P(x)_{:,j} = \mathrm{hardmax}\Big(\sum_{k=1}^{K} \mathrm{softmax}(W x)_k\, M_k\Big)_{:,j},

with :math:`h \in \mathbb{C}^N`, a learned :math:`h_0`, and diagonal entries
:math:`\sigma(\cdot)\, e^{2 \pi i\, \sigma(\cdot)}`. Any automaton of N states is one such layer. The gradient of the
hardmax is that of the softmax. Products of such transitions have the same form, so there is a parallel scan; the
gradient of P is dense, however, and this is computed step by step.

The authors' code in PyTorch (https://github.com/IBM/expressive-sparse-state-space-model) differs: there, each *row* of
P has one entry and D comes after P, here as in the paper; the choice has no bias; magnitudes and phases are maps of two
layers with a GELU, here linear maps; :math:`h_0` is the first unit vector, here learned; the output is
:math:`\mathrm{LayerNorm}(C h_t + D x_t)` after dropout, without another residual or an MLP, here
:math:`W\, \mathrm{RMSNorm}(\mathrm{Re}(C h_t))` in pre-norm residual blocks with an MLP; and the matrices
:math:`M_k` start :math:`\sqrt{N}` times smaller.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx

from ib_bench.models.mixer import State, StepMixer
from ib_bench.models.norm import RMSNorm
from ib_bench.models.residual import ResidualModel, stacked
from ib_bench.models.sequence_model import require_size


class PDSSM(ResidualModel):
    """A stack of PD-SSM layers, each with a norm of its output and a linear map.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width.
        num_layers: number of blocks.
        state_size: number N of complex entries of the state.
        dictionary_size: number K of matrices that are mixed before the hardmax.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range.

    Reference: arXiv 2509.22284.
    """

    packable = True
    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        state_size: int = 64,
        dictionary_size: int = 8,
        mlp_factor: int = 4,
        learning_rate: float = 1e-3,
    ) -> None:
        mixers = stacked(num_layers, lambda: PDSSMMixer(hidden_size, state_size, dictionary_size))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class PDSSMMixer(StepMixer):
    """One layer of :class:`PDSSM`; its state is h, ``(rows, state_size, 2)``, real and imaginary parts."""

    projects_words = True

    def __init__(self, hidden_size: int, state_size: int = 64, dictionary_size: int = 8) -> None:
        super().__init__()
        sizes = {"hidden_size": hidden_size, "state_size": state_size, "dictionary_size": dictionary_size}
        for option, size in sizes.items():
            require_size(option, size)
        self.choice = nn.Linear(hidden_size, dictionary_size)
        self.dictionary = nn.Parameter(torch.randn(dictionary_size, state_size, state_size))
        self.diagonal = nn.Linear(hidden_size, 2 * state_size)
        self.write = nn.Linear(hidden_size, 2 * state_size, bias=False)
        self.first_state = nn.Parameter(torch.randn(state_size, 2))
        self.read = nn.Linear(2 * state_size, hidden_size, bias=False)  # Re(C h), in real numbers
        self.norm = RMSNorm(hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)

    def project(self, hidden: Tensor) -> State:
        """P's row of each column, and its softmax, indexed [column, row]; the factors of D, and what is written.

        D multiplies the real and the imaginary part by ``(re, re)``, and adds ``(-im, im)`` times the other one. Shapes
        ``(..., state_size)``, ``(..., state_size, state_size)`` and three times ``(..., state_size, 2)``.
        """
        columns = self.dictionary.mT.flatten(1)  # a column's entries lie side by side, in the order of reading
        mixed = (self.choice(hidden).softmax(dim=-1) @ columns).unflatten(-1, self.dictionary.shape[1:])
        magnitude, phase = self.diagonal(hidden).sigmoid().chunk(2, dim=-1)
        real, imaginary = magnitude * (math.tau * phase).cos(), magnitude * (math.tau * phase).sin()
        own, of_other = torch.stack([real, real], dim=-1), torch.stack([-imaginary, imaginary], dim=-1)
        written = self.write(hidden).unflatten(-1, (-1, 2))
        return mixed.argmax(dim=-1), mixed.softmax(dim=-1), own, of_other, written

    def initial_state(self, num_rows: int, like: Tensor) -> State:
        """The learned one."""
        return (self.first_state.expand(num_rows, -1, -1),)

    def step(self, inputs: State, state: State) -> tuple[Tensor, State]:
        """See :meth:`StepMixer.step`."""
        rows, soft, own, of_other, written = inputs
        turned = own * state[0] + of_other * state[0].flip(-1)
        routed: Tensor = _Route.apply(turned, rows, soft)  # type: ignore[no-untyped-call]
        hidden = routed + written
        return hidden, (hidden,)

    def readout(self, visited: Tensor) -> Tensor:
        """Read the state and normalise, ``(..., state_size, 2)`` to ``(..., hidden_size)``."""
        mapped: Tensor = self.out(self.norm(self.read(visited.flatten(-2))))
        return mapped


class _Route(torch.autograd.Function):
    """Put each column's value where its hardmax is; the gradient of the hardmax is that of the softmax."""

    @staticmethod
    def forward(ctx: FunctionCtx, values: Tensor, rows: Tensor, soft: Tensor) -> Tensor:
        """Add up ``(batch, n, 2)`` at ``rows``, ``(batch, n)``; ``soft``, ``(batch, n, n)``, only has a gradient."""
        index = rows[..., None].expand_as(values)
        ctx.save_for_backward(values, index)
        if values.is_cpu:
            return torch.zeros_like(values).scatter_add_(1, index, values)
        return sums_in_order(values, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor]:
        """Of the values and of ``soft``."""
        values, index = ctx.saved_tensors
        return gradient.gather(1, index), None, values @ gradient.mT


def sums_in_order(values: Tensor, rows: Tensor) -> Tensor:
    """Add up ``(batch, n, 2)`` at ``rows``, ``(batch, n)``, in the same order each time.

    On a GPU, ``scatter_add_`` adds in any order, so that a trial could not be repeated to the last bit. A matrix
    product would do as well, but under autocast it would round the values.
    """
    is_here = rows[:, None] == torch.arange(values.shape[1], device=values.device)[:, None]
    return (is_here[..., None] * values[:, None]).sum(dim=2).to(values.dtype)
