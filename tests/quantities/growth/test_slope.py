"""Slopes on simulated series, against least squares and against the truth."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy import special, stats

from ib_bench.quantities.growth.slope import MAX_CHANGE, Point, Slope, fit
from ib_bench.quantities.known_size import KnownSize, of_interval

LENGTHS = (4, 5, 6, 8, 10)
LIMIT = 13.0


def exact(log2_size: float) -> KnownSize:
    return of_interval(log2_size - 0.005, log2_size + 0.005, LIMIT)


def bracket(log2_size: float) -> KnownSize:
    """What a bisection over powers of 2 leaves, from 1 to the largest size."""
    if log2_size > LIMIT:
        return of_interval(LIMIT, math.inf, LIMIT)
    upper = math.ceil(log2_size)
    return of_interval(upper - 1, upper, LIMIT) if upper > 0 else of_interval(-math.inf, 0, LIMIT)


def normals(number: int, seed: int = 0) -> list[float]:
    generator = torch.Generator().manual_seed(seed)
    drawn: list[float] = torch.randn(number, generator=generator, dtype=torch.float64).tolist()
    return drawn


def holds(slope: Slope, truth: float) -> bool:
    low, high = (-math.inf if slope.low is None else slope.low), (math.inf if slope.high is None else slope.high)
    return low <= truth <= high


@pytest.mark.parametrize("law", ["exponent", "rate"])
def test_without_censoring_it_is_least_squares(law: str) -> None:
    """Ordinary least squares with Student's t, as the prior of the scatter is log-uniform."""
    lengths = list(range(2, 14))
    noise = normals(len(lengths))
    transformed = [math.log2(x) if law == "exponent" else x for x in lengths]
    sizes = [4 + 0.7 * place + 0.6 * error for place, error in zip(transformed, noise, strict=True)]
    found = fit([[Point(x, exact(size)) for x, size in zip(lengths, sizes, strict=True)]])
    expected = stats.linregress(transformed, sizes)
    half_width = stats.t.ppf(0.95, len(lengths) - 2) * expected.stderr
    assert found is not None
    slope: Slope = getattr(found, law)
    assert slope.low is not None and slope.high is not None
    assert slope.median == pytest.approx(expected.slope, abs=0.02 * half_width)
    assert slope.high - slope.low == pytest.approx(2 * half_width, rel=0.05)


def simulated(seed: int) -> tuple[float, list[Point]]:
    """A change over all lengths in octaves, and brackets of a series that follows it."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
    change, scatter, level = 12 * places[0] - 6, 0.15 * (2.0 / 0.15) ** places[1], 2 + 10 * places[2]
    span = math.log2(LENGTHS[-1] / LENGTHS[0])
    middle = math.log2(LENGTHS[-1] * LENGTHS[0]) / 2
    means = [level + change * (math.log2(x) - middle) / span for x in LENGTHS]
    errors = normals(len(LENGTHS), seed + 10_000)
    points = [Point(x, bracket(mean + scatter * error)) for x, mean, error in zip(LENGTHS, means, errors, strict=True)]
    return change, points


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 200 simulated series with brackets, bounds and floors; a binomial of 90 % lies within these limits."""
    outcomes = []
    for seed in range(200):
        change, points = simulated(seed)
        found = fit([points])
        if found is not None:
            outcomes.append(holds(found.change, change))
    assert len(outcomes) > 180
    assert 0.86 <= np.mean(outcomes) <= 0.97


def summed(lengths: Sequence[float], intervals: Sequence[tuple[float, float]]) -> list[float]:
    """The 5, 50 and 95 % points of the change by the power law, summed over a dense grid."""
    centred = np.log2(lengths) - np.mean(np.log2(lengths))
    places = centred / math.log2(max(lengths) / min(lengths))
    changes, levels = np.linspace(-24, 24, 961), np.arange(-24, 36, 1 / 8)
    density = np.zeros(len(changes))
    for scatter in np.exp(np.linspace(math.log(0.15), math.log(4.0), 8)):
        product = np.ones((len(changes), len(levels)))
        for place, (low, high) in zip(places, intervals, strict=True):
            means = levels[None, :] + changes[:, None] * place
            product *= special.ndtr((high - means) / scatter) - special.ndtr((low - means) / scatter)
        density += product.sum(axis=1)
    shares = np.cumsum(density) / density.sum()
    points: list[float] = np.interp([0.05, 0.5, 0.95], shares, changes + (changes[1] - changes[0]) / 2).tolist()
    return points


@pytest.mark.parametrize(
    "intervals",
    [
        [(9, 10), (9, 10), (9, 10)],
        [(9, 10), (5, 6), (LIMIT, math.inf)],
        [(7, 8), (-math.inf, 0), (7, 8), (11, 12)],
    ],
)
def test_few_brackets_give_what_a_dense_grid_gives(intervals: Sequence[tuple[float, float]]) -> None:
    """Brackets of few cells leave a posterior with steps, which a grid of few changes would miss."""
    lengths = LENGTHS[: len(intervals)]
    found = fit([[Point(x, of_interval(*ends, LIMIT)) for x, ends in zip(lengths, intervals, strict=True)]])
    assert found is not None
    assert [found.change.low, found.change.median, found.change.high] == pytest.approx(
        summed(lengths, intervals), abs=0.02
    )


