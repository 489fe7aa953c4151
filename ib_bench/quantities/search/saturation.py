"""The saturated evaluation: it shows whether the model can fit all sequences that exist.

In short lengths all training sequences together may not suffice (m = 5, n = 2: 20 of 25). Only the held-out sequences
are missing then, so N* is at most the number of all sequences, if the model can fit them at all. The saturated
evaluation measures this: it trains on all sequences and validates on the same. If a configuration of the grid gets
below the threshold, N* lies between the training pool and all sequences. If none does, the step budget is what is
missing, and N* has no upper end. A saturated evaluation is never an N*.

It is ours: the paper does not say what it does where a pool is exhausted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ib_bench.quantities.search.record import SearchConfig, SearchSettings
from ib_bench.results.records import Config, Count, Experiment, Key, Record, Seconds


@dataclass(frozen=True)
class SaturationConfig(Config):
    """One saturated evaluation.

    Attributes:
        experiment: model, data and trainer, as of the search that it belongs to.
        search: the grid, the budget and the threshold, likewise.
    """

    experiment: Experiment
    search: SearchSettings


@dataclass(frozen=True)
class SaturationRecord(Record):
    """The result of a saturated evaluation.

    Attributes:
        key: of the config.
        config: what was evaluated.
        size: number of all sequences that exist, which were trained on and validated on.
        succeeded: whether a trial got below the threshold. None where the search did not exhaust its pool: there was
            nothing to evaluate, and such a record is not stored.
        best_val_loss: lowest loss of its trials, in nats; None if never finite.
        trial_keys: of its trials, in the order in which they were asked for.
        wall_time_s: time spent on its trials, wherever they ran.
        finished_at: UTC, ISO 8601.
        num_states: number of the task's states.

    Raises:
        ValueError: it has an answer and no trials, or trials and no answer.
    """

    table: ClassVar[str] = "saturations"
    incidental: ClassVar[frozenset[str]] = frozenset({"wall_time_s", "finished_at", "num_states"})
    headline: ClassVar[tuple[str, ...]] = ("verdict",)

    key: Key
    config: SaturationConfig
    size: Count
    succeeded: bool | None
    best_val_loss: float | None
    trial_keys: list[Key]
    wall_time_s: Seconds
    finished_at: str
    num_states: Count | None = None

    def __post_init__(self) -> None:
        if (self.succeeded is None) == bool(self.trial_keys):
            raise ValueError(
                f"a saturated evaluation has {len(self.trial_keys)} trials and the answer {self.succeeded}"
            )

    @property
    def search_key(self) -> str:
        """Key of the search that it belongs to."""
        return SearchConfig(self.config.experiment, self.config.search).key

    @property
    def trials(self) -> Sequence[str]:
        """Keys of its trials."""
        return self.trial_keys

    @property
    def verdict(self) -> str:
        """The answer for people."""
        if self.succeeded is None:
            return "not needed"
        return f"all {self.size:,} saturated" if self.succeeded else f"all {self.size:,} saturated: budget missing"
