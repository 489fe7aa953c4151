r"""SD-SSM: a softmax over a dictionary of dense transitions.

.. math::
    h_t = A(x_t)\, h_{t-1} + B x_t, \qquad
    A(x) = \mathrm{normalize}_p\Big(\sum_{k=1}^{K} \mathrm{softmax}(W x)_k\, A_k\Big),

where :math:`\mathrm{normalize}_p` divides each column by its p-norm, p = 1.2, and :math:`h_0` is learned. So
:math:`A(x)` makes the sum of the magnitudes of N entries at most :math:`N^{1 - 1/p}` times larger, twice for N = 64.
Transitions are dense: a parallel form would multiply matrices, so this is computed step by step.

The authors' code (https://github.com/IBM/selective-dense-state-space-model) differs: there, :math:`h_0` is zero, the
dictionary starts with a standard deviation of :math:`1/\sqrt{N}` (here 1: the same transitions, but Adam changes them
:math:`\sqrt{N}` times more slowly), the norm is a LayerNorm, there are no residual connections, and p and K depend on
the task.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.models.mixer import State, StepMixer
from ib_bench.models.norm import RMSNorm
from ib_bench.models.residual import ResidualModel, stacked
from ib_bench.models.sequence_model import require_size

_NORM = 1.2


class SDSSM(ResidualModel):
    """A stack of SD-SSM layers, each with a norm of its state and a linear map.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width, also of the state.
        num_layers: number of blocks.
        dictionary_size: number K of transitions that are mixed.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range.

    Reference: arXiv 2412.19350.
    """

    packable = True
    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 1,
        dictionary_size: int = 8,
        mlp_factor: int = 0,
        learning_rate: float = 1e-3,
    ) -> None:
        mixers = stacked(num_layers, lambda: SDSSMMixer(hidden_size, dictionary_size))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class SDSSMMixer(StepMixer):
    """One layer of :class:`SDSSM`; its state is h, ``(rows, hidden_size)``."""

    projects_words = True

    def __init__(self, hidden_size: int, dictionary_size: int = 8) -> None:
        super().__init__()
        require_size("hidden_size", hidden_size)
        require_size("dictionary_size", dictionary_size)
        self.choice = nn.Linear(hidden_size, dictionary_size)
        self.dictionary = nn.Parameter(torch.randn(dictionary_size, hidden_size, hidden_size))
        self.write = nn.Linear(hidden_size, hidden_size, bias=False)
        self.first_state = nn.Parameter(torch.randn(hidden_size))
        self.norm = RMSNorm(hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size)

    def project(self, hidden: Tensor) -> State:
        """Transitions ``(..., hidden_size, hidden_size)``, indexed [to, from], and what is written."""
        mixed = torch.einsum("...k,kij->...ij", self.choice(hidden).softmax(dim=-1), self.dictionary)
        return functional.normalize(mixed, p=_NORM, dim=-2), self.write(hidden)

    def initial_state(self, num_rows: int, like: Tensor) -> State:
        """The learned one."""
        return (self.first_state.expand(num_rows, -1),)

    def step(self, inputs: State, state: State) -> tuple[Tensor, State]:
        """See :meth:`StepMixer.step`."""
        transition, written = inputs
        hidden = (transition @ state[0][..., None]).squeeze(-1) + written
        return hidden, (hidden,)

    def readout(self, visited: Tensor) -> Tensor:
        """Normalise the state and map it, ``(..., hidden_size)`` to the same."""
        mapped: Tensor = self.out(self.norm(visited))
        return mapped
