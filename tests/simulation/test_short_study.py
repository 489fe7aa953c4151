"""The simulation study in short, and what the whole one found."""

from __future__ import annotations

import re
from statistics import fmean

import pytest
import torch
from simulation import from_records
from simulation.cells import fit_of_search, measure_bisection
from simulation.learners import FAMILIES, MAX_STEPS, Learner, from_prior
from simulation.presentation import FIGURE, published_tables, stored_results, tables
from simulation.study import FROM_PRIOR, coverage, simulate

from ib_bench.quantities.curve.sequential_design import SequentialDesign
from ib_bench.quantities.curve.success_curve import SuccessCurve
from ib_bench.quantities.search.bisection import Bisection

MAX_SIZE = 1024


@pytest.fixture(scope="module")
def design() -> SequentialDesign:
    return SequentialDesign(SuccessCurve(MAX_SIZE), MAX_STEPS)


def test_intervals_hold_the_truth_as_often_as_they_say(design: SequentialDesign) -> None:
    cells = simulate(from_prior, design, range(120))
    assert 0.84 <= coverage(cells) <= 0.98, "90 %, give or take two standard errors and the verdicts above N_max"


def test_a_factor_of_2_costs_less_than_the_papers_grid(design: SequentialDesign) -> None:
    seeds = range(20)
    cells = simulate(FAMILIES["middling"], design, seeds)
    bisection = Bisection(MAX_SIZE, multiplier=10, midpoint="geometric", relative_tolerance=0.5)
    costs = [measure_bisection(FAMILIES["middling"], bisection, 15, seed).cost for seed in seeds]
    assert fmean(cell.cost for cell in cells) < 0.6 * fmean(costs)
    assert fmean(cell.posterior.n50.factor <= 2 for cell in cells) > 0.6


def test_a_batch_of_four_covers_as_well() -> None:
    design = SequentialDesign(SuccessCurve(MAX_SIZE), MAX_STEPS, batch=4)
    assert coverage(simulate(from_prior, design, range(60))) >= 0.8


def test_early_stops_leave_a_fit_to_records_sound_unless_they_interrupt_others() -> None:
    bisection = Bisection(MAX_SIZE, multiplier=4, midpoint="geometric", relative_tolerance=0.5)
    covered, error = {}, {}
    for at_once in (None, 1, 5):
        cells = [fit_of_search(from_prior, bisection, 15, at_once, seed) for seed in range(100)]
        covered[at_once] = coverage(cells)
        error[at_once] = fmean(cell.error for cell in cells if cell.error is not None)
    assert min(covered[None], covered[1]) >= 0.84
    assert covered[5] < covered[1] and error[5] < error[1] - 0.3, "octaves"


def test_a_run_with_shared_luck_succeeds_wherever_it_is_likelier() -> None:
    learner, generator = FAMILIES["middling"](torch.Generator().manual_seed(1), MAX_SIZE), torch.Generator()
    outcomes = [[learner.train(2**octave, generator, luck)[0] for octave in range(11)] for luck in (0.1, 0.5, 0.9)]
    assert all(outcome == sorted(outcome) and outcome[-1] for outcome in outcomes)
    assert [sum(outcome) for outcome in outcomes] == sorted((sum(outcome) for outcome in outcomes), reverse=True)


def test_the_readme_shows_the_fits_to_records() -> None:
    rows = from_records.stored_rows()
    assert from_records.published_table() == from_records.table(rows)
    found = {(row["search"], row["shares_seeds"]): row for row in rows}
    assert all(row["num_cells"] == from_records.NUM_LEARNERS for row in rows)
    assert found["exhaustive", False]["coverage"] >= 0.87
    assert found["five runs at once", False]["error"] < -0.3 < found["one run after the other", False]["error"]


@pytest.mark.parametrize(
    ("learner", "n50"),
    [
        (Learner(5, 0.3), 32),
        (Learner(-3, 0.3), 1),
        (Learner(5, 0.3, ceiling=0.5), float("inf")),
        (Learner(5, 0.3, luck=0.6), 1),
        (Learner(5, 0.3, decline=0.6), 32),
    ],
)
def test_the_truth_of_a_made_up_learner(learner: Learner, n50: float) -> None:
    assert learner.n50(MAX_SIZE) == pytest.approx(n50, rel=0.01)


def test_the_readme_shows_the_stored_results() -> None:
    assert published_tables() == tables(stored_results())
    assert FIGURE.exists()


def test_the_whole_study_meets_its_targets() -> None:
    results = stored_results()
    overall = results["rows"][0]
    assert overall["learners"] == FROM_PRIOR and overall["num_cells"] >= 1000
    assert 0.87 <= overall["coverage"] <= 0.93
    assert all(row["coverage"] >= 0.8 for row in results["strata"])
    assert overall["cost"] <= 0.6 * overall["bisections"]["best of 15"][0]
    assert (
        sum(row["num_cells"] for row in results["strata"] if re.match("spread", row["learners"]))
        == overall["num_cells"]
    )
