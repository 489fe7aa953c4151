r"""Long short-term memory (Hochreiter & Schmidhuber, 1997): gates decide what the state keeps, adds and shows.

.. math::
    (i_t, f_t, o_t) = \sigma(W x_t + U h_{t-1} + b), \qquad g_t = \tanh(W_g x_t + U_g h_{t-1} + b_g), \\
    c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t) .

The forget gate f is that of Gers et al. (2000).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ib_bench.models.full_precision import PortableLSTM
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel, require_size

_PACKED_FROM = 256  # width; torch has a faster kernel for padded batches, which outweighs the padding in small models


class LSTM(SequenceModel):
    """Embedding, ``torch.nn.LSTM`` with its own initialisation and a zero initial state, linear head.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width of the embedding and of the state (the paper: 768, also 256).
        num_layers: LSTMs on top of each other (the paper: 1).
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size below 1.

    Reference: arXiv 2602.18333, section 4.
    """

    capturable = True
    packable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 768,
        num_layers: int = 1,
        learning_rate: float = 1e-3,
    ) -> None:
        super().__init__(num_classes, learning_rate)
        self.save_hyperparameters()
        require_size("hidden_size", hidden_size)
        require_size("num_layers", num_layers)
        if type(self) is LSTM:  # a derived class decides for itself
            self.packable = hidden_size >= _PACKED_FROM
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.lstm = PortableLSTM(hidden_size, hidden_size, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`."""
        return self.decode(tokens)[0]

    def packed_forward(self, batch: PackedBatch) -> Tensor:
        """See :meth:`SequenceModel.packed_forward`."""
        packed, _ = self.lstm(PackedSequence(self.embedding(batch.tokens), torch.tensor(batch.num_active)))
        return cast(Tensor, self.head(packed.data.index_select(0, batch.supervised)))

    def decode(self, tokens: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Any]:
        """See :meth:`SequenceModel.decode`; the state is that of ``torch.nn.LSTM``."""
        hidden, state = self.lstm(self.embedding(tokens), state)
        return self.head(hidden), state
