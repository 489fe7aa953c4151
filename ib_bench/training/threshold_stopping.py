"""The end of a trial: the first validation loss below the threshold."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import lightning.pytorch as pl

from ib_bench.errors import BenchError
from ib_bench.models.metrics import FINAL_STATE_ACCURACY, LOSS, metric_key
from ib_bench.training.judgement import judged

VAL_LOSS = metric_key("val", LOSS)
VAL_ACCURACY = metric_key("val", FINAL_STATE_ACCURACY)


def missing_loss(logged: Iterable[str]) -> str:
    """The sentence that says what a LightningModule must log.

    Args:
        logged: names of what it logs instead.
    """
    names = ", ".join(sorted(logged)) or "nothing"
    return (
        f"validation_step must log {VAL_LOSS}, as in self.log({VAL_LOSS!r}, loss), the mean cross-entropy of the "
        f"supervised positions in nats; it logs {names}"
    )


class ThresholdStopping(pl.Callback):
    """Records the validation curve, and stops once the loss is below the threshold or no longer finite.

    Where several processes train one model, all go by the loss that rank 0 has.

    Args:
        threshold: epsilon, in nats.
        on_validation: receives the optimizer steps and the loss of every validation.
        futile_after: optimizer steps from which on a trial without progress is stopped too.

    Attributes:
        curve: pairs of optimizer steps and validation loss.
        accuracies: final-state accuracy of every validation; NaN where the model does not log it.
    """

    def __init__(
        self,
        threshold: float,
        on_validation: Callable[[int, float], None] | None = None,
        futile_after: float = math.inf,
    ) -> None:
        self.threshold = threshold
        self.on_validation = on_validation
        self.futile_after = futile_after
        self.curve: list[tuple[int, float]] = []
        self.accuracies: list[float] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the loss, and decide."""
        if VAL_LOSS not in trainer.callback_metrics:
            raise BenchError(missing_loss(trainer.callback_metrics))
        loss = float(trainer.callback_metrics[VAL_LOSS])
        if trainer.world_size > 1:
            loss = trainer.strategy.broadcast(loss)
        self.curve.append((trainer.global_step, loss))
        self.accuracies.append(float(trainer.callback_metrics.get(VAL_ACCURACY, math.nan)))
        if judged(self.curve, self.threshold, self.futile_after) is not None:
            trainer.should_stop = True
        if self.on_validation is not None:
            self.on_validation(trainer.global_step, loss)
