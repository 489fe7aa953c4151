"""A plain ``nn.Module`` as a model."""

from __future__ import annotations

from typing import cast

import lightning.pytorch as pl
from torch import Tensor, nn

from ib_bench.models.sequence_model import SequenceModel

DEFAULT_LEARNING_RATE = 1e-3


class TrainableModule(SequenceModel):
    """An ``nn.Module`` that maps tokens to logits, trained and judged as every :class:`SequenceModel`.

    Args:
        module: maps int64 ``(batch, length)`` to float ``(batch, length, num_classes)``, causally.
        num_classes: number of different answers, at least 2.
        learning_rate: of Adam, above 0.
    """

    def __init__(
        self, module: nn.Module, num_classes: int, learning_rate: float | None = DEFAULT_LEARNING_RATE
    ) -> None:
        super().__init__(num_classes, DEFAULT_LEARNING_RATE if learning_rate is None else learning_rate)
        self.module = module

    def forward(self, tokens: Tensor) -> Tensor:
        """See :meth:`SequenceModel.forward`."""
        return cast(Tensor, self.module(tokens))


def is_plain_module(cls: type) -> bool:
    """Whether a class of models is a plain ``nn.Module``, which does not say how it is trained."""
    return issubclass(cls, nn.Module) and not issubclass(cls, pl.LightningModule)