def growing(exponent: float, lengths: Sequence[float], seed: int = 1, level: float = 5.0) -> list[float]:
    errors = normals(len(lengths), seed)
    return [level + exponent * math.log2(x) + 0.3 * error for x, error in zip(lengths, errors, strict=True)]


def test_a_bound_is_not_taken_for_a_size() -> None:
    """Sizes above the largest hide how steep the series is; taken for sizes they would flatten it."""
    lengths = (2, 3, 4, 5, 6, 8, 10, 12)
    sizes = growing(4.0, lengths)
    censored = [Point(x, bracket(size)) for x, size in zip(lengths, sizes, strict=True)]
    assert sum(math.isinf(point.size.highs[-1]) for point in censored) >= 4
    found = fit([censored])
    naive = fit([[Point(x, exact(min(size, LIMIT))) for x, size in zip(lengths, sizes, strict=True)]])
    assert found is not None and naive is not None
    assert holds(found.exponent, 4.0) and not holds(naive.exponent, 4.0)
    assert naive.exponent.median < 3.5 < found.exponent.median


def test_one_sequence_suffices_is_a_bound_too() -> None:
    lengths = (2, 3, 4, 5, 6, 8, 10, 12)
    sizes = growing(-4.0, lengths, seed=4, level=12.0)
    found = fit([[Point(x, bracket(size)) for x, size in zip(lengths, sizes, strict=True)]])
    naive = fit([[Point(x, exact(max(size, 0.0))) for x, size in zip(lengths, sizes, strict=True)]])
    assert found is not None and naive is not None
    assert holds(found.exponent, -4.0) and naive.exponent.median > found.exponent.median + 0.3


def test_an_end_that_nothing_holds_is_open() -> None:
    sizes = [of_interval(3, 4, LIMIT), of_interval(4, 5, LIMIT), of_interval(-math.inf, 0, LIMIT)]
    unknown = of_interval(LIMIT, math.inf, LIMIT)
    found = fit([[Point(2, sizes[0]), Point(2.1, sizes[1]), Point(20, unknown), Point(21, unknown)]])
    assert found is not None and found.change.high is None
    assert found.change.low is not None and 0 < found.change.low < MAX_CHANGE


@pytest.mark.parametrize(
    ("points", "is_enough"),
    [
        ([(4, 3.0), (6, 4.0)], False),
        ([(4, 3.0), (4, 3.1), (6, 4.0)], False),
        ([(4, 3.0), (6, 4.0), (8, 5.0)], True),
        ([(4, 3.0), (6, 4.0), (8, 20.0)], True),
        ([(4, 3.0), (6, 20.0), (8, 20.0)], False),
    ],
)
def test_too_few_sizes(points: list[tuple[float, float]], is_enough: bool) -> None:
    assert (fit([[Point(x, bracket(size)) for x, size in points]]) is not None) == is_enough


def test_exhausted_cells_are_left_out() -> None:
    exhausted = of_interval(4, math.inf, 4, is_exhausted=True)
    points = [Point(x, bracket(size)) for x, size in ((4, 3.5), (6, 4.5), (8, 5.5))]
    assert fit([[*points, Point(2, exhausted)]]) == fit([points])
    assert fit([[*points[:2], Point(2, exhausted)]]) is None


@pytest.mark.parametrize(("law", "better"), [("power", "power law"), ("exponential", "exponential")])
def test_the_better_law_is_the_one_that_made_the_series(law: str, better: str) -> None:
    lengths = (2, 3, 4, 6, 8, 12, 16, 24)
    places = [3 * math.log2(x) if law == "power" else 0.5 * x for x in lengths]
    errors = normals(len(lengths), 3)
    sizes = [2 + place + 0.2 * error for place, error in zip(places, errors, strict=True)]
    found = fit([[Point(x, exact(size)) for x, size in zip(lengths, sizes, strict=True)]])
    assert found is not None and found.better == better
    few = fit([[Point(x, exact(size)) for x, size in zip(lengths[2:5], sizes[2:5], strict=True)]])
    assert few is not None and few.better == "undecided"


def test_series_share_a_slope_and_keep_their_levels() -> None:
    lengths = (4, 5, 6, 8)
    series = [
        [Point(x, exact(level + size)) for x, size in zip(lengths, growing(2.0, lengths, seed), strict=True)]
        for seed, level in ((5, 0.0), (6, 6.0), (7, -3.0))
    ]
    pooled, alone = fit(series), [fit([own]) for own in series]
    assert pooled is not None and holds(pooled.exponent, 2.0)
    assert pooled.exponent.low is not None and pooled.exponent.high is not None
    width = pooled.exponent.high - pooled.exponent.low
    for own in alone:
        assert own is not None and own.exponent.low is not None and own.exponent.high is not None
        assert width < own.exponent.high - own.exponent.low
    short = [[point for point in own if point.x in (4, 8)] for own in series]
    assert fit(short) is None and fit([series[0], *short[1:]]) is not None
