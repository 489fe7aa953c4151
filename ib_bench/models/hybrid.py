"""A hybrid: recurrent layers that carry a state, and attention that looks back at every token.

Every n-th layer is attention, and the others are recurrent. The first layer is recurrent, so attention needs no
positions: what it reads already depends on the order of the tokens.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ib_bench.errors import BenchError, InvalidOptionError, UnknownNameError, require
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
        attention_every: n, at least 2: the blocks n, 2n, ... are attention, none if there are fewer (Jamba: one block
            of 8, in the middle).
        recurrence: of the other blocks: ``delta_net``, ``mamba2``, ``min_gru`` or ``slstm``.
        recurrence_arguments: of their layers beside the width, by name, such as ``negative_eigenvalues``.
        num_heads: of attention, a divisor of ``hidden_size``.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size lies outside its range, or an unknown ``recurrence``.
        BenchError: the recurrent layer does not take the ``recurrence_arguments``.

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
        require_size("num_layers", num_layers)
        mixers: list[Mixer] = []
        for number in range(1, num_layers + 1):
            if number % attention_every == 0:
                mixers.append(AttentionMixer(hidden_size, num_heads))
            else:
                mixers.append(_recurrent(recurrence, hidden_size, recurrence_arguments or {}))
        super().__init__(vocab_size, num_classes, mixers, hidden_size, mlp_factor, learning_rate)
        self.save_hyperparameters()


def _recurrent(recurrence: str, width: int, arguments: Mapping[str, Any]) -> Mixer:
    layer = _RECURRENCES[recurrence]
    known = [name for name in inspect.signature(layer).parameters if name != "hidden_size"]
    for name in arguments:
        if name not in known:
            raise UnknownNameError(f"argument of {recurrence} in recurrence_arguments", name, known)
    try:
        return layer(width, **arguments)
    except InvalidOptionError as error:
        if error.option not in arguments:
            raise
        raise BenchError(f"recurrence_arguments.{error}") from error


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
