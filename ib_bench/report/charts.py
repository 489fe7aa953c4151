"""The interactive charts of the HTML report, with Altair: the figures of the study, with a tooltip at every point."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from ib_bench.report.results import Results, Row
from ib_bench.report.study_figures import rank_correlation
from ib_bench.report.styles import DISTRIBUTIONS, REGIMES, colour, in_order, models_in_order, shape

_FILL = alt.Fill("fill:N", scale=None)
"""The model's colour, or white where a number is only a bound."""

_LEGEND = alt.Legend(symbolFillColor="transparent")

_TOOLTIP = ("model", "task", "L", "supervision", "lengths")


def study_charts(results: Results) -> list[tuple[str, dict[str, Any]]]:
    """A title and a Vega-Lite specification for every chart for which there are results.

    Args:
        results: what was measured.
    """
    searches = [{**row, "is_bound": row["censored"]} for row in results.searches if row["drawn"]]
    kappas = [{**row, "is_bound": row["kind"] != "value"} for row in results.sharings if row["kappa"] is not None]
    lengths = [row for row in results.extrapolations if row["headline"]]
    points = [row for row in kappas if row["accuracy_2x"] is not None]
    drawings: list[tuple[str, Sequence[Row], Callable[[Sequence[Row]], Any]]] = [
        ("N* against maximal length", searches, _against_length),
        ("N* over task and length, uniform lengths", [r for r in searches if r["lengths"] == "uniform"], _heat_map),
        ("Sharing factor kappa", kappas, _kappas),
        ("Accuracy against length", lengths, _extrapolations),
        (f"Kappa and length extrapolation: {rank_correlation(points)}", points, _scatter),
    ]
    return [(title, draw(_named(rows)).to_dict()) for title, rows, draw in drawings if rows]


def _against_length(rows: Sequence[Row]) -> Any:
    line = alt.Chart().mark_line(opacity=0.6)
    point = alt.Chart().mark_point(size=60, fillOpacity=1)
    x = alt.X("L:Q", title="maximal length L", axis=alt.Axis(tickMinStep=1))
    y = alt.Y("drawn:Q", title="N*", scale=alt.Scale(type="log"))
    style = alt.StrokeDash("lengths:N", title="lengths", sort=list(DISTRIBUTIONS.values()))
    tooltip = _tooltips("text:N", "trials:Q")
    layers = alt.layer(
        line.encode(x=x, y=y, strokeDash=style, color=_colours(rows), detail=["setting:N", "source:N"]),
        point.encode(x=x, y=y, color=_colours(rows), shape=_shapes(rows), fill=_FILL, tooltip=tooltip),
    )
    return _faceted(layers, rows, column="supervision", row="task")


def _heat_map(rows: Sequence[Row]) -> Any:
    chart = alt.Chart().mark_rect(stroke="white")
    scale = alt.Scale(type="log", scheme="viridis", reverse=True)
    ordered = sorted(rows, key=lambda row: (row["task"].partition("(")[0], row["size"] or 0))
    y = alt.Y("task:N", title=None, sort=in_order(row["task"] for row in ordered))
    cells = chart.encode(
        x=alt.X("L:O", title="maximal length L"),
        y=y,
        color=alt.Color("drawn:Q", title="N*", scale=scale),
        tooltip=_tooltips("text:N"),
    )
    middle = math.sqrt(min(row["drawn"] for row in rows) * max(row["drawn"] for row in rows))
    on_dark = alt.condition(alt.datum.drawn > middle, alt.value("white"), alt.value("black"))
    text = alt.Chart().mark_text(fontSize=9).encode(x="L:O", y=y, text="text:N", color=on_dark)
    return _faceted(alt.layer(cells, text), rows, column="model", row="supervision", size=(170, 90))


def _kappas(rows: Sequence[Row]) -> Any:
    chart = alt.Chart().mark_point(size=60, fillOpacity=1)
    points = chart.encode(
        x=alt.X("model:N", title=None, sort=models_in_order(row["model"] for row in rows)),
        xOffset=alt.XOffset("jitter:Q"),
        y=alt.Y("kappa:Q", scale=alt.Scale(type="log")),
        color=_colours(rows),
        shape=_shapes(rows),
        fill=_FILL,
        tooltip=_tooltips("text:N", "joint:N", "sum:N"),
    )
    one = alt.Chart().mark_rule(color="grey").encode(y=alt.Y("one:Q", title="kappa"))
    return _faceted(alt.layer(one, points), rows, column="supervision")


def _extrapolations(rows: Sequence[Row]) -> Any:
    lines = alt.Chart().mark_line(point=True, opacity=0.7)
    chart = lines.encode(
        x=alt.X("multiple:Q", title="length, multiple of L", scale=alt.Scale(type="log", base=2)),
        y=alt.Y("final:Q", title="accuracy"),
        color=_colours(rows),
        detail=["key:N", "source:N"],
        tooltip=_tooltips("length:Q", alt.Tooltip("final:Q", format=".2f"), alt.Tooltip("token:Q", format=".2f")),
    )
    return _faceted(chart, rows, column="supervision", row="task")


def _scatter(rows: Sequence[Row]) -> Any:
    chart = alt.Chart(_inline(rows)).mark_point(size=60, fillOpacity=1)
    return chart.encode(
        x=alt.X("kappa:Q", scale=alt.Scale(type="log")),
        y=alt.Y("accuracy_2x:Q", title="accuracy at 2 L"),
        color=_colours(rows),
        shape=_shapes(rows),
        fill=_FILL,
        tooltip=_tooltips("text:N", alt.Tooltip("accuracy_2x:Q", format=".2f")),
    ).properties(width=420, height=300)


def _named(rows: Sequence[Row]) -> list[Row]:
    """Rows with the names that people read, and a place beside the others of its model."""
    return [
        {
            **{name: value for name, value in row.items() if name != "parts"},
            "supervision": REGIMES.get(row["supervision"], row["supervision"]),
            "lengths": DISTRIBUTIONS.get(row["lengths"], row["lengths"]),
            "jitter": index % 8,
            "one": 1,
            "fill": "white" if row.get("is_bound") else colour(row["model"]),
        }
        for index, row in enumerate(rows)
    ]


def _colours(rows: Sequence[Row]) -> Any:
    models = models_in_order(row["model"] for row in rows)
    return alt.Color(
        "model:N",
        title="model",
        legend=_LEGEND,
        scale=alt.Scale(domain=models, range=[colour(model) for model in models]),
    )


def _shapes(rows: Sequence[Row]) -> Any:
    models = models_in_order(row["model"] for row in rows)
    return alt.Shape(
        "model:N",
        title="model",
        legend=_LEGEND,
        scale=alt.Scale(domain=models, range=[shape(model) for model in models]),
    )


def _tooltips(*more: Any) -> list[Any]:
    return [*(f"{name}:{'Q' if name == 'L' else 'N'}" for name in _TOOLTIP), *more]


def _faceted(
    chart: Any, rows: Sequence[Row], column: str, row: str | None = None, size: tuple[int, int] = (190, 150)
) -> Any:
    orders = {"supervision": list(REGIMES.values()), "model": models_in_order(one["model"] for one in rows)}
    facets: dict[str, Any] = {"column": alt.Column(f"{column}:N", title=None, sort=orders[column])}
    if row is not None:
        order = orders.get(row) or in_order(one[row] for one in rows)
        facets["row"] = alt.Row(f"{row}:N", title=None, sort=order)
    return chart.properties(width=size[0], height=size[1]).facet(data=_inline(rows), **facets)


def _inline(rows: Sequence[Row]) -> Any:
    return alt.InlineData(values=list(rows))
