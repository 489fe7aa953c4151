"""A trial: one training of one configuration at one size, through Lightning's Trainer.

It ends when the validation loss goes below the threshold or the step budget is spent.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.seed import seed_everything

from ib_bench import __version__
from ib_bench.data.searchable_data import SearchableData
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError
from ib_bench.models.metrics import METRIC_DEFINITION
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.trial_record import Confirmation, TrialConfig, TrialRecord
from ib_bench.training.confirmation import confirmation
from ib_bench.training.fitting import contained, quiet_trainer, silent, train, train_stacked
from ib_bench.training.global_state import fresh_global_state
from ib_bench.training.instantiation import instantiate_model, instantiate_trial_data
from ib_bench.training.judgement import judged
from ib_bench.training.kernels import missing_kernels_explained
from ib_bench.training.memory import memory_errors_explained
from ib_bench.training.stacking import Member, StackedModel
from ib_bench.training.threshold_stopping import ThresholdStopping
from ib_bench.training.validation_cadence import validation_interval

_ACCURACY_DIGITS = 6

_PACKAGES = ("torch", "lightning", "torchmetrics", "numpy")


Weights = dict[str, Any]
"""A model's ``state_dict``."""


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

    @property
    def weights(self) -> Weights:
        """Of the model."""
        return self.model.state_dict()


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
        on_validation: receives the optimizer steps and the loss of every validation.

    Returns:
        The record and what was trained; a loss that is not finite ends the trial with status ``diverged``.

    Raises:
        BenchError: the model took more optimizer steps than the budget allows, or memory or a kernel is missing.
    """
    clock = _Clock()
    with _alone(config):
        experiment = config.experiment
        data = instantiate_trial_data(config)
        model = instantiate_model(experiment.model, data, learning_rate=config.learning_rate)
        data.prepare_data()
        data.setup("fit")  # the loaders are looked at before Lightning does this itself
        stopping = ThresholdStopping(config.threshold, on_validation, _futile_after(config))
        interval = config.val_check_interval or _default_interval(data, config.max_steps)
        arguments = {"devices": 1, **experiment.trainer, **(placement or {})}
        if config.options.get("compile"):
            assert isinstance(model, SequenceModel) and isinstance(data, StateTrackingData), "see acceleration.py"
            model.compile_steps(data.batch_size)
        trainer = train(model, data, config.max_steps, interval, [stopping], **arguments)
        num_steps = trainer.global_step
        if not stopping.curve or stopping.curve[-1][0] < num_steps:
            with contained(trainer):
                trainer.validate(model, datamodule=data, verbose=False)
        logged = {key.partition("/"): float(value) for key, value in trainer.callback_metrics.items()}
        metrics = {name: value for (split, _, name), value in logged.items() if split == "val"}
        confirmed = None
        if judged(stopping.curve, config.threshold) == "succeeded":
            trainer.callbacks.remove(stopping)  # type: ignore[attr-defined]  # what follows is no validation of the trial
            confirmed = confirmation(model, data, trainer)
    device = trainer.strategy.root_device
    num_processes = trainer.world_size
    validations = _Validations(stopping.curve, stopping.accuracies, metrics, confirmed)
    record = _record(config, validations, num_steps, interval, device, clock.seconds(), num_processes)
    return TrainedTrial(record, model, data, device)


def train_stack(
    configs: Sequence[TrialConfig],
    exhaustive: bool,
    placement: dict[str, Any] | None = None,
    on_validation: Callable[[int, float], None] | None = None,
) -> list[TrainedTrial]:
    """Train configurations that differ in nothing but learning rate and seed as one, see :mod:`.stacking`.

    Args:
        configs: whose model is stackable, at least one.
        exhaustive: train all of them to their end, also after a success.
        placement: as of :func:`train_trial`.
        on_validation: receives the optimizer steps and the lowest loss of every validation.

    Returns:
        The trials that have ended; those that the first success interrupts have not.
    """
    clock = _Clock()
    first = configs[0]
    by_data = {config.data_seed: config for config in configs}
    with _alone(first):
        data = [instantiate_trial_data(config) for config in by_data.values()]
        places = [list(by_data).index(config.data_seed) for config in configs]
        models = [_initialized(config, data[place]) for config, place in zip(configs, places, strict=True)]
        members = [Member(model, place) for model, place in zip(models, places, strict=True)]
        stack = StackedModel(members, first.threshold, exhaustive, _futile_after(first), on_validation)
        interval = first.val_check_interval or _default_interval(data[0], first.max_steps)
        arguments = {"devices": 1, **first.experiment.trainer, **(placement or {})}
        trainer = train_stacked(stack, data, first.max_steps, interval, **arguments)
        confirmed = {
            index: confirmation(stack.unstack(index), data[places[index]], quiet_trainer(**arguments))
            for index, member in enumerate(members)
            if member.curve and judged(member.curve, first.threshold) == "succeeded"
        }
    device = trainer.strategy.root_device
    ended = [index for index, member in enumerate(members) if member.ended or trainer.global_step == first.max_steps]
    wall_time_s, process_time_s = (seconds / max(len(ended), 1) for seconds in clock.seconds())
    trials = []
    for index in ended:
        member, seconds = members[index], (wall_time_s, process_time_s)
        validations = _Validations(member.curve, member.accuracies, member.metrics, confirmed.get(index))
        record = _record(configs[index], validations, member.curve[-1][0], interval, device, seconds)
        trials.append(TrainedTrial(record, stack.unstack(index), data[places[index]], device))
    return trials


def _futile_after(config: TrialConfig) -> float:
    """Optimizer steps from which on a trial may be futile."""
    share = config.options.get("futility")
    return math.inf if share is None else float(share) * config.max_steps


def _initialized(config: TrialConfig, data: SearchableData) -> SequenceModel:
    """The model as a training of its own would find it."""
    seed_everything(config.model_seed, workers=False, verbose=False)
    model = instantiate_model(config.experiment.model, data, learning_rate=config.learning_rate)
    assert isinstance(model, SequenceModel), "only sequence models are stackable"
    return model


class _Clock:
    """Wall time and CPU time of this process, all threads, since it was made."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def seconds(self) -> tuple[float, float]:
        """Both, in seconds."""
        return time.perf_counter() - self._start[0], time.process_time() - self._start[1]


