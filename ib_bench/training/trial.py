"""A trial: one training run of one configuration at one size, through Lightning's Trainer.

It ends when the validation loss goes below the threshold or the step budget is spent.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

import math
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from importlib.metadata import version
from typing import Any, NamedTuple

import lightning.pytorch as pl
import torch

from ib_bench import __version__
from ib_bench.data.searchable_data import SearchableData
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError
from ib_bench.models.cuda_graphs import StepGraphs
from ib_bench.models.metrics import METRIC_DEFINITION
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.trial_record import Confirmation, TrialConfig, TrialRecord
from ib_bench.training.acceleration import graph_obstacle
from ib_bench.training.confirmation import confirmation
from ib_bench.training.fitting import contained, silent, train
from ib_bench.training.global_state import fresh_global_state
from ib_bench.training.gradient_check import num_parameters
from ib_bench.training.instantiation import instantiate_model, instantiate_trial_data
from ib_bench.training.judgement import judged
from ib_bench.training.kernels import missing_kernels_explained
from ib_bench.training.memory import memory_errors_explained
from ib_bench.training.model_check import state_sizes
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
        """The weights of the model."""
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
        graphs = _graphs(config, model, data)
        trainer = train(model, data, config.max_steps, interval, [stopping], graphs, **arguments)
        num_steps = trainer.global_step
        if not stopping.curve or stopping.curve[-1][0] < num_steps:
            with contained(trainer):
                trainer.validate(model, datamodule=data, verbose=False)
        logged = {key.partition("/"): float(value) for key, value in trainer.callback_metrics.items()}
        metrics = {name: value for (split, _, name), value in logged.items() if split == "val"}
        confirmed = None
        if judged(stopping.curve, config.threshold) == "succeeded":
            trainer.callbacks.remove(stopping)  # type: ignore[attr-defined]  # later validations do not belong to the trial
            confirmed = confirmation(model, data, trainer)
        sizes = _state_sizes(model, data)
    device = trainer.strategy.root_device
    together = {"num_processes": str(trainer.world_size)} if trainer.world_size > 1 else {}
    replayed = {"replayed_steps": str(graphs.num_replayed)} if graphs is not None and graphs.num_replayed else {}
    environment = {"device": str(device), "platform": platform.platform(), **together, **replayed}
    validations = _Validations(stopping.curve, stopping.accuracies, metrics, confirmed)
    record = _record(config, validations, num_steps, interval, environment, clock.seconds())
    record = replace(record, num_parameters=num_parameters(model), state_sizes=sizes)
    return TrainedTrial(record, model, data, device)


def _graphs(config: TrialConfig, model: pl.LightningModule, data: object) -> StepGraphs | None:
    """What replays steps on a GPU; None where that is not wanted or not possible."""
    is_wanted = config.cuda_graph and not config.options.get("compile")
    return StepGraphs() if is_wanted and graph_obstacle(model, data, config.experiment.trainer) is None else None


def _state_sizes(model: pl.LightningModule, data: SearchableData) -> list[int]:
    """See :class:`TrialRecord`; a model without a known state size is trained, too."""
    if not isinstance(model, SequenceModel):
        return []
    was_training = model.training
    model.eval()
    try:
        return state_sizes(model, data.vocab_size)
    except Exception:
        return []
    finally:
        model.train(was_training)


def _futile_after(config: TrialConfig) -> float:
    """Optimizer steps from which on a trial may be futile."""
    share = config.options.get("futility")
    return math.inf if share is None else float(share) * config.max_steps


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
    environment: dict[str, str],
    seconds: tuple[float, float],
) -> TrialRecord:
    if num_steps > config.max_steps:
        raise BenchError(
            f"a training run took {num_steps:,} optimizer steps, more than search.max_steps, {config.max_steps:,}; "
            f"where a model takes several optimizer steps for a batch, search.max_steps must be a multiple of them"
        )
    curve = validations.curve
    finite = [(loss, step) for step, loss in curve if math.isfinite(loss)]
    best_loss, best_step = min(finite, default=(None, None))
    judgement = judged(curve, config.threshold, _futile_after(config)) if curve else None
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
        environment=environment,
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
