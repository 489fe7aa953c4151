"""Length extrapolation: train on lengths up to L, with as many sequences as there are, and test at multiples of L.

The model is the first configuration of the grid that succeeds at the largest training set, or the one with the lowest
validation loss if none does.

Reference: arXiv 2602.18333, section 5; the multiple 2 is the paper's, the others are ours.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timezone
from typing import Protocol, TypeVar

from ib_bench.quantities.extrapolation.record import ExtrapolationConfig, ExtrapolationRecord, LengthAccuracy
from ib_bench.results.record_store import RecordStore
from ib_bench.results.trial_record import TrialConfig, TrialRecord


class Trained(Protocol):
    """The result of training: the trial's record, and more that only the evaluation uses."""

    @property
    def record(self) -> TrialRecord:
        """The record of the trial."""


AnyTrained = TypeVar("AnyTrained", bound=Trained)
T = TypeVar("T")


def extrapolate(
    config: ExtrapolationConfig,
    pool_size: int,
    num_states: int | None,
    store: RecordStore,
    train: Callable[[TrialConfig], AnyTrained],
    evaluate: Callable[[AnyTrained], list[LengthAccuracy]],
) -> ExtrapolationRecord:
    """Measure.

    Args:
        config: by whose key the result is stored; its search settings say the grid and the largest training set.
        pool_size: number of training sequences that exist; with 0 nothing is trained, and nothing measured.
        num_states: number of the task's states.
        store: trials found there are not trained again, unless one of them is the one whose model is wanted.
        train: trains.
        evaluate: measures a trained model at all lengths.
    """
    size = min(config.search.max_size, pool_size)
    trained = _train_best(config, size, store, train) if size else None
    record = ExtrapolationRecord(
        key=config.key,
        config=config,
        num_train_sequences=size,
        trial=None if trained is None else trained.record.key,
        trial_succeeded=trained is not None and trained.record.succeeded,
        accuracies=[] if trained is None else evaluate(trained),
        finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        num_states=num_states,
    )
    store.add(record)
    return record


def chosen_trial(
    config: ExtrapolationConfig, size: int, find: Callable[[TrialConfig], TrialRecord | None]
) -> TrialRecord | None:
    """The trial whose model is evaluated, as :func:`extrapolate` chooses it.

    Args:
        config: that says the grid.
        size: of the training set.
        find: returns the trial of a config; None where it is not there, and then the choice is among the others.

    Returns:
        None where none is there.
    """
    found = map(find, config.search.grid_configs(config.experiment, size))
    chosen = _chosen((record, None) for record in found if record is not None)
    return None if chosen is None else chosen[0]


def _train_best(
    config: ExtrapolationConfig, size: int, store: RecordStore, train: Callable[[TrialConfig], AnyTrained]
) -> AnyTrained:
    """The first configuration that succeeds, or else the one with the lowest validation loss, trained."""

    def tried() -> Iterator[tuple[TrialRecord, AnyTrained | None]]:
        for trial_config in config.search.grid_configs(config.experiment, size):
            record = store.get(TrialRecord, trial_config.key)
            if record is not None:
                yield record, None
            else:
                trained = train(trial_config)
                store.add(trained.record)
                yield trained.record, trained

    chosen = _chosen(tried())
    assert chosen is not None, "a grid is never empty"
    record, trained = chosen
    if trained is not None:
        return trained
    again = train(record.config)
    if again.record.status != record.status:
        warnings.warn(
            f"trial {record.key[:10]} is stored as {record.status}, and has {again.record.status} when it was trained "
            f"again on this machine to get its model; the accuracies are those of the latter",
            stacklevel=2,
        )
    return again


def _chosen(tried: Iterable[tuple[TrialRecord, T]]) -> tuple[TrialRecord, T] | None:
    """The first trial that succeeds, which ends the trying, or else the best; with what belongs to it."""
    best: tuple[TrialRecord, T] | None = None
    for record, own in tried:
        if record.is_better_than(None if best is None else best[0]):
            best = record, own
        if record.succeeded:
            break
    return best
