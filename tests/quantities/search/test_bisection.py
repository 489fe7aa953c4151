"""The search on synthetic curves: a function of the size, no training."""

from __future__ import annotations

import random as python_random  # noqa: TID251 (an explicit generator)
from itertools import pairwise

import pytest

from ib_bench.quantities.search.bisection import Bisection, Bracket

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
