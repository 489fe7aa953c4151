"""What a search and a success curve leave of a size."""

from __future__ import annotations

import math

import numpy as np
import pytest
from made_up_records import ACOT, Point, curve, search

from ib_bench.quantities.curve.success_curve import Observation, Outcomes, SuccessCurve
from ib_bench.quantities.growth.known_size import KnownSize, of_curve, of_search

POINT = Point("LSTM", ACOT)
PLACES = (np.arange(1000) + 0.5) / 1000


def known(size: KnownSize | None) -> KnownSize:
    assert size is not None
    return size


def test_a_search_leaves_its_bracket() -> None:
    size = known(of_search(search(POINT, 100)))
    assert (size.lows, size.highs) == (math.log2(99), math.log2(100)) and size.is_measured
    above = known(of_search(search(POINT, None)))
    assert (above.lows, above.highs) == (12, math.inf) and above.is_above and above.is_informative
    floor = known(of_search(search(POINT, 1)))
    assert (floor.lows, floor.highs) == (-math.inf, 0) and not floor.is_measured and floor.is_informative
    assert of_search(search(POINT, None, max_size=0)) is None


def test_all_that_exist_are_not_enough() -> None:
    size = known(of_search(search(POINT, None, max_size=20)))
    assert size.is_exhausted and not size.is_informative
    assert known(of_search(search(POINT, 10, max_size=20))).is_informative
    exhausted = known(of_curve(curve(POINT, math.inf, max_size=20)))
    assert exhausted.is_exhausted and not exhausted.is_informative
    lows, highs = exhausted.draws(PLACES[-1:], exhausted_low=-math.inf)
    assert (lows, highs) == (-math.inf, math.inf)


@pytest.mark.parametrize("n50", [2.0, 40.0, 3000.0, math.inf])
def test_a_curve_leaves_its_posterior(n50: float) -> None:
    record = curve(POINT, n50, num_trials=4)
    size = known(of_curve(record))
    whole = SuccessCurve(record.max_size, record.config.prior)
    trials = [Observation(trial.size, trial.succeeded, trial.num_steps) for trial in record.curve_trials]
    posterior = whole.posterior(Outcomes.of(trials))
    assert size.weights.sum() == pytest.approx(1)
    assert size.probability_above == pytest.approx(posterior.probability_above, abs=1e-4)
    lows, _ = size.draws(PLACES, exhausted_low=0)
    interval = [np.exp2(np.quantile(lows, place)) for place in (0.05, 0.5, 0.95)]
    expected = [min(end, record.max_size) for end in posterior.n50]
    assert interval == pytest.approx(expected, rel=0.1)


def test_the_likelihood_is_the_posterior_over_the_prior() -> None:
    record = curve(POINT, 40.0, num_trials=4)
    size = known(of_curve(record))
    whole = SuccessCurve(record.max_size, record.config.prior)
    factors = []
    for low, high, weight, likelihood in zip(size.lows, size.highs, size.weights, size.likelihoods, strict=True):
        inside = (whole.log2_n50 > low) & (whole.log2_n50 <= high)
        factors.append(likelihood * whole.prior_weights[inside].sum() / weight)
    assert len(factors) > 5 and factors == pytest.approx([factors[0]] * len(factors))


def test_draws_are_quantiles() -> None:
    size = KnownSize(
        np.array([1.0, 2.0, 12.0]), np.array([2.0, 3.0, np.inf]), np.ones(3), np.array([0.5, 0.3, 0.2]), 12, False
    )
    lows, highs = size.draws(np.array([0.0, 0.25, 0.65, 0.9]), exhausted_low=0)
    assert lows.tolist() == pytest.approx([1.0, 1.5, 2.5, 12.0])
    assert highs.tolist() == pytest.approx([1.0, 1.5, 2.5, np.inf])
