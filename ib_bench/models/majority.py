"""Chance: the most frequent answer of the training set, for any input."""

from __future__ import annotations

from torch import Tensor

from ib_bench.models.counting_model import CountingModel
from ib_bench.supervision.supervision import Batch


class Majority(CountingModel):
    """Predicts each answer as often as it was right in training, and reads nothing.

    It starts as if one batch of uniform answers had been seen.

    Args:
        vocab_size: number of different tokens.
        num_classes: number of different answers.
        learning_rate: without effect.
    """

    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3) -> None:
        super().__init__(num_classes, (num_classes,), learning_rate)
        self.save_hyperparameters()

    def observed(self, batch: Batch) -> Tensor:
        """The answers."""
        return batch.targets[batch.mask]

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`."""
        return (self.counts + 1 / len(self.counts)).log().expand(*tokens.shape, -1)

    def decode(self, tokens: Tensor, state: None = None) -> tuple[Tensor, None]:
        """See :meth:`SequenceModel.decode`; there is no state."""
        return self(tokens), None
