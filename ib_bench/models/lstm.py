"""Long short-term memory (Hochreiter & Schmidhuber, 1997): a state that gates decide to keep, add to and show."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ib_bench.models.sequence_model import SequenceModel, require_size


class LSTM(SequenceModel):
    """Embedding, ``torch.nn.LSTM`` with its own initialisation and a zero initial state, linear head.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width of the embedding and of the state (the paper: 768, also 256).
        num_layers: LSTMs on top of each other (the paper: 1).
        learning_rate: of Adam.

    Raises:
        InvalidOptionError: a size below 1.

    Reference: arXiv 2602.18333, section 4.
    """

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
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.lstm = nn.LSTM(hidden_size, hidden_size, num_layers, batch_first=True)
        self.head = nn.Linear(hidden_size, num_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`."""
        return self.decode(tokens)[0]

    def decode(self, tokens: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Any]:
        """See :meth:`SequenceModel.decode`; the state is that of ``torch.nn.LSTM``."""
        hidden, state = self.lstm(self.embedding(tokens), state)
        return self.head(hidden), state
