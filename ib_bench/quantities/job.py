"""Something to measure, as plain data that can be sent to another process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar, cast

from ib_bench import catalogue
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Config, Experiment, Record

R = TypeVar("R", bound=Record)


@dataclass(frozen=True)
class Workload:
    """Trials of one experiment that are still to be trained.

    Attributes:
        experiment: that they are of.
        max_steps: of each.
        max_trials: how many there are at most.
        at_largest_size: whether all of them are at the largest size.
    """

    experiment: Experiment
    max_steps: int
    max_trials: int
    at_largest_size: bool = False


class Job(ABC, Generic[R]):
    """Something to measure, and everything needed to do it elsewhere: a frozen dataclass that can be pickled.

    Attributes:
        quantity: name of the quantity that it belongs to.
        record: what it stores.
        is_result: whether that is a result of the quantity, which W&B gets while it grows.
    """

    quantity: ClassVar[str]
    record: ClassVar[type[Record]]
    is_result: ClassVar[bool] = True

    @property
    @abstractmethod
    def config(self) -> Config:
        """By whose key the result is stored."""

    @property
    @abstractmethod
    def label(self) -> str:
        """The job in a few words."""

    @property
    @abstractmethod
    def max_evaluations(self) -> int:
        """Number of sizes that are tried at most."""

    @property
    @abstractmethod
    def num_configurations(self) -> int:
        """Number of trials of one size at most."""

    @property
    @abstractmethod
    def max_steps(self) -> int:
        """Optimizer steps of a trial at most."""

    @property
    def num_cores(self) -> int:
        """Number of trials that it trains at once."""
        return 1

    @property
    def stage(self) -> int:
        """Jobs of a lower stage run first, as those of a higher one use what they leave."""
        stage: int = catalogue.quantity(self.quantity).stage
        return stage

    @property
    def uses(self) -> Collection[str] | None:
        """Keys of the jobs of lower stages that this one has to wait for; None waits for all of them."""
        return None

    @property
    def reads_only(self) -> bool:
        """Whether it trains nothing, and only reads what the store has."""
        return False

    @property
    def key(self) -> str:
        """The key of the config."""
        return self.config.key

    def stored(self, store: RecordStore) -> R | None:
        """The finished result, if the store has it and all trials that it rests on."""
        return cast("R | None", store.finished(self.record, self.key))

    def needed(self, store: RecordStore) -> list[Record]:
        """Records that it starts from, besides the trials of its experiment; for machines without the store.

        Args:
            store: that has them.
        """
        return []

    def trial_keys(self, store: RecordStore) -> Collection[str] | None:
        """Keys of the trials that it may look up; for machines without the store.

        Args:
            store: that has them.

        Returns:
            None for all trials of its experiment.
        """
        return None

    @abstractmethod
    def workload(self, others: Collection[str]) -> Workload:
        """The largest amount of training.

        Args:
            others: keys of results that are there, or will be, when this job runs.
        """

    @abstractmethod
    def shortened(self) -> Job[R]:
        """The same job with trials of a few steps, to try all code that it uses."""

    @abstractmethod
    def run(self, progress: ProgressReporter, store: RecordStore) -> R:
        """Measure, starting from what the store holds.

        Args:
            progress: receives how far it is.
            store: where records are, and where new ones go.
        """
