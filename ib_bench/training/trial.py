"""A trial: one training of one configuration at one size, through Lightning's Trainer.

It ends when the validation loss goes below the threshold or the step budget is spent.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.seed import seed_everything
from lightning.pytorch.utilities.seed import isolate_rng

from ib_bench.data.searchable_data import SearchableData
from ib_bench.models.metrics import METRIC_DEFINITION
from ib_bench.results.records import TrialConfig, TrialRecord
from ib_bench.training.fitting import interrupts_reach_the_caller, silent, train
from ib_bench.training.instantiation import instantiate_data, instantiate_model
from ib_bench.training.threshold_stopping import ThresholdStopping
from ib_bench.training.validation_cadence import validation_interval

_PACKAGES = ("ib_bench", "torch", "lightning", "torchmetrics", "numpy")


class TrainedTrial(NamedTuple):
    """A trial's record, and what was trained.

    Attributes:
        record: of the trial.
        model: after training, on the CPU.
        data: that it was trained on.
        device: that it was trained on.
    """

    record: TrialRecord
    model: pl.LightningModule
    data: SearchableData
    device: torch.device


def run_trial(
    config: TrialConfig,
    placement: dict[str, Any] | None = None,
    on_validation: Callable[[int, float], None] | None = None,
) -> TrialRecord:
    """Train once; arguments and result as :func:`train_trial`, without the model."""
    return train_trial(config, placement, on_validation).record


def train_trial(
    config: TrialConfig,
    placement: dict[str, Any] | None = None,
    on_validation: Callable[[int, float], None] | None = None,
) -> TrainedTrial:
    """Train once.

    Args:
        config: everything that determines the result.
        placement: arguments of the Trainer that say where, see :data:`~ib_bench.training.fitting.PLACEMENT`.
        on_validation: is told the optimizer steps and the loss of every validation.

    Returns:
        The record and what was trained; a loss that is not finite ends the trial with status ``diverged``.
    """
    start_wall, start_process = time.perf_counter(), time.process_time()
    with _isolated(config.seed, config.num_threads):
        experiment = config.experiment
        data = instantiate_data(experiment.data, num_train_sequences=config.num_train_sequences, seed=config.seed)
        model = instantiate_model(experiment.model, data, learning_rate=config.learning_rate)
        data.prepare_data()
        data.setup("fit")  # the loaders are looked at before Lightning does this itself
        stopping = ThresholdStopping(config.threshold, on_validation)
        interval = config.val_check_interval or _default_interval(data, config.max_steps)
        arguments = {"devices": 1, **experiment.trainer, **(placement or {})}
        trainer = train(model, data, config.max_steps, interval, [stopping], **arguments)
        num_steps = trainer.global_step
        if not stopping.curve or stopping.curve[-1][0] < num_steps:
            with interrupts_reach_the_caller(trainer):
                trainer.validate(model, datamodule=data, verbose=False)
    finite = [(loss, step) for step, loss in stopping.curve if math.isfinite(loss)]
    best_loss, best_step = min(finite, default=(None, None))
    logged = {key.partition("/"): float(value) for key, value in trainer.callback_metrics.items()}
    metrics = {name: value for (split, _, name), value in logged.items() if split == "val"}
    record = TrialRecord(
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
    return TrainedTrial(record, model, data, trainer.strategy.root_device)


def _default_interval(data: Any, max_steps: int) -> int:
    num_val_tokens = sum(batch[0].numel() for batch in data.val_dataloader())
    first_batch = next(iter(data.train_dataloader()))
    return validation_interval(num_val_tokens, first_batch[0].numel(), max_steps)


@contextmanager
def _isolated(seed: int, num_threads: int) -> Iterator[None]:
    """The trial's own randomness, threads and silence; the caller's are given back afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        with silent(), isolate_rng():
            seed_everything(seed, workers=False, verbose=False)
            yield
    finally:
        torch.set_num_threads(threads)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
