"""The whole study: ``make simulate``."""

from __future__ import annotations

from simulation.presentation import FOLDER, publish
from simulation.study import Row, run_study

NUM_CELLS = 3000


def _print_row(row: Row) -> None:
    print(f"{row.learners}: {row.num_cells} cells, {row.coverage:.1%} covered, cost {row.cost:.1f}", flush=True)


if __name__ == "__main__":
    publish(run_study(NUM_CELLS, _print_row))
    print(f"Tables and figure are in {FOLDER}")
