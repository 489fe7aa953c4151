"""Torch's own recurrent layers as models; ``LSTM`` has a file of its own."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel, require_size


class TorchRecurrence(SequenceModel):
    """Embedding, one of torch's recurrent layers with its own initialisation and a zero initial state, linear head.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        layer: ``nn.GRU`` or ``nn.RNN``.
        hidden_size: width of the embedding and of the state.
        num_layers: layers on top of each other.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size below 1.
    """

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        layer: type[nn.GRU] | type[nn.RNN],
        hidden_size: int,
        num_layers: int,
        learning_rate: float,
    ) -> None:
        super().__init__(num_classes, learning_rate)
        require_size("hidden_size", hidden_size)
        require_size("num_layers", num_layers)
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.layers = layer(hidden_size, hidden_size, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`."""
        return self.decode(tokens)[0]

    def packed_forward(self, batch: PackedBatch) -> Tensor:
        """See :meth:`SequenceModel.packed_forward`."""
        packed, _ = self.layers(PackedSequence(self.embedding(batch.tokens), torch.tensor(batch.num_active)))
        return cast(Tensor, self.head(packed.data.index_select(0, batch.supervised)))

    def decode(self, tokens: Tensor, state: Tensor | None = None) -> tuple[Tensor, Any]:
        """See :meth:`SequenceModel.decode`; the state is every layer's h, ``(layers, batch, hidden_size)``."""
        hidden, state = self.layers(self.embedding(tokens), state)
        return self.head(hidden), state
