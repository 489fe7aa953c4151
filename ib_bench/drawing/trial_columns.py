"""The columns of trials."""

from __future__ import annotations

from collections.abc import Sequence

from ib_bench.drawing.columns import CHOICES, LABELS, Column
from ib_bench.results.trial_record import TrialRecord


def _sizes(trials: Sequence[TrialRecord]) -> list[str]:
    """Sizes for people; that of a saturated trial says so, as it is no training set of the pool."""
    return [f"{'saturated ' if one.config.saturated else ''}{one.config.num_train_sequences:,}" for one in trials]


TRIAL_COLUMNS: tuple[Column[TrialRecord], ...] = (
    *LABELS,
    Column("num_train_sequences", lambda trial: trial.config.num_train_sequences, "N", texts=_sizes),
    Column("saturated", lambda trial: trial.config.saturated),
    Column("learning_rate", lambda trial: trial.config.learning_rate, "rate"),
    Column("seed", lambda trial: trial.config.seed, "seed"),
    Column("status", lambda trial: trial.status, "status"),
    Column("num_steps", lambda trial: trial.num_steps, "steps", "{:,}".format),
    Column("best_val_loss", lambda trial: trial.best_val_loss, "loss"),
    Column("confirmed", lambda trial: trial.confirmed, "confirmed", {True: "yes", False: "no", None: ""}.__getitem__),
    Column("confirmation_loss", lambda trial: None if trial.confirmation is None else trial.confirmation.loss),
    Column("num_confirming", lambda trial: 0 if trial.confirmation is None else trial.confirmation.num_sequences),
    Column("best_step", lambda trial: trial.best_step),
    Column("num_parameters", lambda trial: trial.num_parameters),
    Column("state_sizes", lambda trial: list(trial.state_sizes)),
    Column("wall_time_s", lambda trial: trial.wall_time_s, "s"),
    Column("process_time_s", lambda trial: trial.process_time_s),
    Column("finished_at", lambda trial: trial.finished_at),
    *CHOICES,
    Column("threshold", lambda trial: trial.config.threshold, is_label=True),
    Column("max_steps", lambda trial: trial.config.max_steps, is_label=True),
    Column("num_threads", lambda trial: trial.config.num_threads, is_label=True),
    Column("options", lambda trial: trial.config.options, is_label=True),
    Column("val_check_interval", lambda trial: trial.val_check_interval),
    Column("metrics", lambda trial: trial.metrics),
    Column("metric_definition", lambda trial: trial.metric_definition),
    Column("versions", lambda trial: trial.versions, is_label=True),
    Column("environment", lambda trial: trial.environment, is_label=True),
    Column("val_curve", lambda trial: [list(point) for point in trial.val_curve]),
    Column("val_accuracies", lambda trial: trial.val_accuracies),
)
"""Everything about a trial, in order."""
