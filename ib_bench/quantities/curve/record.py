"""N50, the size at which half of the training runs succeed: settings and records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from ib_bench.errors import require
from ib_bench.quantities.curve.prior import CurvePrior
from ib_bench.quantities.curve.saturation import fits_all
from ib_bench.quantities.search.record import SearchSettings, bound_text
from ib_bench.results.identity import NOT_IDENTIFYING, Json
from ib_bench.results.records import MAX_COUNT, Config, Count, Experiment, Key, NumExisting, Record, Seconds, Size
from ib_bench.results.trial_record import Measure

CurveStatus = Literal["running", "failed", "finished"]
Held = Literal["data", "weights"]
Ended = Literal["narrow", "above", "one", "max_trials", "records"]
BISECTION_OPTIONS = tuple(
    f"search.{name}"
    for name in ("seeds", "multiplier", "max_evaluations", "midpoint", "relative_tolerance", "exhaustive")
)
"""Settings of a search that a curve does not use: it has seeds of its own, and no bisection."""

Share = Annotated[float, Meta(ge=0, le=1)]

BEST_OF = 15
"""Configurations of the paper's grid: its N* estimates the size at which the best of so many succeeds half the time."""

CONFIDENCE = 0.95
"""Probability that N50 lies above the largest size, from which on a curve ends and says so."""

MAX_CHANCE_ABOVE = 0.01
"""A larger chance that N50 lies above all training sequences calls for saturated trials.

It is smaller than the 5 % of an interval, as kappa sums several lengths, of which each may lie above.
"""


MAX_COUNTED = 10**1000
"""As so many sequences larger pools count: Python writes and reads no number of more than 4,300 digits."""

_MAX_THRESHOLDS = 100  # a curve is fitted for each


@dataclass(frozen=True)
class CurveSettings:
    """Options of success curves.

    Args:
        first_seed: seed of the first trial, in 0..2^31; the next trials have ``first_seed + 1`` and so on.
        batch: number of trials to choose together, at least 1. They are trained at once if ``search.spread`` allows it,
            which does nothing for batches of 1.
        interval_factor: stop once the upper end of the 90 % interval of N50 is at most this many times the lower end;
            above 1.
        max_trials: largest number of trials of the curve, at least 1.
        pilot_trials: with several learning rates, trials of each at the largest size, at least 1. The one that succeeds
            most measures the curve, with other seeds. One learning rate needs no pilot.
        hold: what all trials share, so that their seeds move only the rest: ``data`` (training set, validation set and
            order) or ``weights`` (initialisation and dropout), those of ``first_seed``. null shares neither.
        from_records: train nothing; fit all trials of the experiment in the store, of any seed.
        thresholds: validation losses at which N50 is also computed, from the validation curves of the same trials, in
            nats, each above 0. These options train nothing and do not identify a curve.
        accuracies: final-state accuracies of the validation set at which N50 is also computed, each in (0, 1].

    Raises:
        InvalidOptionError: a value outside its range.
    """

    first_seed: int = 10
    batch: int = 1
    interval_factor: float = 2.0
    max_trials: int = 50
    pilot_trials: int = 3
    hold: Held | None = None
    from_records: bool = False
    thresholds: list[float] = field(default_factory=lambda: [1e-1, 1e-2, 1e-3, 1e-4, 1e-5], metadata=NOT_IDENTIFYING)
    accuracies: list[float] = field(default_factory=lambda: [0.9, 0.99, 0.999], metadata=NOT_IDENTIFYING)

    def trial_options(self, seed: int) -> Json:
        """Differences from a trial whose seed moves everything, see :class:`TrialConfig`.

        Args:
            seed: of the trial.
        """
        if self.hold is None or seed == self.first_seed:
            return {}
        return {{"data": "data_seed", "weights": "model_seed"}[self.hold]: self.first_seed}

    def __post_init__(self) -> None:
        require(0 <= self.first_seed <= 2**31, "curve.first_seed", self.first_seed, "an integer in 0..2^31")
        for name in ("batch", "max_trials", "pilot_trials"):
            require(getattr(self, name) >= 1, f"curve.{name}", getattr(self, name), "an integer of at least 1")
        factor = self.interval_factor
        require(1 < factor < float("inf"), "curve.interval_factor", factor, "a finite number above 1")
        losses, accuracies = self.thresholds, self.accuracies
        positive = all(0 < threshold < float("inf") for threshold in losses)
        require(positive, "curve.thresholds", losses, "a list of finite numbers above 0")
        shares = all(0 < threshold <= 1 for threshold in accuracies)
        require(shares, "curve.accuracies", accuracies, "a list of numbers in (0, 1]")
        for name, values in (("thresholds", losses), ("accuracies", accuracies)):
            require(len(values) <= _MAX_THRESHOLDS, f"curve.{name}", len(values), f"at most {_MAX_THRESHOLDS} numbers")


