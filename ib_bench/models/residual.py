r"""The scaffold in which most papers compare mixers: embedding, pre-norm residual blocks, norm, head.

.. math:: x \leftarrow x + \mathrm{mixer}(\mathrm{norm}(x)), \qquad x \leftarrow x + \mathrm{mlp}(\mathrm{norm}(x)).

Norms are RMS norms. There are no positions: a recurrence knows the order of its tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ib_bench.errors import BenchError, require
from ib_bench.models.mixer import Mixer, StepMixer
from ib_bench.models.norm import RMSNorm
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel, require_size

CONTRACT = "a mixer is built as Mixer(width, ...), and maps (batch, length, width) -> same"


def stacked(num_layers: int, build: Callable[[], nn.Module]) -> list[nn.Module]:
    """Build the mixer of each layer.

    Raises:
        InvalidOptionError: there are no layers.
    """
    require_size("num_layers", num_layers)
    return [build() for _ in range(num_layers)]


class ResidualModel(SequenceModel):
    """A stack of mixers between an embedding and a linear head; the base of the models that are made so.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        mixers: one for each block, at least one, ``(batch, length, hidden_size)`` to the same. With
            :class:`~ib_bench.models.mixer.Mixer`, :meth:`decode` carries their states on; otherwise it reads everything
            again.
        hidden_size: width, at least 1.
        mlp_factor: how many times wider than ``hidden_size`` the MLP of each block is; 0 leaves it out.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: there are no mixers, or ``mlp_factor`` lies below 0.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        mixers: Sequence[nn.Module],
        hidden_size: int,
        mlp_factor: int,
        learning_rate: float,
    ) -> None:
        super().__init__(num_classes, learning_rate)
        require_size("num_layers", len(mixers))
        require(mlp_factor >= 0, "mlp_factor", mlp_factor, "an integer of at least 0")
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.blocks = nn.ModuleList(_Block(mixer, hidden_size, mlp_factor) for mixer in mixers)
        self.norm = RMSNorm(hidden_size)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`."""
        hidden, words = self.embedding(tokens), self._words(tokens)
        for block in cast(Sequence[_Block], self.blocks):
            hidden, words = block.transform(block.mix(hidden, tokens, words)), None
        return cast(Tensor, self.head(self.norm(hidden)))

    def packed_forward(self, batch: PackedBatch) -> Tensor:
        """See :meth:`SequenceModel.packed_forward`; what follows the last mixer sees supervised tokens only."""
        blocks = cast(Sequence[_Block], self.blocks)
        hidden, words = self.embedding(batch.tokens), self._words(batch.tokens)
        for block in blocks[:-1]:
            hidden, words = block.transform(block.packed_mix(hidden, batch, words)), None
        hidden = blocks[-1].packed_mix(hidden, batch, words).index_select(0, batch.supervised)
        return cast(Tensor, self.head(self.norm(blocks[-1].transform(hidden))))

    def decode(self, tokens: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """See :meth:`SequenceModel.decode`; the state is every mixer's."""
        blocks = cast(Sequence[_Block], self.blocks)
        if not all(isinstance(block.mixer, Mixer) for block in blocks):
            return super().decode(tokens, state)
        hidden, states = self.embedding(tokens), []
        for block, past in zip(blocks, state or [None] * len(blocks), strict=True):
            mixed, present = cast(Mixer, block.mixer).decode(block.mixer_norm(hidden), past)
            hidden = block.transform(block.add(hidden, mixed))
            states.append(present)
        return self.head(self.norm(hidden)), states

    def _words(self, tokens: Tensor) -> Tensor | None:
        """The embedding of the whole vocabulary, if the first mixer projects words and there are fewer than tokens."""
        mixer, vocab_size = cast(_Block, self.blocks[0]).mixer, self.embedding.num_embeddings
        if not (isinstance(mixer, StepMixer) and mixer.projects_words and vocab_size < tokens.numel()):
            return None
        return cast(Tensor, self.embedding(torch.arange(vocab_size, device=tokens.device)))


class _Block(nn.Module):
    def __init__(self, mixer: nn.Module, hidden_size: int, mlp_factor: int) -> None:
        super().__init__()
        self.mixer_norm = RMSNorm(hidden_size)
        self.mixer = mixer
        self.mlp: nn.Module | None = None
        if mlp_factor:
            inner = mlp_factor * hidden_size
            self.mlp = nn.Sequential(
                RMSNorm(hidden_size), nn.Linear(hidden_size, inner), nn.GELU(), nn.Linear(inner, hidden_size)
            )

    def transform(self, hidden: Tensor) -> Tensor:
        """Apply the layers after the mixer, ``(..., hidden_size)`` to the same."""
        return hidden if self.mlp is None else hidden + self.mlp(hidden)

    def mix(self, hidden: Tensor, tokens: Tensor, words: Tensor | None) -> Tensor:
        """The mixer and its residual connection, ``(batch, length, hidden_size)`` to the same.

        With ``words``, ``(vocab_size, hidden_size)``, ``hidden`` is ``words[tokens]``.
        """
        if words is None:
            return self.add(hidden, self.mixer(self.mixer_norm(hidden)))
        return self.add(hidden, cast(StepMixer, self.mixer).forward_words(self.mixer_norm(words), tokens))

    def packed_mix(self, hidden: Tensor, batch: PackedBatch, words: Tensor | None) -> Tensor:
        """:meth:`mix` without padding, ``(num_tokens, hidden_size)`` to the same."""
        if words is None:
            return self.add(hidden, cast(Mixer, self.mixer).packed_forward(self.mixer_norm(hidden), batch))
        return self.add(hidden, cast(StepMixer, self.mixer).packed_forward_words(self.mixer_norm(words), batch))

    def add(self, hidden: Tensor, mixed: Any) -> Tensor:
        """The residual connection around the mixer.

        Raises:
            BenchError: what the mixer returned is no tensor of the shape of ``hidden``.
        """
        if isinstance(mixed, Tensor) and mixed.shape == hidden.shape:
            return hidden + mixed
        found = f"shape {tuple(mixed.shape)}" if isinstance(mixed, Tensor) else f"a {type(mixed).__name__}"
        expected = f"a tensor of shape {tuple(hidden.shape)}"
        raise BenchError(f"mixer {type(self.mixer).__name__} returns {found} instead of {expected}: {CONTRACT}")
