"""The demo's three cells with aligned chain of thought, measured again and again with disjoint seeds.

Made-up learners show that the intervals hold where the truth is known. Of real training runs nobody knows it, but
repeated measurements must scatter by as much as their intervals say. Each set of seeds measures every cell once. What
the store holds is not measured again, so an interrupted study goes on where it was.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import yaml
from simulation.presentation import Json, put_into_readme, table_lines, text_of_readme

import ib_bench
from ib_bench.quantities.curve.record import CurveRecord

NUM_SETS = 10
RESULTS = Path(__file__).with_name("real_results.json")

_DEMO = Path(__file__).parents[2] / "configs" / "demo.yaml"
_SUPERVISION = "aligned_chain_of_thought"
_FIRST_SEED = 1_000  # of the first set; the next one begins as many higher, more than a curve has trials
_OF_INTERVAL = 2 * 1.645  # standard deviations in a 90 % interval
_MARK = "real cells"


def cells() -> dict[str, Json]:
    """Model, data and search of each cell, by the name of its model."""
    demo = yaml.safe_load(_DEMO.read_text(encoding="utf-8"))
    data = demo["base"]["data"]
    arguments = {**data["init_args"], "supervision": _SUPERVISION}
    shared = {"data": {**data, "init_args": arguments}, "search": demo["base"]["search"]}
    return {model["class_path"]: {"model": model, **shared} for model in demo["axes"]["model"]}


def measure_cells(store: Path, num_sets: int, on_row: Callable[[Json], None]) -> list[Json]:
    """Measure every cell with each set of seeds.

    Args:
        store: that trials and curves are kept in.
        num_sets: how many sets.
        on_row: receives each measurement.

    Returns:
        A row for each measurement.
    """
    rows = []
    for number in range(num_sets):
        for name, config in cells().items():
            curve = {"first_seed": _FIRST_SEED * (number + 1)}
            rows.append(row_of(name, ib_bench.measure("curve", **config, curve=curve, store=store)))
            on_row(rows[-1])
    return rows


def row_of(name: str, record: CurveRecord) -> Json:
    """What the study keeps of a measurement."""
    assert record.estimate is not None
    low, median, high = vars(record.estimate.n50).values()
    return {
        "cell": name,
        "first_seed": record.config.settings.first_seed,
        **{"n50_low": low, "n50": median, "n50_high": high},
        "probability_above": record.estimate.probability_above,
        "verdict": record.verdict,
        "ended": record.ended,
        "num_trials": record.num_trials,
        "num_steps": record.num_steps,
        **{"num_checked": record.num_checked, "num_confirmed": record.num_confirmed},
    }


def publish(rows: Sequence[Json]) -> None:
    """Store rows, and put their table into the README of success curves."""
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    put_into_readme(_MARK, table(rows))


def stored_rows() -> list[Json]:
    """The rows that were published."""
    rows: list[Json] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return rows


def published_table() -> str:
    """The table that the README shows."""
    return text_of_readme(_MARK)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """A line for each cell, in Markdown."""
    by_cell: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_cell.setdefault(row["cell"], []).append(row)
    rows = list(rows)
    titles = ["cell", "measured", "N50 or bound, each", "scatter", "predicted", "hold the mean", "within 2x", "trials"]
    body = [[name, *_texts(own)] for name, own in by_cell.items()]
    told = f"{len(rows)} of {NUM_SETS * len(cells())} measurements:"
    return "\n".join(["", told, "", *table_lines([*titles, "steps", "confirmed"], body), ""])


def _texts(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    spreads = scatter(rows)
    checked, confirmed = (sum(row[name] for row in rows) for name in ("num_checked", "num_confirmed"))
    return [
        f"{len(rows)} times",
        "; ".join(row["verdict"] for row in rows),
        *("-" if value is None else f"{value:.2f}" for value in spreads[:2]),
        "-" if spreads[2] is None else f"{spreads[2]} of {len(rows)}",
        f"{sum(row['ended'] in ('narrow', 'one') for row in rows)} of {len(rows)}",
        f"{fmean(row['num_trials'] for row in rows):.0f}",
        f"{fmean(row['num_steps'] for row in rows):,.0f}",
        f"{confirmed} of {checked}",
    ]


def scatter(rows: Sequence[Mapping[str, Any]]) -> tuple[float | None, float | None, int | None]:
    """How far repeated measurements lie apart, and how far their intervals say.

    Args:
        rows: of one cell.

    Returns:
        Standard deviation of log2 N50 between measurements, the root mean square of the one that each interval
        predicts, both in octaves, and how many intervals hold the geometric mean of all N50. None where fewer than two
        measurements were made or one of them has no finite interval.
    """
    ends = [[row[name] for name in ("n50_low", "n50", "n50_high")] for row in rows]
    if len(rows) < 2 or any(end is None for own in ends for end in own):
        return None, None, None
    medians = [math.log2(median) for _, median, _ in ends]
    predicted = [(math.log2(high) - math.log2(low)) / _OF_INTERVAL for low, _, high in ends]
    mean = 2 ** fmean(medians)
    return (
        stdev(medians),
        math.sqrt(fmean(value**2 for value in predicted)),
        sum(low <= mean <= high for low, _, high in ends),
    )