@dataclass(frozen=True)
class CurveConfig(Config):
    """One success curve.

    Attributes:
        experiment: model, data and trainer.
        search: what a trial is, and the largest size. As with a search beside it: seeds and bisection are not used.
        settings: how the curve is measured.
        prior: over the curve's parameters.
    """

    experiment: Experiment
    search: SearchSettings
    settings: CurveSettings
    prior: CurvePrior


@dataclass(frozen=True)
class Sizes:
    """A 90 % interval of a size, and the median. None: above the largest size, or no size has this chance of success.

    Attributes:
        low: lower end.
        median: of the posterior.
        high: upper end.

    Raises:
        ValueError: one is no size.
    """

    low: float | None
    median: float | None
    high: float | None

    def __post_init__(self) -> None:
        for end in (self.low, self.median, self.high):
            if end is not None and not 0 < end < MAX_COUNT:
                raise ValueError(f"a size of {end:g} sequences")


@dataclass(frozen=True)
class Bounds:
    """A 90 % interval, and the median."""

    low: float
    median: float
    high: float


@dataclass(frozen=True)
class CurvePoint:
    """The curve at one size.

    Attributes:
        size: number of training sequences.
        chance: probability that a trial succeeds.
    """

    size: Size
    chance: Bounds


@dataclass(frozen=True)
class CurveEstimate:
    """The curve as estimated from the trials.

    Attributes:
        n50: size at which half of the trials succeed.
        n90: size with which 9 of 10 trials succeed.
        best_of_15: size at which the best of 15 trials succeeds with probability 1/2.
        spread: s, in octaves.
        ceiling: c, the probability of success with unlimited data.
        probability_above: that N50 lies above the largest size.
        points: the curve at the sizes that may be tried, ascending.
    """

    n50: Sizes
    n90: Sizes
    best_of_15: Sizes
    spread: Bounds
    ceiling: Bounds
    probability_above: Share
    points: list[CurvePoint]


@dataclass(frozen=True)
class ThresholdEstimate:
    """N50 at another threshold, see :mod:`ib_bench.quantities.curve.thresholds`.

    Attributes:
        measure: ``loss``, which has to fall below the threshold, or ``accuracy``, which has to reach it.
        threshold: in nats, or a share.
        n50: with trials whose outcome is unknown, from the lower end as if all of them succeeded to the upper end as if
            all failed; then there is no median.
        best_of_15: likewise.
        num_succeeded: trials that got there.
        num_failed: trials that did not.
        num_unknown: trials that stopped at the threshold they were trained for.
        mostly_unknown: sizes, ascending, at least half of whose trials are unknown.
        bracket: (largest size all of whose trials failed, or 0; smallest with a success, or None]: N* with as many
            trials of each size as there are. With all trials of an exhaustive search it is N* of its grid.
    """

    measure: Measure
    threshold: float
    n50: Sizes
    best_of_15: Sizes
    num_succeeded: Count
    num_failed: Count
    num_unknown: Count
    mostly_unknown: list[Count]
    bracket: tuple[Count, Count | None]


@dataclass(frozen=True)
class CurveTrial:
    """A trial that the curve rests on.

    Attributes:
        size: number of training sequences.
        succeeded: whether it got below the threshold.
        num_steps: optimizer steps it took.
        trial: its key.
        n50: estimate after the batch that it was in; None for trials of a pilot, and of earlier records.
    """

    size: Size
    succeeded: bool
    num_steps: Count
    trial: Key
    n50: Sizes | None = None


@dataclass(frozen=True)
class Pilot:
    """The trials of one learning rate at the largest size.

    Attributes:
        learning_rate: of the optimizer.
        trials: in order.
    """

    learning_rate: float
    trials: list[CurveTrial]


