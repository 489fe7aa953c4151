"""The configurations of one size, trained side by side: a search that uses a whole machine."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch

from ib_bench.execution.executor import Emit, Executor, Lost
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training.sources import require_planned_code
from ib_bench.training.trial import Weights, train_trial


class _Order(NamedTuple):
    """One training.

    Attributes:
        config: of the trial.
        placement: arguments of the Trainer that say where.
        keep_weights: whether they are sent back.
    """

    config: TrialConfig
    placement: dict[str, Any]
    keep_weights: bool


class _Validation(NamedTuple):
    num_steps: int
    val_loss: float


class _Trained(NamedTuple):
    """What is sent back: weights as bytes, as a tensor's memory would have to be shared."""

    record: TrialRecord
    weights: bytes


class _Settled(Exception):
    """A success has settled the size."""


class Spread:
    """Trains configurations side by side, until one succeeds.

    Args:
        executor: with workers that can be stopped.
        placement: arguments of the Trainer that say where a trial runs.
    """

    def __init__(self, executor: Executor, placement: dict[str, Any]) -> None:
        self._executor = executor
        self._placement = placement

    def train(
        self,
        configs: Sequence[TrialConfig],
        keep_weights: bool,
        on_validation: Callable[[int, float], None],
        on_trial: Callable[[TrialRecord, Weights], None],
        exhaustive: bool,
    ) -> None:
        """Train.

        Args:
            configs: in the order in which training runs start.
            keep_weights: whether ``on_trial`` is given the weights; otherwise it gets none.
            on_validation: receives the steps and the loss of every validation, whichever trial it is of.
            on_trial: receives every trial as soon as it has ended.
            exhaustive: go on after a success; otherwise it stops the trials that are under way.

        Raises:
            Exception: what one of the training runs has raised.
        """

        def on_event(index: int, event: _Validation | _Trained | Lost) -> None:
            if isinstance(event, _Validation):
                on_validation(*event)
            elif isinstance(event, _Trained):
                on_trial(event.record, _unpacked(event.weights))
                if event.record.succeeded and not exhaustive:
                    raise _Settled

        orders = [_Order(config, self._placement, keep_weights) for config in configs]
        try:
            outcomes = self._executor.run(_train, orders, on_event)
        except _Settled:
            return
        for outcome in outcomes:
            if outcome.error is not None:
                raise outcome.error


def _train(order: _Order, emit: Emit) -> None:
    require_planned_code(order.config.experiment)
    trained = train_trial(order.config, order.placement, lambda *validation: emit(_Validation(*validation)))
    emit(_Trained(trained.record, _packed(trained.weights if order.keep_weights else {})))


def _packed(weights: Weights) -> bytes:
    buffer = io.BytesIO()
    torch.save(weights, buffer)
    return buffer.getvalue()


def _unpacked(weights: bytes) -> Weights:
    loaded: Weights = torch.load(io.BytesIO(weights), weights_only=True)
    return loaded
