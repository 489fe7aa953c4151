"""The study's tables and its figure, out of its stored results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from simulation.study import BISECTIONS

RESULTS = Path(__file__).with_name("results.json")
FOLDER = Path(__file__).parents[2] / "ib_bench" / "quantities" / "curve"
README = FOLDER / "README.md"
FIGURE = FOLDER / "simulation.svg"

_BEGIN, _END = "<!-- simulation -->\n", "<!-- end of simulation -->"
_TARGET = (0.87, 0.93)
_LEAST = 0.8

Json = dict[str, Any]


def stored_results() -> Json:
    """What the newest whole study found."""
    results: Json = json.loads(RESULTS.read_text(encoding="utf-8"))
    return results


def publish(results: Json) -> None:
    """Store results, and put their tables and figure into the README's folder."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    before, _, rest = README.read_text(encoding="utf-8").partition(_BEGIN)
    README.write_text(before + _BEGIN + tables(results) + _END + rest.partition(_END)[2], encoding="utf-8")
    draw(results)


def published_tables() -> str:
    """The tables that the README shows."""
    return README.read_text(encoding="utf-8").partition(_BEGIN)[2].partition(_END)[0]


def tables(results: Json) -> str:
    """Both tables, in Markdown."""
    curve = ["learners", "cells", "coverage", "within 2x", "> N_max", "trials", "cost", "cost within 2x", "rmse"]
    rules = [f"{rule}: {what}" for rule in BISECTIONS for what in ("cost", "rmse")]
    compared = [
        [*_curve_texts(row), *(_number(value) for rule in BISECTIONS for value in row["bisections"][rule])]
        for row in results["rows"]
    ]
    strata = [_curve_texts(row) for row in results["strata"]]
    return "\n".join(["", *_table(curve + rules, compared), "", *_table(curve, strata), ""])


def draw(results: Json) -> None:
    """Coverage in each stratum, and cost beside bisections."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_coverage(left, results["rows"][:1] + results["strata"])
    _draw_cost(right, results["rows"])
    with mpl.rc_context({"svg.hashsalt": "simulation"}):
        figure.savefig(FIGURE, metadata={"Date": None})


def _draw_coverage(axes: Axes, rows: list[Json]) -> None:
    positions = range(len(rows))
    axes.axvspan(*_TARGET, color="tab:green", alpha=0.2, label="target on average")
    axes.axvline(_LEAST, color="tab:red", linestyle=":", label="least in a stratum")
    axes.plot([row["coverage"] for row in rows], positions, "o", color="black")
    axes.set_yticks(positions, [row["learners"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0.6, 1.01)
    axes.set_xlabel("share of 90 % intervals that hold N50")
    axes.legend(loc="lower left", fontsize="small")


def _draw_cost(axes: Axes, rows: list[Json]) -> None:
    height = 0.8 / 3
    bars = {"success curve": [row["cost"] for row in rows]}
    for rule in ("best of 2", "best of 15"):
        bars[f"bisection, {rule}"] = [row["bisections"][rule][0] for row in rows]
    for number, (name, costs) in enumerate(bars.items()):
        axes.barh([position + (number - 1) * height for position in range(len(rows))], costs, height, label=name)
    axes.set_yticks(range(len(rows)), [row["learners"] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel("optimizer steps, in budgets of one run")
    axes.legend(fontsize="small")


def _curve_texts(row: Json) -> list[str]:
    """A row's first columns."""
    return [
        row["learners"],
        str(row["num_cells"]),
        _percent(row["coverage"]),
        _percent(row["narrow"]),
        _percent(row["above"]),
        _number(row["num_trials"]),
        _number(row["cost"]),
        _number(row["narrow_cost"]),
        _number(row["rmse"], digits=2),
    ]


def _table(titles: list[str], rows: list[list[str]]) -> list[str]:
    lines = [titles, ["---"] + ["---:"] * (len(titles) - 1), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
