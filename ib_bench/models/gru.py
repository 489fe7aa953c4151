r"""Gated recurrent unit (Cho et al., arXiv 1406.1078): a gate mixes the old state with a new one.

.. math::
    r_t = \sigma(W_r x_t + U_r h_{t-1} + b_r), \qquad z_t = \sigma(W_z x_t + U_z h_{t-1} + b_z), \\
    \tilde h_t = \tanh(W x_t + b + r_t \odot (U h_{t-1} + c)), \qquad
    h_t = (1 - z_t) \odot \tilde h_t + z_t \odot h_{t-1} .

This is PyTorch's GRU. In the paper there are no biases, and r scales h before the product with U.
"""

from __future__ import annotations

from torch import nn

from ib_bench.models.recurrence import TorchRecurrence


class GRU(TorchRecurrence):
    """Embedding, ``torch.nn.GRU``, linear head.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        hidden_size: width of the embedding and of the state.
        num_layers: layers on top of each other.
        learning_rate: learning rate of Adam.

    Raises:
        InvalidOptionError: a size below 1.

    Reference: arXiv 1406.1078.
    """

    capturable = True
    packable = True

    def __init__(
        self,
        vocab_size: int,
        num_classes: int,
        hidden_size: int = 64,
        num_layers: int = 1,
        learning_rate: float = 1e-3,
    ) -> None:
        super().__init__(vocab_size, num_classes, nn.GRU, hidden_size, num_layers, learning_rate)
        self.save_hyperparameters()