class _Validations(NamedTuple):
    """What was seen of a trial; see the fields of :class:`TrialRecord`."""

    curve: list[tuple[int, float]]
    accuracies: list[float]
    metrics: dict[str, float]
    confirmation: Confirmation | None


def _record(
    config: TrialConfig,
    validations: _Validations,
    num_steps: int,
    interval: int,
    device: torch.device,
    seconds: tuple[float, float],
    num_processes: int = 1,
) -> TrialRecord:
    if num_steps > config.max_steps:
        raise BenchError(
            f"a training took {num_steps:,} optimizer steps, more than search.max_steps, {config.max_steps:,}; where a "
            f"model takes several optimizer steps for a batch, search.max_steps must be a multiple of their number"
        )
    curve = validations.curve
    finite = [(loss, step) for step, loss in curve if math.isfinite(loss)]
    best_loss, best_step = min(finite, default=(None, None))
    judgement = judged(curve, config.threshold, _futile_after(config)) if curve else None
    together = {"num_processes": str(num_processes)} if num_processes > 1 else {}
    return TrialRecord(
        key=config.key,
        config=config,
        status=judgement if judgement and (judgement != "futile" or num_steps < config.max_steps) else "failed",
        num_steps=num_steps,
        best_val_loss=best_loss,
        best_step=best_step,
        val_check_interval=interval,
        val_curve=[(step, _finite(loss)) for step, loss in curve],
        metrics={name: _finite(value) for name, value in validations.metrics.items()},
        metric_definition=METRIC_DEFINITION,
        wall_time_s=seconds[0],
        process_time_s=seconds[1],
        versions={
            "python": platform.python_version(),
            "ib_bench": __version__,
            **{name: version(name) for name in _PACKAGES},
        },
        environment={"device": str(device), "platform": platform.platform(), **together},
        finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        confirmation=validations.confirmation,
        val_accuracies=[_finite(round(accuracy, _ACCURACY_DIGITS)) for accuracy in validations.accuracies],
    )


def _default_interval(data: Any, max_steps: int) -> int:
    num_val_tokens = sum(batch[0].numel() for batch in data.val_dataloader())
    first_batch = next(iter(data.train_dataloader()))
    return validation_interval(num_val_tokens, first_batch[0].numel(), max_steps)


@contextmanager
def _alone(config: TrialConfig) -> Iterator[None]:
    """Around a training: its own global state, silence, and errors in one sentence."""
    state = fresh_global_state(config.model_seed, config.num_threads)
    kernels = missing_kernels_explained(config.experiment.trainer.get("precision"))
    with silent(), state, memory_errors_explained(config), kernels:
        yield


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
