"""Which sizes are tried, and when it ends."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest
from questplus import QuestPlus

from ib_bench.quantities.curve.prior import CurvePrior
from ib_bench.quantities.curve.sequential_design import SequentialDesign
from ib_bench.quantities.curve.success_curve import Observation, Outcomes, SuccessCurve, locations

BUDGET = 1000
STEP_AT_16 = [Observation(8, False, BUDGET), Observation(16, True, 150), Observation(512, True, 80)]


def run(design: SequentialDesign, succeeds: Callable[[int], bool]) -> list[Observation]:
    observations: list[Observation] = []
    while design.ended(observations) is None:
        for size in design.next_sizes(observations):
            succeeded = succeeds(size)
            observations.append(Observation(size, succeeded, 200 if succeeded else BUDGET))
    return observations


def test_quest_plus_chooses_the_same_size_and_has_the_same_posterior() -> None:
    """Where only the location is unknown and all runs cost the same, the rule is QUEST+'s."""
    only_location = CurvePrior(0.0, 0.0, 0.25, 0.5, 0.5, 1, 0.998, 1 - 1e-12, 1, 1)
    curve = SuccessCurve(1024, only_location)
    design = SequentialDesign(curve, BUDGET)
    assert len(set(curve.points[1])) == 1
    means, ceiling = locations(only_location, 1024), 0.999
    quest = QuestPlus(
        stim_domain={"intensity": np.log2(curve.sizes)},
        param_domain={"mean": means, "sd": [0.5], "lower_asymptote": [0.0], "lapse_rate": [1 - ceiling]},
        outcome_domain={"response": ["success", "failure"]},
        func="norm_cdf",
        stim_scale="linear",
    )
    logistic = ceiling / (1 + np.exp((means[None, :] - np.log2(curve.sizes)[:, None]) / 0.5))
    quest.likelihoods.values[:] = np.stack([logistic, 1 - logistic]).reshape(quest.likelihoods.shape)
    costs_as_much_as_failures = [Observation(1024, True, round(1.75 * BUDGET))]
    observations = list(costs_as_much_as_failures)
    quest.update(stim={"intensity": 10.0}, outcome={"response": "success"})
    for number in range(12):
        (size,) = design.next_sizes(observations)
        assert math.log2(size) == pytest.approx(quest.next_stim["intensity"]), number
        succeeded = size >= 100
        observations.append(Observation(size, succeeded, BUDGET))
        quest.update(stim={"intensity": math.log2(size)}, outcome={"response": "success" if succeeded else "failure"})
    weights = curve.posterior(Outcomes.of(observations)).weights
    of_location = {location: weights[curve.points[0] == location].sum() for location in means}
    assert list(of_location.values()) == pytest.approx(quest.posterior.values.ravel().tolist(), abs=1e-9)


def entropy(chance: float) -> float:
    return -sum(part * math.log(part) for part in (chance, 1 - chance) if part > 0)


def test_the_gain_is_the_information_about_n50_per_step_in_plain_python() -> None:
    curve = SuccessCurve(64, CurvePrior(1.0, 1.0, 0.5, 0.2, 1.5, 3, 0.9, 0.6, 3, 1))
    weights = curve.posterior(Outcomes.of(STEP_AT_16)).weights
    bins: dict[float, list[int]] = defaultdict(list)
    for index, n50 in enumerate(curve.log2_n50):
        bins[math.ceil(4 * n50) if math.isfinite(n50) else math.inf].append(index)
    gains = {}
    for size in curve.sizes:
        chances = curve.chances(size)
        chance = float(chances @ weights)
        remaining = sum(
            weights[members].sum() * entropy(float(chances[members] @ weights[members] / weights[members].sum()))
            for members in bins.values()
        )
        steps = chance * (0.25 * BUDGET + 150 + 80) / 3 + (1 - chance) * BUDGET
        gains[size] = (entropy(chance) - remaining) / steps
    assert SequentialDesign(curve, BUDGET).next_sizes(STEP_AT_16) == [max(gains, key=gains.__getitem__)]


@pytest.mark.parametrize("threshold", [3, 16, 100, 700])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_sharp_step_is_found(threshold: int, batch: int) -> None:
    design = SequentialDesign(SuccessCurve(1024), BUDGET, batch)
    observations = run(design, lambda size: size >= threshold)
    low, _, high = design.posterior(observations).n50
    assert design.ended(observations) == "narrow"
    assert low <= threshold and threshold - 1 < high <= 2 * low
    assert len(observations) <= 24


def test_what_never_succeeds_ends_above() -> None:
    design = SequentialDesign(SuccessCurve(1024), BUDGET)
    observations = run(design, lambda size: False)
    assert design.ended(observations) == "above"
    assert len(observations) <= 8
    assert {observation.size for observation in observations} >= {1024}


def test_what_always_succeeds_ends_at_one() -> None:
    design = SequentialDesign(SuccessCurve(1024), BUDGET)
    observations = run(design, lambda size: True)
    assert design.ended(observations) == "one"
    assert len(observations) <= 20


def test_the_largest_number_of_trials_is_kept_to() -> None:
    design = SequentialDesign(SuccessCurve(1024), BUDGET, batch=4, interval_factor=1.01, max_trials=10)
    observations = run(design, lambda size: size >= 100)
    assert design.ended(observations) == "max_trials"
    assert len(observations) == 10


def test_a_pool_of_one_sequence() -> None:
    design = SequentialDesign(SuccessCurve(1), BUDGET)
    assert design.next_sizes([]) == [1]
    assert design.ended(run(design, lambda size: True)) == "one"
    assert design.ended(run(design, lambda size: False)) == "above"


def test_a_batch_counts_the_runs_under_way() -> None:
    curve = SuccessCurve(1024)
    one, four = SequentialDesign(curve, BUDGET), SequentialDesign(curve, BUDGET, batch=4)
    sizes = four.next_sizes(STEP_AT_16)
    assert sizes[:1] == one.next_sizes(STEP_AT_16)
    assert len(set(sizes)) > 1, "runs under way change what is worth trying"
    assert four.next_sizes(list(reversed(STEP_AT_16))) == sizes, "the order in which runs end does not matter"
    assert SequentialDesign(SuccessCurve(1024), BUDGET, batch=4).next_sizes(STEP_AT_16) == sizes


def test_cheap_successes_are_sought() -> None:
    """Sizes grow as failures get dearer in comparison."""
    dear, cheap = ([Observation(16, True, steps)] * 8 + [Observation(8, False, BUDGET)] * 8 for steps in (BUDGET, 1))
    design = SequentialDesign(SuccessCurve(1024), BUDGET)
    assert design.next_sizes(cheap) >= design.next_sizes(dear)
    assert design.next_sizes(cheap[:1]) > design.next_sizes(dear[:1])
