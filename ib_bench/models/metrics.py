r"""The numbers by which a model is judged, each defined once.

Over a set of sequences, and only at supervised positions:

- ``loss``: mean cross-entropy over all supervised positions, in nats, teacher-forced;
- ``final_state_accuracy``: share of sequences whose last supervised position is right;
- ``token_accuracy``: share of supervised positions that are right;
- ``sequence_accuracy``: share of sequences all of whose supervised positions are right.

``normalized_loss`` is the loss divided by that of a uniform guess, :math:`\ln(\text{num\_classes})`. A normalised
accuracy is (accuracy - chance) / (1 - chance): 1 is perfect, 0 is guessing. Chance is 1 / num_classes, for a whole
sequence of n positions to the n-th power.
"""

from __future__ import annotations

import math
from typing import TypeVar

import torch
import torchmetrics
from torch import Tensor
from torch.nn import functional

from ib_bench.supervision.supervision import IGNORE_INDEX

LOSS = "loss"
ACCURACIES = ("final_state_accuracy", "token_accuracy", "sequence_accuracy")
METRICS = (LOSS, *ACCURACIES, f"normalized_{LOSS}", *(f"normalized_{name}" for name in ACCURACIES))
"""The names of all metrics."""

Number = TypeVar("Number", float, Tensor)

METRIC_DEFINITION = "1"
"""Version of the definitions above; every record carries it."""


def metric_key(split: str, name: str) -> str:
    """The key under which a metric is logged, such as ``val/loss``."""
    return f"{split}/{name}"


class StateTrackingMetrics(torchmetrics.Metric):
    """All of :data:`METRICS` at once, exact over batches of different sizes and over devices.

    Args:
        num_classes: number of states, at least 2.
    """

    full_state_update = False
    loss_sum: Tensor
    chance_sum: Tensor
    num_tokens: Tensor
    num_sequences: Tensor
    correct: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("loss_sum", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("chance_sum", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("num_tokens", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("num_sequences", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("correct", torch.zeros(len(ACCURACIES), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Take in a batch.

        Args:
            logits: float ``(batch, width, num_classes)``.
            targets: int64 ``(batch, width)``, ``IGNORE_INDEX`` where not supervised, which is not a whole row.
        """
        supervised = targets != IGNORE_INDEX
        right = logits.argmax(dim=-1) == targets
        per_row = supervised.sum(dim=1)
        last = (torch.arange(targets.shape[1], device=targets.device) * supervised).argmax(dim=1, keepdim=True)
        self.loss_sum += cross_entropy(logits, targets, reduction="sum")
        self.chance_sum += torch.pow(1 / self.num_classes, per_row).sum()
        self.num_tokens += per_row.sum()
        self.num_sequences += len(targets)
        self.correct += torch.stack(
            [right.gather(1, last).sum(), (right & supervised).sum(), (right | ~supervised).all(dim=1).sum()]
        )

    def compute(self) -> dict[str, Tensor]:
        """All metrics, by name: scalars of type float32."""
        per = torch.stack([self.num_sequences, self.num_tokens, self.num_sequences])
        accuracies = self.correct / per
        guess = torch.full_like(self.chance_sum, 1 / self.num_classes)
        chances = torch.stack([guess, guess, self.chance_sum / self.num_sequences])
        loss = self.loss_sum / self.num_tokens
        normalized = normalized_accuracy(accuracies, chances)
        values = [loss, *accuracies, loss / math.log(self.num_classes), *normalized]
        return dict(zip(METRICS, values, strict=True))


def normalized_accuracy(accuracy: Number, chance: Number) -> Number:
    """(accuracy - chance) / (1 - chance): 1 is perfect, 0 is guessing."""
    return (accuracy - chance) / (1 - chance)


def at_least_float32(logits: Tensor) -> Tensor:
    """Logits of 16 bits as float32, others as they are."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def cross_entropy(logits: Tensor, targets: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy over the supervised positions, in nats and in float32, or float64 if the logits are.

    Args:
        logits: ``(*, num_classes)``, such as ``(batch, width, num_classes)``.
        targets: int64 ``(*)``, ``IGNORE_INDEX`` where not supervised.
        reduction: ``mean`` or ``sum``.
    """
    return functional.cross_entropy(
        at_least_float32(logits).flatten(0, -2), targets.flatten(), ignore_index=IGNORE_INDEX, reduction=reduction
    )
