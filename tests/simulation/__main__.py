"""The whole studies of success curves: of made-up learners, and of real training runs."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

from simulation import from_records, real_cells
from simulation.presentation import FOLDER, Json, publish
from simulation.study import Row, run_study

NUM_CELLS = 3000


def _made_up() -> None:
    publish(run_study(NUM_CELLS, _print_row))


def _print_row(row: Row) -> None:
    print(f"{row.learners}: {row.num_cells} cells, {row.coverage:.1%} covered, cost {row.cost:.1f}", flush=True)


def _from_records() -> None:
    from_records.publish(from_records.measure())


def _real(store: Path, num_sets: int, workers: int | None, known: list[Json]) -> None:
    def keep(rows: list[Json]) -> None:
        seed = rows[-1]["first_seed"]
        for row in rows:
            if row["first_seed"] == seed:
                print(f"{row['cell']}, seeds from {seed}: N50 {row['verdict']}", flush=True)
        real_cells.publish(rows)  # a study that is stopped has published what it has measured

    real_cells.measure_sets(store, num_sets, workers, keep, known)


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("names", nargs="*", help="which studies: made_up and from_records (the default), real")
    parser.add_argument("--store", type=Path, default=Path("real_cells.sqlite"), help="of the real training runs")
    parser.add_argument("--sets", type=int, default=real_cells.NUM_SETS, help="of seeds, besides the demo's own")
    parser.add_argument("--workers", type=int, help="curves that are measured at once; default: one for each core")
    parser.add_argument("--again", action="store_true", help="measure the published sets again")
    options = parser.parse_args()
    known = [] if options.again else real_cells.stored_rows()
    studies = {
        "made_up": _made_up,
        "from_records": _from_records,
        "real": lambda: _real(options.store, options.sets, options.workers, known),
    }
    for name in options.names or ["made_up", "from_records"]:
        if name not in studies:
            parser.error(f"names must be among {', '.join(studies)}, got {name}")
        studies[name]()
    print(f"Tables and figure are in {FOLDER}")
