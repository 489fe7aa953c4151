r"""sLSTM, the scalar-memory half of xLSTM: an LSTM with exponential gates and a normaliser.

Per head, with :math:`\tilde z, \tilde i, \tilde f, \tilde o = W x_t + R h_{t-1} + b`,

.. math::
    m_t = \max(\log\sigma(\tilde f) + m_{t-1},\, \tilde i), \qquad
    i' = \exp(\tilde i - m_t), \qquad f' = \exp(\log\sigma(\tilde f) + m_{t-1} - m_t), \\
    c_t = f' c_{t-1} + i' \tanh(\tilde z), \qquad n_t = f' n_{t-1} + i', \qquad
    h_t = \sigma(\tilde o)\, c_t / n_t .

The state feeds back, so it is computed step by step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.models.mixer import State, StepMixer, require_heads
from ib_bench.models.norm import RMSNorm
from ib_bench.models.residual import ResidualModel, stacked
from ib_bench.models.sequence_model import require_size


class SLSTM(ResidualModel):
    """A stack of sLSTM layers, each with a norm per head.

    The forget gate is a sigmoid; the paper also allows an exponential one. The paper's optional convolution is left
    out, and the MLP is the scaffold's instead of a gated one. Differences from the authors' code
    (https://github.com/NX-AI/xlstm): the input weights are full instead of block-diagonal; R starts uniform instead of
    zero; biases of the forget gate start between 3 and 6, its option ``small_init``, instead of between 5 and -7; heads
    share the weights of their norm, which is an RMS norm.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width, also of the state.
        num_layers: number of blocks.
        num_heads: blocks of the recurrent weights R, a divisor of ``hidden_size``.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range.

    Reference: arXiv 2405.04517.
    """

    packable = True
    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        num_heads: int = 4,
        mlp_factor: int = 4,
        learning_rate: float = 1e-3,
    ) -> None:
        mixers = stacked(num_layers, lambda: SLSTMMixer(hidden_size, num_heads))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class SLSTMMixer(StepMixer):
    """One layer of :class:`SLSTM`; its state is h, c, n and m, each ``(rows, heads, head size)``."""

    def __init__(self, hidden_size: int, num_heads: int = 4) -> None:
        super().__init__()
        require_size("hidden_size", hidden_size)
        require_heads(num_heads, hidden_size)
        self.shape = num_heads, hidden_size // num_heads
        self.of_input = nn.Linear(hidden_size, 4 * hidden_size)
        bound = 1 / math.sqrt(self.shape[1])
        self.of_state = nn.Parameter(torch.empty(num_heads, self.shape[1], 4 * self.shape[1]).uniform_(-bound, bound))
        with torch.no_grad():  # remembering is the default; h moves the gates from the start
            self._gates(self.of_input.bias)[:, 2] += torch.linspace(3, 6, self.shape[1])
        self.output_norm = RMSNorm(self.shape[1])

    def project(self, hidden: Tensor) -> State:
        """The input's share of all gates, ``(..., heads, 4 * head size)``."""
        return (self._gates(self.of_input(hidden)).flatten(-2),)

    def initial_state(self, num_rows: int, like: Tensor) -> State:
        """Zeros, and minus infinity as m: what comes first is kept whole."""
        zeros = like.new_zeros(num_rows, *self.shape)
        return zeros, zeros, zeros, torch.full_like(zeros, -math.inf)

    def step(self, inputs: State, state: State) -> tuple[Tensor, State]:
        """See :meth:`StepMixer.step`."""
        hidden, memory, total, maximum = state
        of_state = torch.einsum("bhi,hij->bhj", hidden, self.of_state)
        new, write, keep, show = (inputs[0] + of_state).chunk(4, dim=-1)
        kept = functional.logsigmoid(keep) + maximum
        maximum = torch.maximum(kept, write)
        write, keep = (write - maximum).exp(), (kept - maximum).exp()
        memory = keep * memory + write * new.tanh()
        total = keep * total + write
        hidden = show.sigmoid() * memory / total
        return hidden, (hidden, memory, total, maximum)

    def readout(self, visited: Tensor) -> Tensor:
        """Normalise each head, ``(..., heads, head size)`` to ``(..., hidden_size)``."""
        normalized: Tensor = self.output_norm(visited)
        return normalized.flatten(-2)

    def _gates(self, values: Tensor) -> Tensor:
        """A view ``(..., heads, 4, head size)`` of ``(..., 4 * hidden_size)``."""
        return torch.unflatten(values, -1, (self.shape[0], 4, self.shape[1]))
