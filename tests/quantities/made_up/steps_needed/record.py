"""How many optimizer steps training takes at one size: what is measured, and what was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ib_bench.errors import require
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.records import Config, Count, Experiment, Key, Record


@dataclass(frozen=True)
class StepsSettings:
    """Of which trial the steps are counted.

    Args:
        size: training sequences, at least 1.
    """

    size: int = 20

    def __post_init__(self) -> None:
        require(self.size >= 1, "steps.size", self.size, "an integer of at least 1")


@dataclass(frozen=True)
class StepsConfig(Config):
    """One count of steps."""

    experiment: Experiment
    search: SearchSettings
    settings: StepsSettings


@dataclass(frozen=True)
class StepsRecord(Record):
    """The steps that one trial took."""

    table: ClassVar[str] = "step_counts"
    headline: ClassVar[tuple[str, ...]] = ("num_steps",)

    key: Key
    config: StepsConfig
    trial: Key
    num_steps: Count
    num_states: Count | None

    @property
    def trials(self) -> Sequence[str]:
        """The trial whose steps are counted."""
        return [self.trial]
