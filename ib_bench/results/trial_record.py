"""Trials: one training run of one configuration at one size."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from ib_bench.plain_text import number_of
from ib_bench.results.identity import NOT_IDENTIFYING
from ib_bench.results.records import Config, Count, Experiment, Key, Record, Seconds

Measure = Literal["loss", "accuracy"]
"""By which a trial is judged: its validation loss, or the final-state accuracy of the validation set."""

TrialStatus = Literal["succeeded", "failed", "diverged", "futile"]

_MAX_SECONDS = 1e12
"""Of a trial, 30,000 years: the sum over all trials of a store is finite."""


@dataclass(frozen=True)
class TrialConfig(Config):
    """One training run of one configuration at one size.

    Attributes:
        experiment: model, data and trainer.
        num_train_sequences: size of the training set, N.
        learning_rate: of the optimizer.
        seed: of initialisation, dropout, data and order.
        threshold: validation loss below which the trial succeeds, epsilon, in nats.
        max_steps: step budget.
        val_check_interval: optimizer steps between validations (batches, where a step takes several of them), or None
            for the rule of the training code.
        num_threads: CPU threads of each training run; they change the order of sums, and so the last bits.
        options: how the training run departs from the plain protocol, such as ``{"compile": True}``. With ``data_seed``
            or ``model_seed``, the seed of the trial does not move the data, or not the model.
        cuda_graph: whether steps may be replayed as a CUDA graph, which changes no number.
    """

    experiment: Experiment
    num_train_sequences: Count
    learning_rate: float
    seed: Count
    threshold: float
    max_steps: Count
    val_check_interval: Count | None
    num_threads: Count
    options: dict[str, Any] = field(default_factory=dict)
    cuda_graph: bool = field(default=True, metadata=NOT_IDENTIFYING, compare=False)

    @property
    def data_seed(self) -> int:
        """The seed of training set, validation set and order."""
        return int(self.options.get("data_seed", self.seed))

    @property
    def model_seed(self) -> int:
        """The seed of initialisation and dropout."""
        return int(self.options.get("model_seed", self.seed))

    @property
    def saturated(self) -> bool:
        """Whether it trains on all sequences that exist and validates on the same."""
        return bool(self.options.get("saturated"))

    def on_all_sequences(self, number: int) -> TrialConfig:
        """The same configuration in a saturated evaluation.

        Args:
            number: of all sequences that exist.
        """
        return replace(self, num_train_sequences=number, options={**self.options, "saturated": True})


@dataclass(frozen=True)
class Confirmation:
    """The loss of a trial that succeeded, on sequences that neither training nor validation has seen.

    A trial validates many times and stops at the first loss below the threshold, so some of these losses are low by
    luck. This one is measured once, at the weights of the success.

    Attributes:
        loss: in nats; None if not finite.
        num_sequences: that it is the mean over.
    """

    loss: float | None
    num_sequences: Count


@dataclass(frozen=True)
class TrialRecord(Record):
    """The result of a trial.

    Attributes:
        key: of the config.
        config: what was trained.
        status: ``succeeded`` (below the threshold), ``failed`` (budget spent), ``diverged`` (loss not finite) or
            ``futile`` (ended by the futility rule).
        num_steps: optimizer steps taken, at most the budget.
        best_val_loss: lowest validation loss, in nats, or None if it never was finite.
        best_step: optimizer steps after which that was seen.
        val_check_interval: optimizer steps between validations; batches, where a step takes several of them.
        val_curve: pairs of optimizer steps and validation loss; None where the loss was not finite.
        metrics: all validation metrics at the end of training, by name; None where not finite.
        metric_definition: version of the metrics' definitions.
        wall_time_s: time from the start of set-up to the end.
        process_time_s: CPU time of this process, all threads, over the same span.
        versions: of Python and the packages that compute.
        environment: device and platform; the number of processes that trained together if there were several, and of
            steps that were replayed as a CUDA graph if some were.
        finished_at: UTC, ISO 8601.
        confirmation: loss of a success on a second held-out set; None for other trials, where the training set leaves
            too few sequences, for data of one's own, and in records of earlier versions.
        val_accuracies: final-state accuracy at each point of the validation curve, rounded to 6 digits; None where
            the model does not log it. Empty in records of earlier versions.
        num_parameters: to be trained; None in records of earlier versions.
        state_sizes: numbers that the model carries from token to token, after 4 and after 8 tokens; empty where that is
            unknown, and where ``num_parameters`` is None.

    Raises:
        ValueError: the fields contradict each other, so that no training run can have led to them.
    """

    table: ClassVar[str] = "trials"
    incidental: ClassVar[frozenset[str]] = frozenset(
        {"wall_time_s", "process_time_s", "versions", "environment", "finished_at"}
        | {"confirmation", "val_accuracies", "num_parameters", "state_sizes"}  # earlier versions did not measure them
    )
    headline: ClassVar[tuple[str, ...]] = ("status", "best_val_loss", "num_steps")

    key: Key
    config: TrialConfig
    status: TrialStatus
    num_steps: Count
    best_val_loss: float | None
    best_step: Count | None
    val_check_interval: Count
    val_curve: list[tuple[Count, float | None]]
    metrics: dict[str, float | None]
    metric_definition: str
    wall_time_s: Seconds
    process_time_s: Seconds
    versions: dict[str, str]
    environment: dict[str, str]
    finished_at: str
    confirmation: Confirmation | None = None
    val_accuracies: list[float | None] = field(default_factory=list)
    num_parameters: Count | None = None
    state_sizes: list[Count] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.num_steps > self.config.max_steps:
            raise ValueError(f"a trial took {self.num_steps} steps of a budget of {self.config.max_steps}")
        steps = [step for step, _ in self.val_curve]
        if steps != sorted(steps) or (steps and steps[-1] > self.num_steps):
            raise ValueError(f"the validation curve is out of order, or longer than the {self.num_steps} steps taken")
        lowest = min((loss for _, loss in self.val_curve if loss is not None), default=None)
        if self.best_val_loss != lowest:
            raise ValueError(f"best_val_loss is {self.best_val_loss}, but the lowest of the curve is {lowest}")
        best_steps = [None] if lowest is None else [step for step, loss in self.val_curve if loss == lowest]
        if self.best_step not in best_steps:
            raise ValueError(f"best_step is {self.best_step}, where the validation curve does not have its lowest loss")
        if self.val_accuracies and len(self.val_accuracies) != len(self.val_curve):
            raise ValueError(f"{len(self.val_accuracies)} accuracies belong to {len(self.val_curve)} validations")
        if len(self.state_sizes) not in (0, 2):
            raise ValueError(f"state_sizes has {number_of(len(self.state_sizes), 'numbers')}; it has two, or none")
        for name in ("wall_time_s", "process_time_s"):
            if not 0 <= getattr(self, name) <= _MAX_SECONDS:
                raise ValueError(f"{name} is {getattr(self, name):g}, which is not in 0..{_MAX_SECONDS:g}")
        self._check_status()

    def _check_status(self) -> None:
        """Raise ValueError where the curve cannot have led to the status.

        A trial that failed may have spent less than its budget, as a model's own callback can end it.
        """
        loss, threshold = self.best_val_loss, self.config.threshold
        if self.succeeded and (loss is None or loss >= threshold):
            raise ValueError(f"a trial succeeded with a loss of {loss}, which is not below its threshold, {threshold}")
        if self.status == "diverged" and (not self.val_curve or self.val_curve[-1][1] is not None):
            raise ValueError("a trial diverged, but the last loss of its validation curve is finite")
        if self.status == "futile" and "futility" not in self.config.options:
            raise ValueError("a trial is futile, but its config has no futility rule")
        if self.confirmation is not None and not self.succeeded:
            raise ValueError(f"a trial that has {self.status} cannot be confirmed")

    @property
    def title(self) -> str:
        """The experiment with the training set size, the learning rate and the seed."""
        config = self.config
        size = f"N={config.num_train_sequences:,}{' (saturated)' if config.saturated else ''}"
        parts = [size, f"rate {config.learning_rate:g}", f"seed {config.seed}"]
        return " \N{MIDDLE DOT} ".join([super().title, *parts])

    @property
    def succeeded(self) -> bool:
        """Whether the validation loss went below the threshold."""
        return self.status == "succeeded"

    @property
    def confirmed(self) -> bool | None:
        """Whether the loss on the second held-out set is below the threshold too; None if it was not measured."""
        if self.confirmation is None:
            return None
        return self.confirmation.loss is not None and self.confirmation.loss < self.config.threshold

    def reached(self, measure: Measure, threshold: float) -> bool | None:
        """Whether a validation got to another threshold than the trial's own.

        Args:
            measure: the loss has to fall below the threshold; the accuracy has to reach it.
            threshold: in nats, or a share.

        Returns:
            True if one did. False if none did, and more training would not be part of the trial: its budget was spent,
            or it diverged or was futile. None if it stopped before, at its success, or its accuracies are not recorded.
        """
        if measure == "loss":
            has_reached = any(loss is not None and loss < threshold for _, loss in self.val_curve)
            is_whole = not self.succeeded
        else:
            recorded = self.val_accuracies or [self.metrics.get("final_state_accuracy")]  # older records have only this
            has_reached = any(accuracy is not None and accuracy >= threshold for accuracy in recorded)
            is_whole = not self.succeeded and len(self.val_accuracies) == len(self.val_curve) and None not in recorded
        if has_reached:
            return True
        return False if is_whole else None

    def is_better_than(self, other: TrialRecord | None) -> bool:
        """Whether it replaces the best trial before it in the grid: the first success, else the lowest loss, is best.

        Args:
            other: the best so far, or None.
        """
        if other is None:
            return True
        losses = [math.inf if trial.best_val_loss is None else trial.best_val_loss for trial in (self, other)]
        return not other.succeeded and (self.succeeded or losses[0] < losses[1])
