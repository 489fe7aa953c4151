r"""RWKV-7 ("Goose"): transitions that are diagonal plus rank one.

Per head and token t, with a state :math:`S \in \mathbb{R}^{d \times d}` and unit vectors :math:`\hat\kappa_t`,

.. math::
    S_t = \big(\mathrm{diag}(w_t) - (a_t \odot \hat\kappa_t)\, \hat\kappa_t^\top\big) S_{t-1}
    + \tilde k_t v_t^\top, \qquad
    y_t = W_o \Big(g_t \odot \big[\mathrm{norm}(S_t^\top r_t)
    + \big(r_t^\top (\rho \odot \tilde k_t)\big) v_t\big]\Big),

with :math:`w_t = \exp(-e^{-1/2}\,\sigma(\cdot))`, in (0.54, 1), :math:`a_t, g_t \in (0, 1)` and
:math:`\tilde k_t = k_t \odot (1 + (a_t - 1) \odot \alpha)`. r, k, v and what w, a and g are sigmoids of are linear in
a mixture of the token and the one before.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ib_bench.models.mixer import Mixer, require_heads
from ib_bench.models.residual import ResidualModel, stacked
from ib_bench.models.scan import key_value_scan
from ib_bench.models.sequence_model import require_size


class RWKV7(ResidualModel):
    """A stack of RWKV-7 time mixers.

    Decay, rate and gate are full linear maps instead of low-rank ones, and the gate lies in (0, 1). Values are not
    mixed with those of the first layer. Heads share the weights of their norm. The MLP is the scaffold's instead of
    RWKV's channel mixing.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width.
        num_layers: number of blocks.
        num_heads: heads of each layer, a divisor of ``hidden_size``.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range.

    Reference: arXiv 2503.14456.
    """

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
        mixers = stacked(num_layers, lambda: RWKV7Mixer(hidden_size, num_heads))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class RWKV7Mixer(Mixer):
    """One layer of :class:`RWKV7`."""

    def __init__(self, hidden_size: int, num_heads: int = 4) -> None:
        super().__init__()
        require_size("hidden_size", hidden_size)
        require_heads(num_heads, hidden_size)
        self.num_heads = num_heads
        self.shift = nn.Parameter(torch.full((6, hidden_size), 0.5))  # share of the token before
        self.receptance = nn.Linear(hidden_size, hidden_size, bias=False)
        self.key = nn.Linear(hidden_size, hidden_size, bias=False)
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.decay = nn.Linear(hidden_size, hidden_size)
        self.rate = nn.Linear(hidden_size, hidden_size)
        self.gate = nn.Linear(hidden_size, hidden_size)
        with torch.no_grad():
            self.decay.bias.copy_(torch.linspace(-6, 1, hidden_size))  # from slow to fast
        self.removal = nn.Parameter(torch.ones(hidden_size))
        self.replacement = nn.Parameter(torch.ones(hidden_size))
        self.bonus = nn.Parameter(torch.zeros(hidden_size))
        self.output_norm = nn.LayerNorm(hidden_size // num_heads)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def decode(self, hidden: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See :meth:`Mixer.decode`; the state is the last token and S of every head."""
        head_size = hidden.shape[-1] // self.num_heads
        if state is None:
            state = torch.zeros_like(hidden[:, :1]), None
        last, matrix = state
        before = torch.cat([last, hidden[:, :-1]], dim=1)
        mixed = [hidden + share * (before - hidden) for share in self.shift]
        receptance, key, value = self.receptance(mixed[0]), self.key(mixed[1]), self.value(mixed[2])
        log_decay = -math.exp(-0.5) * self.decay(mixed[3]).sigmoid()
        rate, gate = self.rate(mixed[4]).sigmoid(), self.gate(mixed[5]).sigmoid()
        removed = functional.normalize(self._heads(key * self.removal), dim=-1)
        key = self._heads(key * (1 + (rate - 1) * self.replacement))
        receptance, value, log_decay = (self._heads(values) for values in (receptance, value, log_decay))
        nothing = torch.zeros_like(value)
        # two substeps: the first decays and removes what its direction held before the decay, the second writes
        seen, matrix = key_value_scan(
            receptance,
            _in_turns(self._heads(rate) * removed, key),
            _in_turns(nothing, value),
            _in_turns(log_decay, nothing),
            matrix,
            erase=_in_turns(removed * (-log_decay).exp(), nothing),
            num_substeps=2,
        )
        bonus = (receptance * self.bonus.view(self.num_heads, 1, head_size) * key).sum(dim=-1, keepdim=True)
        output = (self.output_norm(seen) + bonus * value).transpose(1, 2).flatten(2)
        return self.out(output * gate), (hidden[:, -1:], matrix)

    def _heads(self, values: Tensor) -> Tensor:
        return torch.unflatten(values, -1, (self.num_heads, -1)).transpose(1, 2)


def _in_turns(first: Tensor, second: Tensor) -> Tensor:
    """Both ``(..., length, width)`` in turns, ``(..., 2 * length, width)``."""
    return torch.stack([first, second], dim=-2).flatten(-3, -2)
