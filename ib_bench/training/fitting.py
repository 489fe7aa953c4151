"""Lightning's Trainer as a trial uses it: quiet, without files, and cheap from one validation to the next."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl

from ib_bench.data.batches import TrainBatches
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.training.step_chunks import StepChunks

TRIAL_OWNED = {
    "max_steps": "search.max_steps",
    "max_epochs": "search.max_steps",
    "min_steps": None,
    "min_epochs": None,
    "max_time": None,
    "val_check_interval": "search.val_check_interval",
    "check_val_every_n_epoch": "search.val_check_interval",
    "logger": "wandb.mode",
    "enable_checkpointing": None,
    "enable_progress_bar": None,
    "enable_model_summary": None,
    "num_sanity_val_steps": None,
    "limit_train_batches": None,
    "limit_val_batches": None,
    "overfit_batches": None,
    "fast_dev_run": None,
    "log_every_n_steps": None,
    "reload_dataloaders_every_n_epochs": None,
    "barebones": None,
}
"""Arguments of the Trainer that a trial sets itself, and the option that takes their place, if there is one."""

_STEP_HOOKS = (
    "training_step",
    "on_train_batch_start",
    "on_train_batch_end",
    "on_train_epoch_start",
    "on_train_epoch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
    "backward",
    "optimizer_step",
    "optimizer_zero_grad",
    "lr_scheduler_step",
    "configure_gradient_clipping",
    "on_before_batch_transfer",
    "on_after_batch_transfer",
    "transfer_batch_to_device",
)

PLACEMENT = ("accelerator", "strategy", "devices", "num_nodes")
"""Arguments of the Trainer that say where a trial runs, not what it computes: they are no part of its key."""


def train(
    model: pl.LightningModule,
    data: pl.LightningDataModule,
    max_steps: int,
    interval: int,
    callbacks: list[pl.Callback],
    **arguments: Any,
) -> pl.Trainer:
    """Fit with Lightning's Trainer, without what a trial has no use for: it writes no file and prints nothing.

    Args:
        model: to be trained.
        data: to be trained on; loaders other than ours are passed to the Trainer as they are.
        max_steps: step budget.
        interval: optimizer steps between validations.
        callbacks: to be called.
        arguments: further arguments of the Trainer.

    Returns:
        The Trainer, after the fit.
    """
    batches = data.train_dataloader()
    if not (isinstance(batches, TrainBatches) and takes_many_steps_at_once(model, arguments)):
        trainer = _trainer(max_steps, interval, callbacks, **arguments)
        with interrupts_reach_the_caller(trainer):
            trainer.fit(model, datamodule=data)
        return trainer
    chunks = StepChunks(batches, interval, max_steps)
    trainer = _trainer(max_steps, chunks.chunks_per_interval, callbacks, **arguments)
    model.automatic_optimization = False
    with interrupts_reach_the_caller(trainer):
        trainer.fit(model, chunks, data.val_dataloader())
    return trainer


def takes_many_steps_at_once(model: pl.LightningModule, trainer_arguments: dict[str, Any]) -> bool:
    """Whether nothing asks for Lightning's attention at every single step.

    That is, the model trains as :class:`SequenceModel` does, without hooks of its own around a step, and the Trainer
    neither clips nor accumulates gradients.
    """
    return (
        isinstance(model, SequenceModel)
        and all(getattr(type(model), hook) is getattr(SequenceModel, hook) for hook in _STEP_HOOKS)
        and not set(trainer_arguments) & {"gradient_clip_val", "gradient_clip_algorithm", "accumulate_grad_batches"}
    )


def _trainer(max_steps: int, val_check_interval: int, callbacks: list[pl.Callback], **arguments: Any) -> pl.Trainer:
    return pl.Trainer(
        max_steps=max_steps,
        max_epochs=-1,
        val_check_interval=val_check_interval,
        check_val_every_n_epoch=None,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        **arguments,
    )


@contextmanager
def interrupts_reach_the_caller(trainer: pl.Trainer) -> Iterator[None]:
    """Lightning answers Ctrl-C by ending the program and disabling Ctrl-C; a search has something to say first."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as exit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from exit
