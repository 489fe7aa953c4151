r"""The numbers by which a model is judged: each is one row of :data:`ROWS`.

Every metric is a mean over a set of sequences, at supervised positions only. Each has a normalised form. The normalised
loss is the loss divided by that of a uniform guess, :math:`\ln(\text{num\_classes})`. A normalised accuracy is
(accuracy - chance) / (1 - chance): 1 is perfect, 0 is guessing. Chance is 1 / num_classes, for a whole sequence of n
positions to the n-th power.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeVar

import torch
import torchmetrics
from torch import Tensor
from torch.nn import functional

from ib_bench.supervision.supervision import IGNORE_INDEX

Number = TypeVar("Number", float, Tensor)

METRIC_DEFINITION = "1"
"""Version of the definitions in :data:`ROWS`. Every record carries it, and ``store merge`` compares metrics of one
version only."""


class Answers(NamedTuple):
    """The answers of a model to a batch.

    Attributes:
        logits: float ``(batch, width, num_classes)``.
        targets: int64 ``(batch, width)``, ``IGNORE_INDEX`` where not supervised.
        supervised: bool ``(batch, width)``.
        right: bool ``(batch, width)``, whether the highest logit is the target's, and none is NaN.
    """

    logits: Tensor
    targets: Tensor
    supervised: Tensor
    right: Tensor


class Guess(NamedTuple):
    """The metrics of uniform guessing.

    Attributes:
        loss: its cross-entropy, in nats.
        position: float32, its accuracy at a position.
        sequence: float32, its accuracy at whole sequences, the mean over those that were judged.
    """

    loss: float
    position: Tensor
    sequence: Tensor


class Metric(NamedTuple):
    """One row: a metric is the sum of ``total`` over all batches, divided by their number of ``per``.

    Attributes:
        name: under which it is logged and kept in records.
        definition: in words.
        total: adds up a batch, to a scalar.
        per: what the mean is taken over.
        normalized: the metric's normalised form, from the metric and how well guessing does.
        dtype: of the sum; the default counts exactly.
    """

    name: str
    definition: str
    total: Callable[[Answers], Tensor]
    per: Literal["tokens", "sequences"]
    normalized: Callable[[Tensor, Guess], Tensor]
    dtype: torch.dtype = torch.int64


def normalized_accuracy(accuracy: Number, chance: Number) -> Number:
    """(accuracy - chance) / (1 - chance): 1 is perfect, 0 is guessing."""
    return (accuracy - chance) / (1 - chance)


def _last_is_right(answers: Answers) -> Tensor:
    position = torch.arange(answers.targets.shape[1], device=answers.targets.device)
    last = (position * answers.supervised).argmax(dim=1, keepdim=True)
    return answers.right.gather(1, last).sum()


ROWS = (
    Metric(
        name="loss",
        definition="mean cross-entropy over all supervised positions, in nats, teacher-forced",
        total=lambda answers: cross_entropy(answers.logits, answers.targets, reduction="sum"),
        per="tokens",
        normalized=lambda loss, guess: loss / guess.loss,
        dtype=torch.float32,
    ),
    Metric(
        name="final_state_accuracy",
        definition="share of sequences whose last supervised position is right",
        total=_last_is_right,
        per="sequences",
        normalized=lambda accuracy, guess: normalized_accuracy(accuracy, guess.position),
    ),
    Metric(
        name="token_accuracy",
        definition="share of supervised positions that are right",
        total=lambda answers: (answers.right & answers.supervised).sum(),
        per="tokens",
        normalized=lambda accuracy, guess: normalized_accuracy(accuracy, guess.position),
    ),
    Metric(
        name="sequence_accuracy",
        definition="share of sequences all of whose supervised positions are right",
        total=lambda answers: (answers.right | ~answers.supervised).all(dim=1).sum(),
        per="sequences",
        normalized=lambda accuracy, guess: normalized_accuracy(accuracy, guess.sequence),
    ),
)
"""All metrics. A new one is one more row."""

LOSS = "loss"
FINAL_STATE_ACCURACY = "final_state_accuracy"
METRICS = (*(row.name for row in ROWS), *(f"normalized_{row.name}" for row in ROWS))
"""The names of all metrics."""


def metric_key(split: str, name: str) -> str:
    """The key under which a metric is logged, such as ``val/loss``."""
    return f"{split}/{name}"


class StateTrackingMetrics(torchmetrics.Metric):
    """All of :data:`METRICS` at once, exact over batches of different sizes and over devices.

    Args:
        num_classes: number of states, at least 2.
    """

    full_state_update = False
    num_tokens: Tensor
    num_sequences: Tensor
    chance: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("num_tokens", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("num_sequences", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("chance", torch.tensor(0.0), dist_reduce_fx="sum")
        for row in ROWS:
            self.add_state(row.name, torch.tensor(0, dtype=row.dtype), dist_reduce_fx="sum")

    def update(self, logits: Tensor, targets: Tensor) -> None:
        """Take in a batch.

        Args:
            logits: float ``(batch, width, num_classes)``.
            targets: int64 ``(batch, width)``, ``IGNORE_INDEX`` where not supervised, which is not a whole row.
        """
        supervised = targets != IGNORE_INDEX
        answers = Answers(logits, targets, supervised, named_states(logits) == targets)
        per_row = supervised.sum(dim=1)
        self.num_tokens += per_row.sum()
        self.num_sequences += len(targets)
        if self.chance.dtype != torch.float32:
            self._widen()
        self.chance += torch.pow(1 / self.num_classes, per_row.float()).sum()
        for row in ROWS:
            getattr(self, row.name).add_(row.total(answers))

    def _widen(self) -> None:
        """Sums of 16 bits, to which a Trainer of precision ``16-true`` converts them, would overflow or stand still."""
        self.chance = self.chance.float()
        for row in ROWS:
            setattr(self, row.name, getattr(self, row.name).to(row.dtype))

    def compute(self) -> dict[str, Tensor]:
        """All metrics, by name: scalars of type float32."""
        counts = {"tokens": self.num_tokens, "sequences": self.num_sequences}
        position = torch.full_like(self.chance, 1 / self.num_classes)
        guess = Guess(math.log(self.num_classes), position, self.chance / self.num_sequences)
        values = {row.name: getattr(self, row.name) / counts[row.per] for row in ROWS}
        return values | {f"normalized_{row.name}": row.normalized(values[row.name], guess) for row in ROWS}


def named_states(logits: Tensor) -> Tensor:
    """The answer with the highest logit, ``(*, num_classes)`` to int64 ``(*)``; -1, a wrong one, where one is NaN."""
    return logits.argmax(dim=-1).masked_fill_(logits.isnan().any(dim=-1), -1)


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