@dataclass(frozen=True)
class CurveRecord(Record):
    """A success curve.

    Attributes:
        key: of the config.
        config: what was measured.
        status: ``running`` (or interrupted), ``failed`` (an error ended it; the next run tries again) or ``finished``.
        max_size: the largest size, N_max: the setting or the training pool, whichever is smaller; 0 where so few
            sequences exist that none can be held out, so that nothing can be tried.
        pool_size: number of training sequences that exist, at most 10^1000.
        learning_rate: of the curve's trials; None before a pilot has ended.
        pilot: of each learning rate where there are several; these trials choose it, and are no part of the curve.
        curve_trials: the curve's trials, in the order in which they were chosen.
        estimate: what they say; None before the first, and where nothing can be tried.
        ended: why there were no more trials, see
            :meth:`~ib_bench.quantities.curve.sequential_design.SequentialDesign.ended`, or ``records`` where none was
            trained; None while it runs, and where nothing can be tried.
        wall_time_s: time spent on the trials, wherever they ran.
        updated_at: UTC, ISO 8601.
        early_stop_sizes: with trials from records, sizes at which a search stopped at its first success and the store
            lacks trials of its grid, ascending.
        error: what ended it, if its status is ``failed``.
        num_states: number of the task's states.
        thresholds: N50 at other thresholds, out of the same trials; empty in records of earlier versions.
        num_checked: successes of the curve that were evaluated on a second held-out set.
        num_confirmed: those whose loss is below the threshold there too.
        num_sequences: number of all sequences that exist, training and held-out ones; None if saturated trials were
            not needed, or cannot be made with these data.
        saturated_trials: on all of them, in order.

    Raises:
        ValueError: it is finished and has no trials, although a size could be tried; or it has saturated trials, but no
            number of sequences.
    """

    table: ClassVar[str] = "curves"
    incidental: ClassVar[frozenset[str]] = frozenset(
        {"wall_time_s", "updated_at", "num_states"}
        | {"thresholds", "num_checked", "num_confirmed"}  # derived from the trials, which are compared themselves
    )
    headline: ClassVar[tuple[str, ...]] = ("status", "verdict", "num_trials")

    key: Key
    config: CurveConfig
    status: CurveStatus
    max_size: Count
    pool_size: NumExisting
    learning_rate: float | None = None
    pilot: list[Pilot] = field(default_factory=list)
    curve_trials: list[CurveTrial] = field(default_factory=list)
    estimate: CurveEstimate | None = None
    ended: Ended | None = None
    wall_time_s: Seconds = 0.0
    updated_at: str = ""
    early_stop_sizes: list[Count] = field(default_factory=list)
    error: str | None = None
    num_states: Count | None = None
    thresholds: list[ThresholdEstimate] = field(default_factory=list)
    num_checked: Count = 0
    num_confirmed: Count = 0
    num_sequences: Count | None = None
    saturated_trials: list[CurveTrial] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.finished and bool(self.curve_trials) != bool(self.max_size):
            raise ValueError(f"a finished curve with sizes up to {self.max_size} has {len(self.curve_trials)} trials")
        if self.saturated_trials and self.num_sequences is None:
            raise ValueError("saturated trials are of all sequences, and num_sequences is missing")

    @property
    def finished(self) -> bool:
        """Whether no more trials will be added."""
        return self.status == "finished"

    @property
    def all_trials(self) -> list[CurveTrial]:
        """The keys of the trials of the pilot, then of the curve, then of saturated ones."""
        pilots = [trial for pilot in self.pilot for trial in pilot.trials]
        return [*pilots, *self.curve_trials, *self.saturated_trials]

    @property
    def trials(self) -> Sequence[str]:
        """Keys of all trials."""
        return [trial.trial for trial in self.all_trials]

    @property
    def num_trials(self) -> int:
        """Number of all trials."""
        return len(self.all_trials)

    @property
    def num_steps(self) -> int:
        """Optimizer steps of all trials."""
        return sum(trial.num_steps for trial in self.all_trials)

    @property
    def censored(self) -> bool:
        """Whether N50 is only known to lie above the largest size."""
        if self.ended == "records" and self.estimate is not None:
            return self.estimate.probability_above >= CONFIDENCE
        return self.ended == "above"

    @property
    def largest_is_all(self) -> bool:
        """Whether the largest size is every training sequence there is, fewer than the settings allow."""
        return 0 < self.max_size == self.pool_size < self.config.search.max_size

    @property
    def is_pool_exhausted(self) -> bool:
        """Whether N50 lies above all training sequences that exist, or none can be held out."""
        return self.max_size == 0 or (self.censored and self.largest_is_all)

    @property
    def may_exceed_pool(self) -> bool:
        """Whether N50 may lie above all training sequences that exist, or none can be held out."""
        if not self.max_size:
            return True
        is_possible = self.estimate is not None and self.estimate.probability_above > MAX_CHANCE_ABOVE
        return self.largest_is_all and is_possible

    @property
    def fits_all(self) -> bool | None:
        """Whether training on all sequences that exist succeeds more often than not; None if that is not known."""
        succeeded = sum(trial.succeeded for trial in self.saturated_trials)
        return fits_all(succeeded, len(self.saturated_trials) - succeeded)

    @property
    def verdict(self) -> str:
        """N50 for people: ``91 [62, 119]``, ``> 4,096``, ``21 to 25 (saturated)``, ``unfinished`` or ``failed``."""
        if not self.finished:
            return "failed" if self.status == "failed" else "unfinished"
        if self.estimate is None:
            return f"at most {self.num_sequences:,} (saturated)" if self.fits_all else "none held out"
        if not self.censored:
            return self.sizes_text(self.estimate.n50)
        if self.fits_all:
            return f"{self.max_size + 1:,} to {self.num_sequences:,} (saturated)"
        return f"{self.bound_text} (budget missing)" if self.fits_all is False else self.bound_text

    @property
    def bound_text(self) -> str:
        """The text for sizes above the largest: ``> 4,096``, or ``> all 20 that exist``."""
        return bound_text(self.max_size, self.largest_is_all)

    def sizes_text(self, sizes: Sizes) -> str:
        """A size with its interval, such as ``91 [62, > 4,096]``."""
        low, median, high = (
            self.bound_text if size is None else estimate_text(size) for size in (sizes.low, sizes.median, sizes.high)
        )
        return low if sizes.low is None else f"{median} [{low}, {high}]"

    @property
    def has_succeeded(self) -> bool:
        """Whether a trial of the curve did."""
        return any(trial.succeeded for trial in self.curve_trials)

    @property
    def best_of_15_text(self) -> str:
        """Best of 15 with its interval; without a success the interval alone, as the prior alone has a median then."""
        if self.estimate is None:
            return ""
        text = self.sizes_text(self.estimate.best_of_15)
        return text if self.has_succeeded or "[" not in text else text[text.index("[") :]

    def threshold_text(self, estimate: ThresholdEstimate, sizes: Sizes) -> str:
        """A size at another threshold; where outcomes are unknown only its interval, such as ``[62, > 4,096]``.

        Args:
            estimate: at that threshold.
            sizes: its N50, or another of its points.
        """
        text = self.sizes_text(sizes)
        is_priors = sizes is estimate.best_of_15 and not estimate.num_succeeded
        if (estimate.num_unknown or is_priors) and sizes.low is not None:
            return text[text.index("[") :]
        return text

    @property
    def confirmed_text(self) -> str:
        """The number of successes confirmed on a second held-out set: ``41 of 43``; empty if none was checked."""
        return f"{self.num_confirmed} of {self.num_checked}" if self.num_checked else ""

    def successes(self) -> dict[int, tuple[int, int]]:
        """Numbers of successes and of all trials of the curve, by size, ascending."""
        counted: dict[int, tuple[int, int]] = {}
        for trial in sorted(self.curve_trials, key=lambda trial: trial.size):
            successes, number = counted.get(trial.size, (0, 0))
            counted[trial.size] = successes + trial.succeeded, number + 1
        return counted

    def supersedes(self, other: Record) -> bool:
        """See :class:`~ib_bench.results.records.Record`; of two unfinished ones, the one with more trials."""
        if other.finished or not isinstance(other, CurveRecord):
            return False
        return self.finished or self.num_trials > other.num_trials


def estimate_text(size: float) -> str:
    """An estimated size for people: one decimal below 10."""
    return f"{size:.1f}" if size < 10 else f"{size:,.0f}"
