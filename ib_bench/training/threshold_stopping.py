"""The end of a trial: the first validation loss below the threshold."""

from __future__ import annotations

import math
from collections.abc import Callable

import lightning.pytorch as pl

VAL_LOSS = "val/loss"


class ThresholdStopping(pl.Callback):
    """Records the validation curve, and stops once the loss is below the threshold or no longer finite.

    Args:
        threshold: epsilon, in nats.
        on_validation: is told the optimizer steps and the loss of every validation.

    Attributes:
        curve: pairs of optimizer steps and validation loss.
    """

    def __init__(self, threshold: float, on_validation: Callable[[int, float], None] | None = None) -> None:
        self.threshold = threshold
        self.on_validation = on_validation
        self.curve: list[tuple[int, float]] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the loss, and decide."""
        loss = float(trainer.callback_metrics[VAL_LOSS])
        self.curve.append((trainer.global_step, loss))
        if self.succeeded or not math.isfinite(loss):
            trainer.should_stop = True
        if self.on_validation is not None:
            self.on_validation(trainer.global_step, loss)

    @property
    def succeeded(self) -> bool:
        """Whether the last validation loss is below the threshold."""
        return bool(self.curve) and self.curve[-1][1] < self.threshold

    @property
    def diverged(self) -> bool:
        """Whether the last validation loss is not finite."""
        return bool(self.curve) and not math.isfinite(self.curve[-1][1])
