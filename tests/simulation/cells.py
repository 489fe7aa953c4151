"""One made-up learner, measured by its success curve and by bisection."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from simulation.learners import MAX_STEPS, Family, Learner, uniform

from ib_bench.quantities.curve.sequential_design import SequentialDesign
from ib_bench.quantities.curve.success_curve import Observation, Outcomes, Posterior, SuccessCurve
from ib_bench.quantities.search.bisection import Bisection, Bracket


@dataclass(frozen=True)
class CurveCell:
    """What the success curve says of a learner.

    Attributes:
        learner: that was measured.
        truth: its N50; infinite above the largest size.
        posterior: after the last run.
        ended: why there were no more runs.
        num_trials: runs.
        cost: optimizer steps, in budgets.
    """

    learner: Learner
    truth: float
    posterior: Posterior
    ended: str
    num_trials: int
    cost: float

    @property
    def covered(self) -> bool:
        """Whether the interval of N50 holds the truth."""
        low, _, high = self.posterior.n50
        return low <= self.truth <= high

    @property
    def error(self) -> float | None:
        """Of N50, in octaves; None where it or its estimate is infinite."""
        return _octaves(self.posterior.n50.median, self.truth)


@dataclass(frozen=True)
class BisectionCell:
    """What a bisection says of a learner.

    Attributes:
        error: middle of the bracket over N50, in octaves; None where one of them is infinite.
        cost: optimizer steps, in budgets.
    """

    error: float | None
    cost: float


def measure_curve(family: Family, design: SequentialDesign, seed: int) -> CurveCell:
    """Draw a learner and measure it as `ib-bench curve` would."""
    generator = torch.Generator().manual_seed(seed)
    learner = family(generator, design.curve.max_size)
    observations: list[Observation] = []
    while (ended := design.ended(observations)) is None:
        for size in design.next_sizes(observations):
            observations.append(Observation(size, *learner.train(size, generator)))
    cost = sum(observation.num_steps for observation in observations) / MAX_STEPS
    truth = learner.n50(design.curve.max_size)
    return CurveCell(learner, truth, design.posterior(observations), ended, len(observations), cost)


def measure_bisection(family: Family, bisection: Bisection, num_runs: int, seed: int) -> BisectionCell:
    """Draw the same learner and bisect; a size succeeds with the first success of several runs."""
    generator = torch.Generator().manual_seed(seed)
    learner = family(generator, bisection.max_size)
    num_steps = 0

    def succeeds(size: int) -> bool:
        nonlocal num_steps
        for _ in range(num_runs):
            succeeded, steps = learner.train(size, generator)
            num_steps += steps
            if succeeded:
                return True
        return False

    *_, (_, _, bracket) = bisection.run(succeeds)
    return BisectionCell(_octaves(_middle(bracket), learner.n50(bisection.max_size)), num_steps / MAX_STEPS)


def fit_of_search(
    family: Family,
    bisection: Bisection,
    num_runs: int,
    at_once: int | None,
    seed: int,
    shares_seeds: bool = False,
) -> CurveCell:
    """Draw a learner, search for its N*, and fit what the search has trained, as `--curve.from_records` does.

    Args:
        family: of the learner.
        bisection: chooses the sizes.
        num_runs: of a size, each with luck of its own.
        at_once: runs that are trained at once until the first success, which interrupts the others; None trains all to
            their end.
        seed: of everything.
        shares_seeds: whether a run that succeeds at one size succeeds at all at which it is more likely.
    """
    generator = torch.Generator().manual_seed(seed)
    learner = family(generator, bisection.max_size)
    observations: list[Observation] = []
    lucks = [uniform(generator) if shares_seeds else None for _ in range(num_runs)]

    def succeeds(size: int) -> bool:
        ended: list[tuple[int, bool, int]] = []  # when, whether with success, and after how many steps
        free = [0] * (at_once or 1)
        for succeeded, num_steps in [learner.train(size, generator, luck) for luck in lucks]:
            start = min(free)
            free[free.index(start)] = start + num_steps
            ended.append((start + num_steps, succeeded, num_steps))
        first = min((when for when, succeeded, _ in ended if succeeded), default=math.inf)
        kept = [run for run in ended if at_once is None or run[0] <= first]
        observations.extend(Observation(size, succeeded, num_steps) for _, succeeded, num_steps in kept)
        return first < math.inf

    for _ in bisection.run(succeeds):
        pass
    cost = sum(observation.num_steps for observation in observations) / MAX_STEPS
    posterior = SuccessCurve(bisection.max_size).posterior(Outcomes.of(observations))
    return CurveCell(learner, learner.n50(bisection.max_size), posterior, "records", len(observations), cost)


def _middle(bracket: Bracket) -> float:
    """Geometric; infinite where the largest size failed."""
    failing, succeeding = bracket.as_tuple()
    return math.inf if succeeding is None else math.sqrt(max(failing, 1) * succeeding)


def _octaves(estimate: float, truth: float) -> float | None:
    return math.log2(estimate / truth) if math.isfinite(estimate) and math.isfinite(truth) else None
