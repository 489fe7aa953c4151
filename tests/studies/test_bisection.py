"""The search on synthetic curves: a function of the size, no training."""

from __future__ import annotations

import random as python_random  # noqa: TID251 (an explicit generator)
from itertools import pairwise

import pytest

from ib_bench.studies.bisection import Bisection, Bracket

Steps = list[tuple[int, bool, Bracket]]


def run(threshold: int, **rule: object) -> Steps:
    return list(Bisection(**rule).run(lambda size: size >= threshold))  # type: ignore[arg-type]


@pytest.mark.parametrize("midpoint", ["arithmetic", "geometric"])
@pytest.mark.parametrize("max_size", [1, 2, 13, 999, 1000, 1001, 50_000])
def test_the_exact_threshold_is_found(max_size: int, midpoint: str) -> None:
    for threshold in {1, 2, 3, max_size // 2, max_size - 1, max_size} & set(range(1, max_size + 1)):
        steps = run(threshold, max_size=max_size, midpoint=midpoint, max_evaluations=200)
        assert steps[-1][2] == Bracket(threshold - 1, threshold)
        sizes = [size for size, _, _ in steps]
        assert len(set(sizes)) == len(sizes)
        assert sizes[0] == max_size


def test_the_papers_protocol_needs_at_most_twenty_sizes() -> None:
    steps = run(1_700, max_size=16_000_000, multiplier=1000, max_evaluations=20)
    assert [size for size, _, _ in steps[:4]] == [16_000_000, 16_000, 16, 8008]
    assert steps[-1][2] == Bracket(1_699, 1_700)
    assert len(steps) <= 20


def test_no_more_sizes_than_allowed() -> None:
    for allowed in range(1, 12):
        steps = run(777_777, max_size=16_000_000, max_evaluations=allowed)
        assert len(steps) == allowed
        failing, succeeding = steps[-1][2].as_tuple()
        assert succeeding is not None and failing < 777_777 <= succeeding


def test_censoring() -> None:
    assert run(5_000, max_size=4_999) == [(4_999, False, Bracket(4_999, None))]


def test_a_pool_smaller_than_the_multiplier() -> None:
    sizes = [size for size, _, _ in run(5, max_size=13, multiplier=1000)]
    assert sizes[:2] == [13, 1]


def test_everything_succeeds() -> None:
    assert run(1, max_size=16_000_000)[-1][2] == Bracket(0, 1)


def test_relative_tolerance_ends_early() -> None:
    steps = run(1_700, max_size=16_000_000, relative_tolerance=0.1)
    failing, succeeding = steps[-1][2].as_tuple()
    assert succeeding is not None and 0 < succeeding - failing <= 0.1 * succeeding
    assert len(steps) < len(run(1_700, max_size=16_000_000))


@pytest.mark.parametrize("midpoint", ["arithmetic", "geometric"])
def test_answers_without_order_end_too(midpoint: str) -> None:
    for seed in range(200):
        answers = python_random.Random(seed)
        rule = Bisection(max_size=10_000, multiplier=10, max_evaluations=50, midpoint=midpoint)  # type: ignore[arg-type]
        steps = list(rule.run(lambda size, answers=answers: answers.random() < 0.7))  # type: ignore[misc]
        assert len(steps) <= 20
        bracket = steps[-1][2]
        if bracket.succeeding is not None:
            assert bracket.succeeding - bracket.failing == 1
            said = {size: succeeded for size, succeeded, _ in steps}
            assert said[bracket.succeeding] and not said.get(bracket.failing, False)
        for before, after in pairwise(steps):
            assert before[2].failing <= after[2].failing


def test_the_geometric_midpoint_halves_orders_of_magnitude() -> None:
    rule = Bisection(max_size=10**6, midpoint="geometric")
    assert rule.next_size(Bracket(100, 10_000)) == 1_000
    assert Bisection(max_size=10**6).next_size(Bracket(100, 10_000)) == 5_050


def test_a_guess_ends_in_the_same_bracket_with_fewer_sizes() -> None:
    random = python_random.Random(0)
    num_cold = num_warm = 0
    for _ in range(2000):
        max_size = random.choice([7, 64, 1000, 8192, 100_000])
        tolerance = random.choice([0.0, 0.0, 0.2])
        rule = Bisection(
            max_size, random.choice([2, 10, 1000]), 40, random.choice(["arithmetic", "geometric"]), tolerance
        )
        threshold = max(1, round(max_size ** random.uniform(0, 1.05)))
        guess = max(1, round(threshold * 2 ** random.gauss(0, 1)))
        cold = list(rule.run(lambda size, threshold=threshold: size >= threshold))  # type: ignore[misc]
        warm = list(rule.run(lambda size, threshold=threshold: size >= threshold, guess))  # type: ignore[misc]
        assert len({size for size, _, _ in warm}) == len(warm)
        (*_, known), (*_, expected) = warm[-1], cold[-1]
        if tolerance:  # a size that the cold search does not come to may narrow the bracket further
            assert expected.failing <= known.failing < threshold
            assert (
                expected.succeeding is known.succeeding is None or threshold <= known.succeeding <= expected.succeeding
            )
        else:
            assert known == expected
        num_cold, num_warm = num_cold + len(cold), num_warm + len(warm)
    assert num_warm < 0.9 * num_cold


def test_a_right_guess_takes_two_sizes() -> None:
    steps = Bisection(100_000).run(lambda size: size >= 777, guess=777)
    assert [(size, succeeded) for size, succeeded, _ in steps] == [(777, True), (776, False)]


@pytest.mark.parametrize("guess", [1, 2, 50, 1000, 10**9])
def test_a_wrong_guess_only_costs_sizes(guess: int) -> None:
    for threshold in (1, 2, 499, 1000, 1001):
        steps = list(Bisection(1000, max_evaluations=60).run(lambda size, t=threshold: size >= t, guess))  # type: ignore[misc]
        assert steps[-1][2] == (Bracket(1000, None) if threshold > 1000 else Bracket(threshold - 1, threshold))
