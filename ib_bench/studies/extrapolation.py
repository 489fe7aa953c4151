"""Length extrapolation: train on lengths up to L, with as many sequences as there are, and test at multiples of L.

The model is the first configuration of the grid that succeeds at the largest training set, or the one with the lowest
validation loss if none does.

Reference: arXiv 2602.18333, section 5; the multiple 2 is the paper's, the others are ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Protocol, TypeVar

from ib_bench.errors import require
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import (
    Experiment,
    ExtrapolationConfig,
    ExtrapolationRecord,
    LengthAccuracy,
    TrialConfig,
    TrialRecord,
)
from ib_bench.studies.search import SearchSettings, grid_configs

HEADLINE_MULTIPLE = 2.0


class Trained(Protocol):
    """What training returns: the trial's record, and more that only the evaluation looks at."""

    @property
    def record(self) -> TrialRecord:
        """Of the trial."""


AnyTrained = TypeVar("AnyTrained", bound=Trained)


@dataclass(frozen=True)
class ExtrapolationSettings:
    """Where accuracy is measured.

    Args:
        multiples: of the training length L, each at least 1 and at most 16.
        num_sequences: sequences at each length, at least 1; at L itself, the held-out ones of that length if they are
            fewer.

    Raises:
        InvalidOptionError: a value outside its range.
    """

    multiples: list[float] = field(default_factory=lambda: [1.0, 1.5, 2.0, 4.0, 8.0, 16.0])
    num_sequences: int = 1000

    def __post_init__(self) -> None:
        in_range = bool(self.multiples) and all(1 <= multiple <= 16 for multiple in self.multiples)
        allowed = "a list of at least one number, each in 1..16"
        require(in_range, "extrapolation.multiples", self.multiples, allowed)
        num = self.num_sequences
        require(num >= 1, "extrapolation.num_sequences", num, "an integer of at least 1")

    def lengths(self, max_length: int) -> list[int]:
        """The lengths in symbols, ascending, none twice."""
        return sorted({round(multiple * max_length) for multiple in self.multiples})


def extrapolate(
    config: ExtrapolationConfig,
    settings: SearchSettings,
    pool_size: int,
    store: RecordStore,
    train: Callable[[TrialConfig], AnyTrained],
    evaluate: Callable[[AnyTrained], list[LengthAccuracy]],
    kept: AnyTrained | None = None,
) -> ExtrapolationRecord:
    """Measure, or return what the store says.

    Args:
        config: by whose key the result is stored.
        settings: of the grid and the largest training set.
        pool_size: number of training sequences that exist; with 0 nothing is trained, and nothing measured.
        store: trials found there are not trained again, unless one of them is the one whose model is wanted.
        train: trains.
        evaluate: measures a trained model at all lengths.
        kept: the best of the grid, if it is there already.
    """
    done = store.extrapolation(config.key)
    if done is not None:
        return done
    size = min(settings.max_size, pool_size)
    trained = kept
    if trained is None and size:
        trained = _train_best(config.experiment, settings, size, store, train)
    record = ExtrapolationRecord(
        key=config.key,
        config=config.to_json(),
        labels=config.experiment.labels(),
        num_train_sequences=size,
        trial=None if trained is None else trained.record.key,
        trial_succeeded=trained is not None and trained.record.succeeded,
        accuracies=[] if trained is None else evaluate(trained),
        finished_at=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )
    store.add_extrapolation(record)
    return record


def _train_best(
    experiment: Experiment,
    settings: SearchSettings,
    size: int,
    store: RecordStore,
    train: Callable[[TrialConfig], AnyTrained],
) -> AnyTrained:
    """The first configuration that succeeds, or else the one with the lowest validation loss, trained."""
    best: TrialRecord | None = None
    best_config, best_trained = None, None
    for config in grid_configs(experiment, settings, size):
        record, trained = store.trial(config.key), None
        if record is None:
            trained = train(config)
            record = trained.record
            store.add_trial(record)
        if record.is_better_than(best):
            best, best_config, best_trained = record, config, trained
        if record.succeeded:
            break
    assert best_config is not None, "a grid is never empty"
    return train(best_config) if best_trained is None else best_trained
