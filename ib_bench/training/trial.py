"""A trial: one training of one configuration at one size, through Lightning's Trainer.

It ends when the validation loss goes below the threshold or the step budget is spent.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

import logging
import math
import platform
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.seed import seed_everything
from lightning.pytorch.utilities.seed import isolate_rng

from ib_bench.data.batches import TrainBatches
from ib_bench.models.metrics import METRIC_DEFINITION
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.records import TrialConfig, TrialRecord
from ib_bench.training.instantiation import instantiate_data, instantiate_model
from ib_bench.training.step_chunks import StepChunks
from ib_bench.training.threshold_stopping import ThresholdStopping
from ib_bench.training.validation_cadence import validation_interval

_PACKAGES = ("ib_bench", "torch", "lightning", "torchmetrics", "numpy")

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


def run_trial(
    config: TrialConfig,
    placement: dict[str, Any] | None = None,
    on_validation: Callable[[int, float], None] | None = None,
) -> TrialRecord:
    """Train once.

    Args:
        config: everything that determines the result.
        placement: arguments of the Trainer that say where, see :data:`PLACEMENT`.
        on_validation: is told the optimizer steps and the loss of every validation.

    Returns:
        The record; a loss that is not finite ends the trial with status ``diverged``.
    """
    start_wall, start_process = time.perf_counter(), time.process_time()
    with _isolated(config.seed, config.num_threads):
        experiment = config.experiment
        data = instantiate_data(experiment.data, num_train_sequences=config.num_train_sequences, seed=config.seed)
        model = instantiate_model(experiment.model, data, learning_rate=config.learning_rate)
        stopping = ThresholdStopping(config.threshold, on_validation)
        interval = config.val_check_interval or _default_interval(data, config.max_steps)
        trainer = train(model, data, config.max_steps, interval, [stopping], **experiment.trainer, **(placement or {}))
        num_steps = trainer.global_step
        if not stopping.curve or stopping.curve[-1][0] < num_steps:
            with _interrupts_reach_the_caller(trainer):
                trainer.validate(model, datamodule=data, verbose=False)
    finite = [(loss, step) for step, loss in stopping.curve if math.isfinite(loss)]
    best_loss, best_step = min(finite, default=(None, None))
    metrics = {key.partition("/")[2]: float(value) for key, value in trainer.callback_metrics.items() if "val/" in key}
    return TrialRecord(
        key=config.key,
        config=config.to_json(),
        status="succeeded" if stopping.succeeded else "diverged" if stopping.diverged else "failed",
        num_steps=num_steps,
        best_val_loss=best_loss,
        best_step=best_step,
        val_check_interval=interval,
        val_curve=[(step, _finite(loss)) for step, loss in stopping.curve],
        metrics={name: _finite(value) for name, value in metrics.items()},
        metric_definition=METRIC_DEFINITION,
        wall_time_s=time.perf_counter() - start_wall,
        process_time_s=time.process_time() - start_process,
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        environment={"device": str(trainer.strategy.root_device), "platform": platform.platform()},
        finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


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
        with _interrupts_reach_the_caller(trainer):
            trainer.fit(model, datamodule=data)
        return trainer
    chunks = StepChunks(batches, interval, max_steps)
    trainer = _trainer(max_steps, chunks.chunks_per_interval, callbacks, **arguments)
    model.automatic_optimization = False
    with _interrupts_reach_the_caller(trainer):
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


def _default_interval(data: Any, max_steps: int) -> int:
    num_val_tokens = sum(batch[0].numel() for batch in data.val_dataloader())
    first_batch = next(iter(data.train_dataloader()))
    return validation_interval(num_val_tokens, first_batch[0].numel(), max_steps)


@contextmanager
def _isolated(seed: int, num_threads: int) -> Iterator[None]:
    """The trial's own randomness, threads and silence; the caller's are given back afterwards."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels, threads = [logger.level for logger in loggers], torch.get_num_threads()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    torch.set_num_threads(num_threads)
    try:
        with isolate_rng(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning's, of torch
            seed_everything(seed, workers=False, verbose=False)
            yield
    finally:
        torch.set_num_threads(threads)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _interrupts_reach_the_caller(trainer: pl.Trainer) -> Iterator[None]:
    """Lightning answers Ctrl-C by ending the program and disabling Ctrl-C; a search has something to say first."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as exit:
        if not trainer.interrupted:
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from exit


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
