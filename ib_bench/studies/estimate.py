"""How long searches will take, from the trials seen so far.

A trial's time is its steps times the time of a step; both depend on the model and on what it reads, so they are taken
from trials of the same model, with the same supervision where there are some. At most, every trial of every size runs
for the whole budget; as a rule most do not, and the second estimate takes the share of that which finished searches of
the same model have needed, over all their sizes or, for those who only train at the largest, there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ib_bench.quantities.job import Workload
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.archive import Records
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.trial_record import TrialRecord


@dataclass(frozen=True)
class Estimate:
    """What is still to be done.

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
    trials, searches = list(stored.trials), list(stored.of(SearchRecord))
    step_time_s = _StepTimes(trials)
    num_steps = {trial.key: trial.num_steps for trial in trials}
    shares = {at_largest: _Shares(searches, num_steps, at_largest) for at_largest in (False, True)}
    most: list[float | None] = []
    likely: list[float | None] = []
    for work in todo:
        seconds = step_time_s.of(work.experiment)
        longest = None if seconds is None else seconds * work.max_steps * work.max_trials
        share = shares[work.at_largest_size].of(work.experiment)
        most.append(longest)
        likely.append(None if longest is None or share is None else longest * share)
    max_trials = sum(work.max_trials for work in todo)
    return Estimate(max_trials, _sum(most, num_workers), _sum(likely, num_workers))


_Likeness = tuple[ClassSpec, str | None]


class _Means:
    """Means of numbers that belong to experiments: over those of the same model and regime, else of the same model."""

    def __init__(self) -> None:
        self._values: dict[_Likeness | ClassSpec, list[float]] = defaultdict(list)

    def add(self, experiment: Experiment, value: float) -> None:
        for likeness in _likenesses(experiment):
            self._values[likeness].append(value)

    def of(self, experiment: Experiment) -> float | None:
        """The mean for an experiment, or None if nothing like it was seen."""
        for likeness in _likenesses(experiment):
            if likeness in self._values:
                return fmean(self._values[likeness])
        return None


class _StepTimes(_Means):
    """Seconds for an optimizer step, validation included."""

    def __init__(self, trials: Sequence[TrialRecord]) -> None:
        super().__init__()
        for trial in trials:
            if trial.num_steps and "stack" not in trial.config.options:  # their times are of many together
                self.add(trial.config.experiment, trial.wall_time_s / trial.num_steps)


class _Shares(_Means):
    """Steps that finished searches have taken, as a share of the most that they might have taken."""

    def __init__(self, searches: Sequence[SearchRecord], num_steps: dict[str, int], at_largest_size: bool) -> None:
        super().__init__()
        for search in searches:
            settings = search.config.settings
            evaluations = search.evaluations[:1] if at_largest_size else search.evaluations
            num_evaluations = 1 if at_largest_size else settings.max_evaluations
            taken = [num_steps.get(key, 0) for evaluation in evaluations for key in evaluation.trials]
            if search.finished and taken:
                share = sum(taken) / (len(settings.grid()) * num_evaluations * settings.max_steps)
                self.add(search.config.experiment, share)


def _likenesses(experiment: Experiment) -> list[_Likeness | ClassSpec]:
    return [(experiment.model, experiment.data.presentation.supervision), experiment.model]


def _sum(times: Sequence[float | None], num_workers: int) -> float | None:
    known = [time for time in times if time is not None]
    return sum(known) / num_workers if len(known) == len(times) else None
