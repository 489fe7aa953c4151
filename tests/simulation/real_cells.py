"""The demo, measured again and again with disjoint seeds.

Made-up learners show that the intervals hold where the truth is known. Of real training runs nobody knows it, but
repeated measurements must scatter by as much as their intervals say, and a newcomer's run of the demo must agree with
the one in the README. The first set of seeds is the demo's own. Sets whose rows are published, and curves that the
store holds, are not measured again, so an interrupted study goes on where it was.
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
"""Of seeds, besides the demo's own."""

RESULTS = Path(__file__).with_name("real_results.json")
DEMO = Path(__file__).parents[2] / "configs" / "demo.yaml"

_OFFSET = 1_000  # of the first seed from one set to the next, more than a curve has trials
_OF_INTERVAL = 2 * 1.645  # standard deviations in a 90 % interval
_MARK = "real cells"


def suite_of(number: int) -> Json:
    """The demo with the seeds of one set; set 0 is the demo itself."""
    suite: Json = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    suite["base"]["curve"]["first_seed"] += _OFFSET * number
    return suite


def measure_sets(
    store: Path,
    num_sets: int,
    workers: int | None,
    on_rows: Callable[[list[Json]], None],
    known: Sequence[Json] = (),
) -> list[Json]:
    """Run the demo with its own seeds, and then with each set.

    Args:
        store: that trials and curves are kept in.
        num_sets: how many sets besides the demo's own.
        workers: curves that are measured at once; None takes one for each core.
        on_rows: receives all rows so far, after each set.
        known: rows of sets that need not be measured again.

    Returns:
        A row for each curve, of the known sets first.
    """
    rows = list(known)
    measured = {row["first_seed"] for row in known}
    for number in range(num_sets + 1):
        if suite_of(number)["base"]["curve"]["first_seed"] in measured:
            continue
        options: Json = {"executor": "processes", "workers": workers, "wandb": {"mode": "disabled"}, "name": "demo"}
        found = ib_bench.run(suite_of(number), store=store, **options)
        rows += [row_of(record) for record in found["curve"]]
        on_rows(rows)
    return rows


def cell_of(record: CurveRecord) -> str:
    """The name of a curve's cell."""
    return f"{record.labels.model.partition('(')[0]}, {record.labels.supervision}"


def row_of(record: CurveRecord) -> Json:
    """What the study keeps of a curve."""
    assert record.estimate is not None
    low, median, high = vars(record.estimate.n50).values()
    return {
        "cell": cell_of(record),
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


def table(rows: Sequence[Json]) -> str:
    """A line for each cell, in Markdown."""
    own_seed = min((row["first_seed"] for row in rows), default=None)
    by_cell: dict[str, list[Json]] = {}
    for row in rows:
        by_cell.setdefault(row["cell"], []).append(row)
    titles = ["cell", "the demo's N50", "N50 with other seeds", "agree", "scatter", "predicted", "hold the mean"]
    titles += ["trials", "steps", "confirmed"]
    body = []
    for cell, of_cell in by_cell.items():
        (own,) = (row for row in of_cell if row["first_seed"] == own_seed)
        body.append([cell, *_texts(own, [row for row in of_cell if row is not own])])
    num_sets = len({row["first_seed"] for row in rows} - {own_seed})
    return "\n".join(["", f"{num_sets} of {NUM_SETS} sets of seeds:", "", *table_lines(titles, body), ""])


def _texts(own: Json, others: Sequence[Json]) -> list[str]:
    measured, predicted, holding = scatter(others)
    checked, confirmed = (sum(row[name] for row in [own, *others]) for name in ("num_checked", "num_confirmed"))
    return [
        own["verdict"],
        "; ".join(row["verdict"] for row in others) or "-",
        f"{sum(agree(own, row) for row in others)} of {len(others)}",
        *("-" if value is None else f"{value:.2f}" for value in (measured, predicted)),
        "-" if holding is None else f"{holding} of {len(others)}",
        f"{fmean(row['num_trials'] for row in [own, *others]):.0f}",
        f"{fmean(row['num_steps'] for row in [own, *others]):,.0f}",
        f"{confirmed} of {checked}" if checked else "-",
    ]


def agree(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the 90 % intervals of two measurements overlap; an end above the largest size is infinite."""
    (low, high), (other_low, other_high) = (
        [math.inf if row[end] is None else row[end] for end in ("n50_low", "n50_high")] for row in (one, other)
    )
    return bool(low <= other_high and other_low <= high)


def scatter(rows: Iterable[Mapping[str, Any]]) -> tuple[float | None, float | None, int | None]:
    """How far repeated measurements lie apart, and how far their intervals say.

    Args:
        rows: of one cell.

    Returns:
        Standard deviation of log2 N50 between measurements; the root mean square of the one that each interval with two
        ends predicts, both in octaves; and how many intervals hold the geometric mean of all N50. None where fewer than
        two measurements were made, or one of them has no N50, or no interval has two ends.
    """
    ends = [[row[name] for name in ("n50_low", "n50", "n50_high")] for row in rows]
    predicted = [math.log2(high / low) / _OF_INTERVAL for low, _, high in ends if low is not None and high is not None]
    if len(ends) < 2 or not predicted or any(median is None for _, median, _ in ends):
        return None, None, None
    medians = [math.log2(median) for _, median, _ in ends]
    mean = 2 ** fmean(medians)
    return (
        stdev(medians),
        math.sqrt(fmean(value**2 for value in predicted)),
        sum(low <= mean and (high is None or mean <= high) for low, _, high in ends),
    )
