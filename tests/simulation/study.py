"""The simulation study: how often the intervals hold the truth, and what they cost beside bisections."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from statistics import fmean
from typing import Any

from simulation.cells import BisectionCell, CurveCell, measure_bisection, measure_curve
from simulation.learners import FAMILIES, MAX_STEPS, Family, from_prior

from ib_bench.quantities.curve.sequential_design import SequentialDesign
from ib_bench.quantities.curve.success_curve import SuccessCurve
from ib_bench.quantities.search.bisection import Bisection

MAX_SIZE = 16_384
FROM_PRIOR = "drawn from the prior"

_FIRST_SEED = 1_000_000
"""Of the whole study. Prior and design were chosen on seeds below 10,000, which it must not use."""

SPREADS = (0.1, 0.2, 0.4, 0.6, 1.0, 1.4, 2.0)
"""Ends of the strata of spread, in octaves."""

CEILINGS = (0.0, 0.3, 0.45, 0.6, 0.75, 0.9, 0.95, 1.0)
"""Ends of the strata of the ceiling."""


@dataclass(frozen=True)
class Row:
    """What came of the cells of one kind of learner.

    Attributes:
        learners: their name.
        num_cells: how many were simulated.
        coverage: share of the intervals of N50 that hold the truth.
        finite_coverage: the same, where the truth is at most the largest size; None where it never is.
        narrow: share that ended with an interval within a factor of 2.
        above: share that ended with N50 above the largest size.
        num_trials: mean number of runs.
        cost: mean cost, in budgets.
        narrow_cost: mean cost of those that ended with a narrow interval, in budgets; None without any.
        rmse: root of the mean squared error of log2 N50, in octaves, where it is finite; None where it never is.
        bisections: mean cost and rmse, by the name of the rule.
    """

    learners: str
    num_cells: int
    coverage: float
    finite_coverage: float | None
    narrow: float
    above: float
    num_trials: float
    cost: float
    narrow_cost: float | None
    rmse: float | None
    bisections: dict[str, tuple[float, float | None]]


BISECTIONS: dict[str, tuple[Bisection, int]] = {
    "best of 2": (Bisection(MAX_SIZE, multiplier=10, midpoint="geometric", relative_tolerance=0.5), 2),
    "best of 15": (Bisection(MAX_SIZE, multiplier=10, midpoint="geometric", relative_tolerance=0.5), 15),
    "best of 15, exact": (Bisection(MAX_SIZE), 15),
}
"""The first two stop at a bracket within a factor of 2; the last is the paper's protocol."""


def run_study(num_cells: int, on_row: Callable[[Row], None]) -> dict[str, Any]:
    """Simulate.

    Args:
        num_cells: of learners drawn from the prior; each other kind has a tenth of them.
        on_row: receives each row as soon as it is there.

    Returns:
        The rows of all kinds of learner, and the strata of those drawn from the prior, as plain data.
    """
    design = SequentialDesign(SuccessCurve(MAX_SIZE), MAX_STEPS)
    seeds = range(_FIRST_SEED, _FIRST_SEED + num_cells)
    cells = simulate(from_prior, design, seeds)
    rows = [_row(FROM_PRIOR, cells, _bisections(from_prior, seeds))]
    on_row(rows[0])
    for name, family in FAMILIES.items():
        seeds = range(_FIRST_SEED, _FIRST_SEED + num_cells // 10)
        rows.append(_row(name, simulate(family, design, seeds), _bisections(family, seeds)))
        on_row(rows[-1])
    return {"rows": [asdict(row) for row in rows], "strata": [asdict(row) for row in strata(cells)]}


def simulate(family: Family, design: SequentialDesign, seeds: Iterable[int]) -> list[CurveCell]:
    """Measure a learner for each seed."""
    return [measure_curve(family, design, seed) for seed in seeds]


def strata(cells: Sequence[CurveCell]) -> list[Row]:
    """Cells apart by spread, and by ceiling."""
    rows = []
    for name, ends in (("spread", SPREADS), ("ceiling", CEILINGS)):
        for low, high in pairwise(ends):
            inside = [cell for cell in cells if low <= getattr(cell.learner, name) < high]
            rows.append(_row(f"{name} {low:g} to {high:g}", inside, {}))
    return rows


def coverage(cells: Sequence[CurveCell]) -> float:
    """Share of the intervals of N50 that hold the truth."""
    return fmean(cell.covered for cell in cells)


def _bisections(family: Family, seeds: Iterable[int]) -> dict[str, list[BisectionCell]]:
    return {
        name: [measure_bisection(family, bisection, num_runs, seed) for seed in seeds]
        for name, (bisection, num_runs) in BISECTIONS.items()
    }


def _row(learners: str, cells: Sequence[CurveCell], bisections: dict[str, list[BisectionCell]]) -> Row:
    finite = [cell for cell in cells if math.isfinite(cell.truth)]
    narrow = [cell.cost for cell in cells if cell.ended == "narrow"]
    compared = {
        name: (fmean(each.cost for each in measured), _rmse(each.error for each in measured))
        for name, measured in bisections.items()
    }
    return Row(
        learners=learners,
        num_cells=len(cells),
        coverage=coverage(cells),
        finite_coverage=coverage(finite) if finite else None,
        narrow=len(narrow) / len(cells),
        above=fmean(cell.ended == "above" for cell in cells),
        num_trials=fmean(cell.num_trials for cell in cells),
        cost=fmean(cell.cost for cell in cells),
        narrow_cost=fmean(narrow) if narrow else None,
        rmse=_rmse(cell.error for cell in cells),
        bisections=compared,
    )


def _rmse(errors: Iterable[float | None]) -> float | None:
    known = [error**2 for error in errors if error is not None]
    return math.sqrt(fmean(known)) if known else None
