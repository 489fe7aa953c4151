"""How long measurements will take, from the trials seen so far, and how much of that is left.

A trial's time is its steps times the time of a step; both depend on the model and on what it reads, so they are taken
from trials of the same model, with the same supervision where there are some. At most, every trial of every size runs
for the whole budget; as a rule most do not, and the second estimate takes the share of that which finished searches of
the same model have needed, over all their sizes or, for those who only train at the largest, there.

To order jobs, and to say how much time is left, an answer is needed even where nothing like them was seen. Then other
models of the same class count, and the reference results, which come from another machine: what finished jobs have
really taken corrects the scale.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import fmean

from ib_bench.quantities.job import Workload
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.archive import Records
from ib_bench.results.records import Experiment


@dataclass(frozen=True)
class Estimate:
    """The work that is left.

    Attributes:
        max_trials: number of trials, if no size needs less than the whole grid and every search tries all its sizes.
        max_time_s: time for them; None where the store holds no trial of one of the models.
        likely_time_s: time, going by how much of that earlier searches have needed; None without such.
    """

    max_trials: int
    max_time_s: float | None
    likely_time_s: float | None


def estimate(todo: Sequence[Workload], stored: Records, num_workers: int) -> Estimate:
    """Estimate.

    Args:
        todo: what is to be trained.
        stored: what has been measured, finished or not.
        num_workers: how many searches run side by side, at least 1.
    """
    history = _History(stored)
    most: list[float | None] = []
    likely: list[float | None] = []
    for work in todo:
        longest = history.longest_s(work, _same_model)
        share = history.share(work, _same_model)
        most.append(longest)
        likely.append(None if longest is None or share is None else longest * share)
    max_trials = sum(work.max_trials for work in todo)
    return Estimate(max_trials, _time_s(most, num_workers), _time_s(likely, num_workers))


def expected_costs(todo: Sequence[Workload], stored: Records, reference: Callable[[], Records]) -> list[float]:
    """About how many seconds each workload takes; never unknown, and never 0, so that jobs can be ordered by it.

    Args:
        todo: what is to be trained.
        stored: what was measured on this machine; of many trials, only the first few thousand are read.
        reference: returns what was measured elsewhere; is called only where ``stored`` has no model of the same class.
    """
    histories = [_History(stored, _MAX_READ)]
    if any(histories[0].cost_s(work) is None for work in todo):
        histories.append(_History(reference(), _MAX_READ))
    costs = []
    for work in todo:
        known = [cost for history in histories if (cost := history.cost_s(work)) is not None]
        cost_s = known[0] if known else work.max_steps * work.max_trials * _UNKNOWN_STEP_S
        costs.append(cost_s + _OVERHEAD_S)
    return costs


class TimeLeft:
    """The time left of a run: expected costs, corrected by the real times of finished jobs.

    Args:
        expected_s: cost of each job, in seconds, above 0, in the order in which they start.
        num_workers: how many run side by side, as far as is known, at least 1.
    """

    def __init__(self, expected_s: Sequence[float], num_workers: int) -> None:
        self._expected_s = expected_s
        self._num_workers = num_workers
        self._todo = dict.fromkeys(range(len(expected_s)))
        self._started_at: dict[int, float] = {}
        self._expected_of_ended_s = 0.0
        self._taken_s = 0.0

    def start(self, index: int, now_s: float) -> None:
        """A job has started; further calls for the same job change nothing."""
        if index in self._todo:
            del self._todo[index]
            self._started_at[index] = now_s

    def lose(self, index: int) -> None:
        """The job has to start again."""
        if self._started_at.pop(index, None) is not None:
            self._todo[index] = None

    def end(self, index: int, now_s: float) -> None:
        """A job has ended."""
        self.start(index, now_s)
        if index in self._started_at:
            self._taken_s += now_s - self._started_at.pop(index)
            self._expected_of_ended_s += self._expected_s[index]

    def seconds(self, now_s: float) -> float:
        """From now to the end of the last job, if each worker that becomes idle takes the next one."""
        correction = self._correction(now_s)
        busy = [self._rest(index, now_s, correction) for index in self._started_at]
        idle = max(self._num_workers, len(busy)) - len(busy)
        ends = [*busy, *[0.0] * idle]
        heapq.heapify(ends)
        for index in self._todo:
            heapq.heapreplace(ends, ends[0] + correction * self._expected_s[index])
        return max(ends)

    def _correction(self, now_s: float) -> float:
        """How many times longer jobs take than expected: those that have ended, and those that already take longer."""
        expected_s, taken_s = self._expected_of_ended_s, self._taken_s
        so_far = taken_s / expected_s if expected_s else 1.0
        for index, start_s in self._started_at.items():
            elapsed_s = now_s - start_s
            if elapsed_s > so_far * self._expected_s[index]:
                expected_s += self._expected_s[index]
                taken_s += elapsed_s
        return taken_s / expected_s if expected_s else 1.0

    def _rest(self, index: int, now_s: float, correction: float) -> float:
        elapsed_s = now_s - self._started_at[index]
        return max(correction * self._expected_s[index] - elapsed_s, _LEAST_REST * elapsed_s)


_MAX_READ = 5000
"""Trials and searches that are read to order jobs: a store may have hundreds of thousands."""

_UNKNOWN_STEP_S = 1e-3
"""Seconds for an optimizer step of a model of a class that was never seen, if no trial stops early."""

_OVERHEAD_S = 0.1
"""Seconds for a job that trains nothing."""

_LEAST_REST = 0.25
"""A job that takes longer than expected still has this share of the time before it that it has taken so far."""

_Likenesses = Callable[[Experiment], list[Hashable]]
"""Names for what an experiment has in common with others, from the most similar to the least."""


def _same_model(experiment: Experiment) -> list[Hashable]:
    return [(experiment.model, experiment.data.presentation.supervision), experiment.model]


def _same_class(experiment: Experiment) -> list[Hashable]:
    name = experiment.model.class_path
    return [*_same_model(experiment), (name, experiment.data.presentation.supervision), name]


class _Means:
    """Means of numbers that belong to experiments, over those that are most similar to the one that is asked for."""

    def __init__(self) -> None:
        self._values: dict[Hashable, list[float]] = defaultdict(list)

    def add(self, experiment: Experiment, value: float) -> None:
        for likeness in _same_class(experiment):
            self._values[likeness].append(value)

    def of(self, experiment: Experiment, likenesses: _Likenesses) -> float | None:
        """The mean for an experiment, or None if nothing like it was seen."""
        for likeness in likenesses(experiment):
            if likeness in self._values:
                return fmean(self._values[likeness])
        return None


class _History:
    """What trials and searches have taken.

    Args:
        stored: what was measured, finished or not.
        limit: how many of each kind are read at most; None reads all.
    """

    def __init__(self, stored: Records, limit: int | None = None) -> None:
        self._step_times_s = _Means()
        num_steps = {}
        for trial in islice(stored.trials, limit):  # one at a time: there may be gigabytes of them
            num_steps[trial.key] = trial.num_steps
            if trial.num_steps and "stack" not in trial.config.options:  # their times are of many together
                self._step_times_s.add(trial.config.experiment, trial.wall_time_s / trial.num_steps)
        searches = list(islice(stored.of(SearchRecord), limit))
        self._shares = {at_largest: _shares(searches, num_steps, at_largest) for at_largest in (False, True)}

    def longest_s(self, work: Workload, likenesses: _Likenesses) -> float | None:
        """If every trial runs for the whole budget."""
        step_s = self._step_times_s.of(work.experiment, likenesses)
        return None if step_s is None else step_s * work.max_steps * work.max_trials

    def share(self, work: Workload, likenesses: _Likenesses) -> float | None:
        """How much of that similar searches have needed."""
        return self._shares[work.at_largest_size].of(work.experiment, likenesses)

    def cost_s(self, work: Workload) -> float | None:
        """The likely cost, also by models of the same class; the longest where no search has finished."""
        longest, share = self.longest_s(work, _same_class), self.share(work, _same_class)
        return None if longest is None else longest * (1.0 if share is None else share)


def _shares(searches: Sequence[SearchRecord], num_steps: dict[str, int], at_largest_size: bool) -> _Means:
    """Steps that finished searches have taken, as a share of the most that they might have taken."""
    means = _Means()
    for search in searches:
        settings = search.config.settings
        evaluations = search.evaluations[:1] if at_largest_size else search.evaluations
        num_evaluations = 1 if at_largest_size else settings.max_evaluations
        keys = [key for evaluation in evaluations for key in evaluation.trials]
        if search.finished and keys and all(key in num_steps for key in keys):
            taken = sum(num_steps[key] for key in keys)
            share = taken / (len(settings.grid()) * num_evaluations * settings.max_steps)
            means.add(search.config.experiment, share)
    return means


def _time_s(costs_s: Sequence[float | None], num_workers: int) -> float | None:
    """Until the last job has ended; None where a cost is not known."""
    known = [cost for cost in costs_s if cost is not None]
    return TimeLeft(known, num_workers).seconds(0.0) if len(known) == len(costs_s) else None
