"""A hybrid: recurrent layers that carry a state, and attention that looks back at every token.

Every n-th layer is attention, and the others are recurrent. The first layer is recurrent, so attention needs no
positions: what it reads already depends on the order of the tokens.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ib_bench.errors import require
from ib_bench.models.delta_net import DeltaMixer
from ib_bench.models.mamba2 import Mamba2Mixer
from ib_bench.models.min_gru import MinGRUMixer
from ib_bench.models.mixer import Mixer, require_heads
from ib_bench.models.residual import ResidualModel
from ib_bench.models.sequence_model import require_size
from ib_bench.models.slstm import SLSTMMixer
from ib_bench.models.transformer import CausalAttention

_RECURRENCES: dict[str, type[Mixer]] = {
    "delta_net": DeltaMixer,
    "mamba2": Mamba2Mixer,
    "min_gru": MinGRUMixer,
    "slstm": SLSTMMixer,
}


class Hybrid(ResidualModel):
    """Recurrent layers and attention in turns.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width.
        num_layers: number of blocks.
        attention_every: n, at least 2: the blocks n, 2n, ... are attention (Jamba: 8).
        recurrence: of the other blocks: ``delta_net``, ``mamba2``, ``min_gru`` or ``slstm``.
        recurrence_arguments: of their layers beside the width, by name, such as ``negative_eigenvalues``.
        num_heads: of attention, a divisor of ``hidden_size``.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range, or an unknown ``recurrence``.

    Reference: Jamba, arXiv 2403.19887.
    """

    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 2,
        attention_every: int = 2,
        recurrence: str = "delta_net",
        recurrence_arguments: dict[str, Any] | None = None,
        num_heads: int = 4,
        mlp_factor: int = 4,
        learning_rate: float = 1e-3,
    ) -> None:
        require(recurrence in _RECURRENCES, "recurrence", recurrence, f"one of {', '.join(_RECURRENCES)}")
        require(attention_every >= 2, "attention_every", attention_every, "an integer of at least 2")
        mixers: list[Mixer] = []
        for number in range(1, num_layers + 1):
            if number % attention_every == 0:
                mixers.append(AttentionMixer(hidden_size, num_heads))
            else:
                mixers.append(_RECURRENCES[recurrence](hidden_size, **(recurrence_arguments or {})))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


class AttentionMixer(Mixer):
    """Causal attention as a mixer.

    Args:
        hidden_size: width.
        num_heads: a divisor of ``hidden_size``.
        positions: as of :class:`~ib_bench.models.transformer.CausalAttention`, other than ``learned``.

    Raises:
        InvalidOptionError: a size or ``positions`` lies outside its range.
    """

    def __init__(self, hidden_size: int, num_heads: int = 4, positions: str = "none") -> None:
        super().__init__()
        require_size("hidden_size", hidden_size)
        require_heads(num_heads, hidden_size)
        require(positions != "learned", "positions", positions, "rotary, alibi or none: a mixer sees no positions")
        self.attention = CausalAttention(hidden_size, num_heads, positions=positions)

    def decode(self, hidden: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See :meth:`Mixer.decode`; the state is the keys and values of all tokens."""
        attended, present = self.attention(hidden, state)
        return attended, present
