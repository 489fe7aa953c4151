r"""Learning by counting, in the form of an ordinary training run.

Counts are parameters. The loss is linear in them: minus the mean count of what was observed, so that its gradient is
minus the share of each observation, and a gradient step of size one adds these shares to the counts. The usual
machinery of trials, from step budgets to several processes, needs to know nothing of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import Batch


class CountingModel(SequenceModel, ABC):
    """A model that counts and has nothing else to learn.

    Args:
        num_classes: number of different answers, at least 2.
        shape: of the counts.
        learning_rate: without effect, as a count is a count.
    """

    def __init__(self, num_classes: int, shape: tuple[int, ...], learning_rate: float) -> None:
        super().__init__(num_classes, learning_rate)
        self.counts = nn.Parameter(torch.zeros(shape))

    @abstractmethod
    def observed(self, batch: Batch) -> Tensor:
        """The observations in a batch.

        Args:
            batch: of training sequences.

        Returns:
            int64 ``(num_observations,)``, places in the flattened counts.
        """

    def loss(self, batch: Batch) -> Tensor:
        """Minus the mean count of what a batch shows, a scalar; 0 if it shows nothing."""
        return -self.counts.flatten()[self.observed(batch)].sum() / batch.mask.sum()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Gradient steps of size one, which add to the counts."""
        return torch.optim.SGD(self.parameters(), lr=1.0)
