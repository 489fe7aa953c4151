"""The study's tables and its figure, out of its stored results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import altair as alt
from simulation.study import BISECTIONS

from ib_bench.drawing.figure import Figure

RESULTS = Path(__file__).with_name("results.json")
FOLDER = Path(__file__).parents[2] / "ib_bench" / "quantities" / "curve"
README = FOLDER / "README.md"
FIGURE = FOLDER / "simulation.svg"

_MARK = "simulation"
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
    put_into_readme(_MARK, tables(results))
    draw(results)


def published_tables() -> str:
    """The tables that the README shows."""
    return text_of_readme(_MARK)


def put_into_readme(mark: str, text: str) -> None:
    """Replace what stands between ``<!-- mark -->`` and ``<!-- end of mark -->`` in the README."""
    begin, end = _marks(mark)
    before, _, rest = README.read_text(encoding="utf-8").partition(begin)
    README.write_text(before + begin + text + end + rest.partition(end)[2], encoding="utf-8")


def text_of_readme(mark: str) -> str:
    """What stands there."""
    begin, end = _marks(mark)
    return README.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]


def _marks(mark: str) -> tuple[str, str]:
    return f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"


def tables(results: Json) -> str:
    """Both tables, in Markdown."""
    curve = ["learners", "cells", "coverage", "within 2x", "> N_max", "trials", "cost", "cost within 2x", "rmse"]
    rules = [f"{rule}: {what}" for rule in BISECTIONS for what in ("cost", "rmse")]
    compared = [
        [*_curve_texts(row), *(_number(value) for rule in BISECTIONS for value in row["bisections"][rule])]
        for row in results["rows"]
    ]
    strata = [_curve_texts(row) for row in results["strata"]]
    return "\n".join(["", *table_lines(curve + rules, compared), "", *table_lines(curve, strata), ""])


def draw(results: Json) -> None:
    """Coverage in each stratum, and cost beside bisections."""
    chart = alt.hconcat(_coverage(results["rows"][:1] + results["strata"]), _cost(results["rows"]))
    spec = chart.resolve_scale(color="independent").to_dict()
    with TemporaryDirectory() as folder:
        svg, *_ = Figure("simulation", "Coverage and cost", spec).save(Path(folder) / "simulation")
        shutil.copyfile(svg, FIGURE)


def _coverage(rows: list[Json]) -> alt.LayerChart:
    names = [row["learners"] for row in rows]
    values = [{"learners": row["learners"], "coverage": row["coverage"]} for row in rows]
    scale = alt.Scale(domain=[0.6, 1], nice=False)
    x = alt.X("coverage:Q", title="share of 90 % intervals that hold N50", scale=scale)
    y = alt.Y("learners:N", title=None, sort=names)
    target, least = "target on average", "least in a stratum"
    colours = alt.Scale(domain=[target, least], range=["#8fc98f", "#d62728"])
    meaning = alt.Color("meaning:N", title=None, scale=colours, legend=alt.Legend(orient="bottom"))
    band = _chart([{"coverage": _TARGET[0], "end": _TARGET[1], "meaning": target}]).mark_rect(opacity=0.6)
    line = _chart([{"coverage": _LEAST, "meaning": least}]).mark_rule(strokeDash=[2, 3])
    points = _chart(values).mark_point(color="black", filled=True, opacity=1)
    return alt.layer(
        band.encode(x=x, x2="end:Q", color=meaning), line.encode(x=x, color=meaning), points.encode(x=x, y=y)
    ).properties(width=340, height=330)


def _cost(rows: list[Json]) -> alt.Chart:
    names = [row["learners"] for row in rows]
    bars = {"success curve": [row["cost"] for row in rows]}
    for rule in ("best of 2", "best of 15"):
        bars[f"bisection, {rule}"] = [row["bisections"][rule][0] for row in rows]
    values = [
        {"learners": name, "measured by": rule, "cost": cost}
        for rule, costs in bars.items()
        for name, cost in zip(names, costs, strict=True)
    ]
    rules = alt.Color("measured by:N", title=None, sort=list(bars), legend=alt.Legend(orient="bottom", labelLimit=300))
    return (
        _chart(values)
        .mark_bar()
        .encode(
            x=alt.X("cost:Q", title="optimizer steps, in budgets of one run"),
            y=alt.Y("learners:N", title=None, sort=names),
            yOffset=alt.YOffset("measured by:N", sort=list(bars)),
            color=rules,
        )
        .properties(width=340, height=330)
    )


def _chart(rows: list[Json]) -> alt.Chart:
    return alt.Chart(alt.Data(values=rows))


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


def table_lines(titles: list[str], rows: list[list[str]]) -> list[str]:
    """A table in Markdown; its first column is a label."""
    lines = [titles, ["---"] + ["---:"] * (len(titles) - 1), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
