"""A success is confirmed on a second held-out set.

A trial looks at its validation loss many times and stops at the first dip below the threshold. One more look, at
sequences by which nothing was decided, says whether the success was a lucky dip. It costs one evaluation of at most
2,000 sequences, no training, and changes nothing of the trial.

The set is the one that ``ib-bench test`` uses: of every length the last sequences in the fixed order of the training
pool, as far as the training set has left them over. Lengths whose sequences are all used up are missing in it.
"""

from __future__ import annotations

import math

import lightning.pytorch as pl

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.results.trial_record import Confirmation
from ib_bench.training.fitting import contained, has_own_batches
from ib_bench.training.threshold_stopping import VAL_LOSS


def confirmation(model: pl.LightningModule, data: pl.LightningDataModule, trainer: pl.Trainer) -> Confirmation | None:
    """The loss on the second held-out set.

    Args:
        model: at the weights of the success.
        data: that it was trained on.
        trainer: without callbacks that a validation would change.

    Returns:
        None where the training set leaves too few sequences, and for data with batches of their own.
    """
    if not isinstance(data, StateTrackingData) or not has_own_batches(data):
        return None
    batches = data.confirmation_dataloader()
    if batches is None:
        return None
    with contained(trainer):
        trainer.validate(model, batches, verbose=False)
    loss = float(trainer.callback_metrics[VAL_LOSS])
    return Confirmation(loss if math.isfinite(loss) else None, data.num_test)
