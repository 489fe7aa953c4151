r"""Elman's recurrent network (Cognitive Science 14, 1990).

.. math:: h_t = \tanh(W x_t + U h_{t-1} + b) .
"""

from __future__ import annotations

from torch import nn

from ib_bench.models.recurrence import TorchRecurrence


class RNN(TorchRecurrence):
    """Elman's network: embedding, ``torch.nn.RNN`` with tanh, linear head.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width of the embedding and of the state.
        num_layers: layers on top of each other.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size below 1.

    Reference: Elman, *Finding structure in time*, Cognitive Science 14 (1990).
    """

    capturable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 1,
        learning_rate: float = 1e-3,
    ) -> None:
        super().__init__(vocab_size, num_classes, nn.RNN, hidden_size, num_layers, learning_rate)
        self.save_hyperparameters()
