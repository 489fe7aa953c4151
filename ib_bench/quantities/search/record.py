"""N*, the minimal training set size: how it is searched for, and what a search found."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import ClassVar, Literal

from ib_bench.errors import require
from ib_bench.quantities.search.bisection import Bisection, Midpoint
from ib_bench.results.identity import NOT_IDENTIFYING, RETIRED, Json
from ib_bench.results.records import Config, Count, Experiment, Key, Record, Seconds
from ib_bench.results.trial_record import TrialConfig

Choice = bool | Literal["auto"]

_MAX_THREADS = 1024
SearchStatus = Literal["running", "failed", "finished"]


@dataclass(frozen=True)
class SearchSettings:
    """Options of the search for N*; the defaults are the paper's protocol.

    Args:
        learning_rates: learning rates of the grid, each above 0.
        seeds: seeds of the grid, each in 0..2^32-1.
        threshold: validation loss below which a trial succeeds (epsilon), in nats, above 0.
        max_steps: step budget of a trial, in optimizer steps, at least 1.
        max_size: largest training set (N_max), at least 1; the training pool, if that is smaller.
        multiplier: factor by which the size shrinks until the first failure (M), at least 2.
        max_evaluations: largest number of sizes to try (S), at least 1.
        midpoint: next size inside a bracket: the arithmetic or the geometric mean of its ends.
        relative_tolerance: stop once the bracket is no wider than this share of its upper end, in [0, 1).
        exhaustive: train the whole grid at every size, also after a success.
        val_check_interval: optimizer steps between validations; null chooses by the sizes of the data so that
            validation costs at most a tenth of the training.
        num_threads: CPU threads of each training run, at least 1.
        vectorize: no effect any more; true in records of searches that trained a grid as one stacked model.
        compile: compile training steps (``torch.compile``); ``auto`` does where that saves time.
        cuda_graph: replay training steps as a CUDA graph, which gives the same numbers; ``auto`` does on a GPU where it
            is possible, and so does true, which also says why if it is not.
        futility: stop a trial early if it makes no progress. This share of the step budget, in (0, 1), is always spent;
            after it, a trial stops if the second half of its steps did not lower its best loss by 5 %. null turns this
            off. A stopped trial might still have succeeded: results made with this option say how often that happens.
        spread: configurations of a size that are trained at once, in worker processes of this machine, at least 1. It
            says where trials run and does not identify a search.
        allow_lookahead: measure a model although its logits depend on later tokens; its name then says so in every
            table and record.
        start: retired; ``auto`` in records of searches that did not start at the largest size.
        adaptive_validation: retired; true in records of searches that validated more often near the threshold.

    Raises:
        InvalidOptionError: a value outside its range.

    Reference: arXiv 2602.18333, section 4.
    """

    learning_rates: list[float] = field(default_factory=lambda: [1e-3, 1e-4, 1e-5])
    seeds: list[int] = field(default_factory=lambda: [10, 20, 30, 40, 50])
    threshold: float = 1e-4
    max_steps: int = 250_000
    max_size: int = 16_000_000
    multiplier: int = 1000
    max_evaluations: int = 20
    midpoint: Midpoint = "arithmetic"
    relative_tolerance: float = 0.0
    exhaustive: bool = False
    val_check_interval: int | None = None
    num_threads: int = 1
    vectorize: Choice = False
    compile: Choice = False
    cuda_graph: Choice = field(default="auto", metadata=NOT_IDENTIFYING)
    futility: float | None = None
    spread: int = field(default=1, metadata=NOT_IDENTIFYING)
    allow_lookahead: bool = field(default=False, metadata=NOT_IDENTIFYING)
    start: str = field(default="largest", metadata=RETIRED)
    adaptive_validation: bool = field(default=False, metadata=RETIRED)

    def __post_init__(self) -> None:
        rates, seeds, interval = self.learning_rates, self.seeds, self.val_check_interval
        distinct = "a list of at least one number, none twice, each "
        positive = all(0 < rate < math.inf for rate in rates)
        require(_is_grid(rates) and positive, "search.learning_rates", rates, distinct + "finite and above 0")
        in_range = all(0 <= seed < 2**32 for seed in seeds)
        require(_is_grid(seeds) and in_range, "search.seeds", seeds, distinct + "in 0..2^32-1")
        require(0 < self.threshold < math.inf, "search.threshold", self.threshold, "a finite number above 0")
        for name in ("max_steps", "max_size", "max_evaluations"):
            require(getattr(self, name) >= 1, f"search.{name}", getattr(self, name), "an integer of at least 1")
        for name in ("num_threads", "spread"):
            num = getattr(self, name)
            require(1 <= num <= _MAX_THREADS, f"search.{name}", num, f"an integer in 1..{_MAX_THREADS}")
        require(self.multiplier >= 2, "search.multiplier", self.multiplier, "an integer of at least 2")
        tolerance = self.relative_tolerance
        require(0 <= tolerance < 1, "search.relative_tolerance", tolerance, "a number in [0, 1)")
        require(interval is None or interval >= 1, "search.val_check_interval", interval, "null or at least 1")
        share = self.futility
        require(share is None or 0 < share < 1, "search.futility", share, "null or a number in (0, 1)")

    def trial_options(self) -> Json:
        """Differences from the plain protocol, see :class:`~ib_bench.results.trial_record.TrialConfig`."""
        options = {name: getattr(self, name) for name in ("compile", "futility")}
        return {name: value for name, value in options.items() if value and value != "auto"}

    def grid(self) -> list[tuple[float, int]]:
        """The configurations (learning rate, seed), in the order in which they are tried."""
        return list(product(self.learning_rates, self.seeds))

    def bisection(self, max_size: int) -> Bisection:
        """The rule by which sizes are chosen, from ``max_size`` downwards."""
        return Bisection(max_size, self.multiplier, self.max_evaluations, self.midpoint, self.relative_tolerance)

    def trial_config(self, experiment: Experiment, size: int, learning_rate: float, seed: int) -> TrialConfig:
        """The config of a trial with these limits.

        Args:
            experiment: what is trained on what.
            size: of the training set, N.
            learning_rate: of the optimizer.
            seed: of the trial.
        """
        return TrialConfig(
            experiment=experiment,
            num_train_sequences=size,
            learning_rate=learning_rate,
            seed=seed,
            threshold=self.threshold,
            max_steps=self.max_steps,
            val_check_interval=self.val_check_interval,
            num_threads=self.num_threads,
            options=self.trial_options(),
            cuda_graph=self.cuda_graph is not False,
        )

    def grid_configs(self, experiment: Experiment, size: int) -> list[TrialConfig]:
        """The configs of all trials of one size, in the order in which they are tried."""
        return [self.trial_config(experiment, size, *point) for point in self.grid()]


def bound_text(size: int, is_all: bool) -> str:
    """The text for sizes above the largest: the same in verdicts, tables and figures.

    Args:
        size: the largest size.
        is_all: whether no more training sequences exist, so that no larger budget would help.

    Returns:
        ``> 4,096``, or ``> all 20 that exist``.
    """
    return f"> {size_text(size, is_all)}"


def size_text(size: int, is_all: bool) -> str:
    """The largest size for people: ``4,096``, or ``all 20 that exist``; ``0`` where none can be held out."""
    return f"all {size:,} that exist" if is_all and size else f"{size:,}"


@dataclass(frozen=True)
class SearchConfig(Config):
    """One search for the minimal training set size.

    Attributes:
        experiment: model, data and trainer.
        settings: how N* is searched for.
    """

    experiment: Experiment
    settings: SearchSettings


@dataclass(frozen=True)
class Evaluation:
    """A size that was tried.

    Attributes:
        size: number of training sequences.
        succeeded: whether a trial succeeded there.
        best_val_loss: lowest validation loss of its trials, in nats; None if never finite.
        bracket: (largest failing size or 0, smallest succeeding size or None) after this evaluation.
        trials: keys of its trials, in the order in which they were asked for; at least one.

    Raises:
        ValueError: there are no trials, or the bracket is empty.
    """

    size: Count
    succeeded: bool
    best_val_loss: float | None
    bracket: tuple[Count, Count | None]
    trials: list[Key]

    def __post_init__(self) -> None:
        if not self.trials:
            raise ValueError(f"the evaluation of size {self.size} has no trials")
        low, high = self.bracket
        if high is not None and low >= high:
            raise ValueError(f"the bracket {self.bracket} of size {self.size} is empty")


@dataclass(frozen=True)
class SearchRecord(Record):
    """The result of a search.

    Attributes:
        key: of the config.
        config: what was searched for.
        status: ``running`` (or interrupted), ``failed`` (an error ended it; the next run tries again) or ``finished``.
        max_size: the largest size, N_max: the setting or the training pool, whichever is smaller; 0 where so few
            sequences exist that none can be held out, so that nothing can be tried.
        evaluations: the sizes tried so far, in order.
        wall_time_s: time spent on the trials of this search, wherever they ran.
        updated_at: UTC, ISO 8601.
        error: what ended it, if its status is ``failed``.
        num_states: number of the task's states; None in records of earlier versions.

    Raises:
        ValueError: it is finished and has tried no size, although there was one.
    """

    table: ClassVar[str] = "searches"
    incidental: ClassVar[frozenset[str]] = frozenset({"wall_time_s", "updated_at", "num_states"})
    headline: ClassVar[tuple[str, ...]] = ("status", "verdict", "bracket")

    key: Key
    config: SearchConfig
    status: SearchStatus
    max_size: Count
    evaluations: list[Evaluation]
    wall_time_s: Seconds
    updated_at: str
    error: str | None = None
    num_states: Count | None = None

    def __post_init__(self) -> None:
        if self.finished and bool(self.evaluations) != bool(self.max_size):
            raise ValueError(
                f"a finished search with sizes up to {self.max_size} has {len(self.evaluations)} evaluations"
            )

    @property
    def finished(self) -> bool:
        """Whether it has a verdict."""
        return self.status == "finished"

    @property
    def bracket(self) -> tuple[int, int | None]:
        """(largest failing size or 0, smallest succeeding size or None); N* lies in this half-open interval."""
        return self.evaluations[-1].bracket if self.evaluations else (0, None)

    @property
    def censored(self) -> bool:
        """Whether even the largest size failed: then N* is only known to be larger."""
        return self.finished and self.bracket[1] is None

    @property
    def is_pool_exhausted(self) -> bool:
        """Whether even all training sequences that exist failed, fewer than the settings allow."""
        return self.censored and self.max_size < self.config.settings.max_size

    @property
    def min_train_size(self) -> int | None:
        """N*, the smallest size found to succeed; None while unknown and where censored."""
        return self.bracket[1] if self.finished else None

    @property
    def trials(self) -> Sequence[str]:
        """Keys of the trials that the verdict rests on, in the order in which they were asked for."""
        return [key for evaluation in self.evaluations for key in evaluation.trials]

    @property
    def num_trials(self) -> int:
        """Number of trials that the verdict rests on."""
        return sum(len(evaluation.trials) for evaluation in self.evaluations)

    @property
    def verdict(self) -> str:
        """N* for people: a number, ``> 4,096``, ``> all 20 that exist``, ``none held out``, or why there is none."""
        if not self.finished:
            return "failed" if self.status == "failed" else "unfinished"
        if not self.max_size:
            return "none held out"
        return bound_text(self.max_size, self.is_pool_exhausted) if self.censored else f"{self.min_train_size:,}"

    @property
    def in_short(self) -> str:
        """The verdict with its bracket, such as ``N* = 128 (64, 128]``."""
        low, high = self.bracket
        return f"N* {self.verdict}" if high is None else f"N* = {self.verdict} ({low:,}, {high:,}]"

    def supersedes(self, other: Record) -> bool:
        """See :class:`~ib_bench.results.records.Record`; of two unfinished ones, the one with more evaluations."""
        if other.finished or not isinstance(other, SearchRecord):
            return False
        return self.finished or len(self.evaluations) > len(other.evaluations)


def _is_grid(values: list[float] | list[int]) -> bool:
    return len(values) > 0 and len(set(values)) == len(values)
