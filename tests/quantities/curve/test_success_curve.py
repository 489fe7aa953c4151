"""The posterior over success curves, against another library and against plain Python."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import psignifit
import pytest

from ib_bench.errors import InvalidOptionError
from ib_bench.quantities.curve.prior import PRIOR, CurvePrior
from ib_bench.quantities.curve.success_curve import (
    Interval,
    Observation,
    Outcomes,
    SuccessCurve,
    ceilings,
    locations,
    spreads,
)

RUNS = {4: (0, 3), 8: (1, 4), 11: (3, 4), 16: (6, 2), 32: (5, 0), 181: (4, 1)}
"""Successes and failures by size."""


def outcomes(runs: dict[int, tuple[int, int]]) -> Outcomes:
    observations = [
        Observation(size, succeeded, 1)
        for size, numbers in runs.items()
        for succeeded, number in zip((True, False), numbers, strict=True)
        for _ in range(number)
    ]
    return Outcomes.of(observations)


def test_sizes_are_half_octaves_up_to_the_largest() -> None:
    assert SuccessCurve(20).sizes == (1, 2, 3, 4, 6, 8, 11, 16, 20)
    assert SuccessCurve(1).sizes == (1,)
    sizes = SuccessCurve(16_000_000).sizes
    assert sizes[-1] == 16_000_000 and len(sizes) == 48
    with pytest.raises(InvalidOptionError, match="max_size must be an integer of at least 1, got 0"):
        SuccessCurve(0)


def test_the_prior_is_what_its_docstring_says() -> None:
    curve = SuccessCurve(1024)
    location, spread, ceiling = curve.points
    weights = curve.prior_weights
    assert weights.sum() == pytest.approx(1)
    assert location.min() > -1 and location.max() < 11
    assert weights[location < 5].sum() == pytest.approx(0.5), "uniform from -1 to 11"
    assert weights[spread < math.sqrt(0.1 * 2)].sum() == pytest.approx(0.5), "uniform in the logarithm"
    assert weights[ceiling > 0.9].sum() == pytest.approx(0.6)
    assert weights[ceiling <= 0.5].sum() == pytest.approx(0.4 * (0.5 / 0.9) ** 2, abs=0.02)


def test_the_posterior_is_bayes_rule_in_plain_python() -> None:
    prior = CurvePrior(0.5, 0.5, 0.5, 0.2, 1.5, 3, 0.9, 0.6, 2, 1)
    curve = SuccessCurve(64, prior)
    ceiling_values, probabilities = ceilings(prior)
    found: dict[tuple[float, float, float], float] = {}
    for location, spread, index in product(locations(prior, 64), spreads(prior), range(3)):
        likelihood = probabilities[index]
        for size, (successes, failures) in RUNS.items():
            chance = ceiling_values[index] / (1 + math.exp(-(math.log2(size) - location) / spread))
            likelihood *= chance**successes * (1 - chance) ** failures
        found[location, spread, ceiling_values[index]] = likelihood
    weights = curve.posterior(outcomes(RUNS)).weights
    total = sum(found.values())
    for point, weight in zip(curve.points.T.tolist(), weights, strict=True):
        assert weight == pytest.approx(found[tuple(point)] / total, rel=1e-6)


@pytest.mark.filterwarnings("ignore")
def test_psignifit_has_the_same_posterior() -> None:
    """psignifit fits the same curve: threshold mu, width from 5 % to 95 % of the ceiling, lapse rate 1 - c."""
    width_of_spread = 2 * math.log(19)
    low, high = -1.0, 9.0
    high_ceiling, high_probability = PRIOR.high_ceiling, PRIOR.high_probability
    data = [[math.log2(size), successes, successes + failures] for size, (successes, failures) in RUNS.items()]
    result = psignifit.psignifit(
        np.array(data),
        sigmoid="logistic",
        experiment_type="yes/no",
        fixed_parameters={"gamma": 0.0, "eta": 0.0},
        stimulus_range=(low, high),
        bounds={
            "threshold": (low, high),
            "width": (PRIOR.min_spread * width_of_spread, PRIOR.max_spread * width_of_spread),
            "lambda": (1e-6, 0.99),
        },
        priors={
            "threshold": np.ones_like,
            "width": lambda width: 1 / np.maximum(width, 1e-3),
            "lambda": lambda lapse: np.where(
                1 - lapse > high_ceiling,
                high_probability / (1 - high_ceiling),
                (1 - high_probability) * 2 * (1 - lapse) / high_ceiling**2,
            ),
        },
        grid_steps={"threshold": 80, "width": 60, "lambda": 60},
        steps_moving_bounds={"threshold": 60, "width": 40, "lambda": 40},
    )
    fine = replace(PRIOR, location_step=0.05, num_spreads=40, num_low_ceilings=30, num_high_ceilings=6)
    curve = SuccessCurve(256, fine)
    weights = curve.posterior(outcomes(RUNS)).weights
    for name, values in (("threshold", curve.points[0]), ("lambda", 1 - curve.points[2])):
        order = np.argsort(values)
        own = values[order][np.searchsorted(np.cumsum(weights[order]), [0.05, 0.95])]
        assert result.confidence_intervals[name]["0.9"] == pytest.approx(own, abs=0.08), name


def test_the_interval_narrows_around_the_truth() -> None:
    curve = SuccessCurve(1024)
    few, many = ({64: (0, n), 91: (n, n), 128: (n, 0)} for n in (2, 20))
    wide, narrow = (curve.posterior(outcomes(runs)).n50 for runs in (few, many))
    assert wide.low < narrow.low < 91 < narrow.high < wide.high
    assert narrow.factor < 1.5


def test_the_points_of_the_curve_are_in_order() -> None:
    posterior = SuccessCurve(1024).posterior(outcomes({16: (1, 9), 32: (5, 5), 64: (9, 1), 256: (10, 0)}))
    best = posterior.best_of(15)
    assert best.median < posterior.n50.median < posterior.n90.median
    assert posterior.best_of(1) == posterior.n50
    assert posterior.chance(32).low < 0.5 < posterior.chance(32).high
    assert posterior.ceiling.low > 0.7
    assert 0.2 < posterior.spread.median < 1


def test_a_low_ceiling_has_no_n50() -> None:
    posterior = SuccessCurve(4096).posterior(outcomes({512: (6, 14), 4096: (9, 31)}))
    assert posterior.probability_above > 0.95
    assert posterior.n50 == Interval(math.inf, math.inf, math.inf) and posterior.n50.factor == math.inf
    assert math.isfinite(posterior.best_of(15).high)
    assert posterior.ceiling.high < 0.5


def test_impossible_data_leave_a_posterior() -> None:
    posterior = SuccessCurve(1024).posterior(outcomes({1: (40, 0), 1024: (0, 40)}))
    assert np.isfinite(posterior.weights).all() and posterior.weights.sum() == pytest.approx(1)
