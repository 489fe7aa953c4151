"""The charts of the HTML report, with Altair: the study's figures, with tooltips and links to the configs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import altair as alt

from ib_bench.report.results import LossCurves, Results, Row
from ib_bench.report.study_figures import rank_correlation
from ib_bench.report.styles import (
    DASHES,
    DISTRIBUTIONS,
    LINE_STYLES,
    REGIMES,
    in_order,
    models_in_order,
    shape,
)
from ib_bench.results.records import Json

_FILL = alt.Fill("fill:N", scale=None)
"""The model's colour, or white where a number is only a bound."""

_LEGEND = alt.Legend(symbolFillColor="transparent", labelLimit=400)

_BESIDE = 1.015  # the factor by which models are moved apart on the horizontal axis

_TOOLTIP = ("model", "task", "L", "supervision", "lengths")

_DIRECTIONS = {"lower_bound": "\N{UPWARDS ARROW}", "upper_bound": "\N{DOWNWARDS ARROW}"}


def study_charts(results: Results, losses: LossCurves | None = None) -> list[tuple[str, Json]]:
    """A title and a Vega-Lite specification for every chart for which there are results.

    Args:
        results: what was measured.
        losses: a search whose validation losses are drawn, with its trials.
    """
    searches = [{**row, "bound": "lower_bound" * row["censored"]} for row in results.searches if row["drawn"]]
    sized = [row for row in searches if row["size"] is not None and row["lengths"] == "uniform"]
    kappas = [{**row, "bound": row["kind"]} for row in results.sharings if row["kappa"] is not None]
    lengths = [row for row in results.extrapolations if row["headline"]]
    points = [row for row in kappas if row["accuracy_2x"] is not None]
    drawings: list[tuple[str, Sequence[Row], Callable[[Sequence[Row]], Json]]] = [
        ("N* against maximal length", searches, _against_length),
        ("N* against the size of the task, uniform lengths", sized, _against_size),
        ("N* over task and length, uniform lengths", [r for r in searches if r["lengths"] == "uniform"], _heat_map),
        ("Sharing factor kappa", kappas, _kappas),
        ("Accuracy against length", lengths, _extrapolations),
        (f"Kappa and length extrapolation: {rank_correlation(points)}", points, _scatter),
    ]
    charts = [(title, draw(_named(rows))) for title, rows, draw in drawings if rows]
    if losses is not None:
        charts.append((f"Validation losses: {losses.title}", _losses(losses).to_dict()))
    return charts


def _against_length(rows: Sequence[Row]) -> Json:
    lengths = sorted({row["L"] for row in rows})
    axis = alt.Axis(values=lengths, labelOverlap=True, format="d")
    x = alt.X("x:Q", title="maximal length L", axis=axis, scale=alt.Scale(domain=[lengths[0] - 1, lengths[-1] + 1]))
    return _curves([{**row, "panel": row["task"], "x": row["L"]} for row in rows], x)


def _against_size(rows: Sequence[Row]) -> Json:
    sizes = sorted({row["size"] for row in rows})
    axis = alt.Axis(values=sizes, labelOverlap=True, format="d")
    scale = alt.Scale(type="log", domain=[sizes[0] / 1.5, sizes[-1] * 1.5])
    x = alt.X("x:Q", title="size of the task", scale=scale, axis=axis)
    named = [{**row, "panel": f"{row['task'].partition('(')[0]}, L={row['L']}", "x": row["size"]} for row in rows]
    return _curves(named, x)


def _curves(rows: Sequence[Row], x: Any) -> Json:
    """N* against ``x``, a panel for each regime and ``panel`` of the rows; models stand a little beside each other."""
    models = models_in_order(row["model"] for row in rows)
    rows = [{**row, "x": row["x"] * _BESIDE ** (models.index(row["model"]) - (len(models) - 1) / 2)} for row in rows]
    y = alt.Y("drawn:Q", title="N*", scale=_log_scale(rows, "drawn"))
    lengths = in_order((row["lengths"] for row in rows), list(DISTRIBUTIONS.values()))
    styles = {DISTRIBUTIONS[name]: DASHES[style] for name, style in LINE_STYLES.items()}
    dashes = alt.Scale(domain=lengths, range=[styles.get(name, DASHES["-."]) for name in lengths])
    style = alt.StrokeDash("lengths:N", title="lengths", scale=dashes)
    line = alt.Chart().mark_line(opacity=0.6).encode(x=x, y=y, strokeDash=style, color=_colours(rows))
    points = _points(rows, x, y, _tooltips("text:N", "trials:Q"))
    rows = [{**row, "panel": ", ".join(filter(None, (row["panel"], row["group"])))} for row in rows]
    return _faceted(alt.layer(line, *points), rows, column="supervision", row="panel")


def _points(rows: Sequence[Row], x: Any, y: Any, tooltip: list[Any], **more: Any) -> list[Any]:
    """Markers that lead to their configs; those of bounds are white and have an arrow in the bound's direction."""
    place = {"x": x, "y": y, **more}
    markers = alt.Chart().mark_point(size=60, fillOpacity=1, cursor="pointer")
    arrows = alt.Chart().mark_text(dx=9, fontSize=12)
    return [
        markers.encode(color=_colours(rows), shape=_shapes(rows), fill=_FILL, href="href:N", tooltip=tooltip, **place),
        arrows.encode(text="direction:N", color=_colours(rows), **place),
    ]


def _heat_map(rows: Sequence[Row]) -> Json:
    chart = alt.Chart().mark_rect(stroke="white")
    scale = alt.Scale(type="log", scheme="viridis", reverse=True)
    ordered = sorted(rows, key=lambda row: (row["task"].partition("(")[0], row["size"] or 0))
    y = alt.Y("task:N", title=None, sort=in_order(row["task"] for row in ordered))
    cells = chart.encode(
        x=alt.X("L:O", title="maximal length L", axis=alt.Axis(labelAngle=0)),
        y=y,
        color=alt.Color("drawn:Q", title="N*", scale=scale),
        tooltip=_tooltips("text:N"),
    )
    middle = math.sqrt(min(row["drawn"] for row in rows) * max(row["drawn"] for row in rows))
    on_dark = alt.condition(alt.datum.drawn > middle, alt.value("white"), alt.value("black"))
    text = alt.Chart().mark_text(fontSize=9).encode(x="L:O", y=y, text="text:N", color=on_dark)
    regimes = in_order((row["supervision"] for row in rows), list(REGIMES.values()))
    ordered = sorted(rows, key=lambda row: (row["group"], regimes.index(row["supervision"])))
    rows = [{**row, "panel": ", ".join(filter(None, (row["supervision"], row["group"])))} for row in ordered]
    return _faceted(alt.layer(cells, text), rows, column="model", row="panel", size=(170, 90))


def _kappas(rows: Sequence[Row]) -> Json:
    models = models_in_order(row["model"] for row in rows)
    x = alt.X("model:N", title=None, scale=alt.Scale(domain=models), axis=alt.Axis(labelAngle=-20))
    y = alt.Y("kappa:Q", scale=_log_scale(rows, "kappa", base=2))
    beside = alt.XOffset("place:O", scale=alt.Scale(paddingOuter=1))
    points = _points(rows, x, y, _tooltips("text:N", "joint:N", "sum:N"), xOffset=beside)
    one = alt.Chart().mark_rule(color="grey").encode(y=alt.Y("one:Q", title="kappa"))
    panel = "group" if any(row["group"] for row in rows) else None
    return _faceted(alt.layer(one, *points), rows, column="supervision", row=panel)


def _extrapolations(rows: Sequence[Row]) -> Json:
    x = alt.X("multiple:Q", title="length, multiple of L", scale=alt.Scale(type="log", base=2))
    finals = [row["final"] for row in rows]
    y = alt.Y("final:Q", title="accuracy", scale=alt.Scale(domain=[min(*finals, 0), max(*finals, 1)]))
    numbers = [alt.Tooltip("final:Q", format=".2f"), alt.Tooltip("token:Q", format=".2f")]
    lines = alt.Chart().mark_line(opacity=0.7).encode(x=x, y=y, color=_colours(rows), detail=["key:N", "source:N"])
    markers = alt.Chart().mark_point(size=30, filled=True, cursor="pointer")
    points = markers.encode(
        x=x, y=y, color=_colours(rows), shape=_shapes(rows), href="href:N", tooltip=_tooltips("length:Q", *numbers)
    )
    rows = [{**row, "panel": ", ".join(filter(None, (row["task"], row["group"])))} for row in rows]
    return _faceted(alt.layer(lines, points), rows, column="supervision", row="panel")


def _scatter(rows: Sequence[Row]) -> Json:
    x = alt.X("kappa:Q", scale=alt.Scale(type="log"))
    y = alt.Y("accuracy_2x:Q", title="accuracy at 2 L")
    arrows = {"upper_bound": "\N{LEFTWARDS ARROW}", "lower_bound": "\N{RIGHTWARDS ARROW}"}
    rows = [{**row, "direction": arrows.get(row["bound"], "")} for row in rows]
    tooltip = _tooltips("text:N", alt.Tooltip("accuracy_2x:Q", format=".2f"))
    chart = alt.layer(*_points(rows, x, y, tooltip), data=alt.NamedData("rows"))
    return _with_rows(chart.properties(width=420, height=300), rows)


def _losses(losses: LossCurves) -> Any:
    rows = losses.rows()
    lines = alt.Chart(_inline(rows)).mark_line(point=True, opacity=0.8)
    curves = lines.encode(
        x=alt.X("step:Q", title="optimizer steps"),
        y=alt.Y("loss:Q", title="validation loss, nats", scale=alt.Scale(type="log")),
        color=alt.Color("size:O", title="N", scale=alt.Scale(scheme="viridis", reverse=True)),
        detail="trial:N",
        tooltip=["size:Q", "learning_rate:Q", "seed:Q", "status:N", "step:Q", alt.Tooltip("loss:Q", format=".3g")],
    )
    threshold = alt.Chart(_inline([{"threshold": losses.threshold}])).mark_rule(strokeDash=[4, 4])
    epsilon = threshold.encode(y="threshold:Q", tooltip=alt.Tooltip("threshold:Q", title="epsilon"))
    return alt.layer(curves, epsilon).properties(width=420, height=300)


def _named(rows: Sequence[Row]) -> list[Row]:
    """Rows with the names that people read, and a place beside the others of its model."""
    places: Counter[tuple[str, ...]] = Counter()
    named = []
    for row in rows:
        column = (row["model"], row["supervision"], row["group"])
        bound = _DIRECTIONS.get(row.get("bound", ""), "")
        named.append(
            {
                **{name: value for name, value in row.items() if name != "parts"},
                "supervision": REGIMES.get(row["supervision"], row["supervision"]),
                "lengths": DISTRIBUTIONS.get(row["lengths"], row["lengths"]),
                "place": places[column],
                "one": 1,
                "fill": "white" if bound else row["colour"],
                "direction": bound,
                "href": f"#{row['key']}",
            }
        )
        places[column] += 1
    return named


def _log_scale(rows: Sequence[Row], name: str, base: int = 10) -> Any:
    """One scale for all panels, with 1 in it and some room at the ends."""
    values = [row[name] for row in rows] + [1]
    return alt.Scale(type="log", base=base, domain=[min(values) / 1.3, max(values) * 1.5], nice=False)


def _colours(rows: Sequence[Row]) -> Any:
    shades = {row["model"]: row["colour"] for row in rows}
    models = models_in_order(row["model"] for row in rows)
    return alt.Color(
        "model:N",
        title="model",
        legend=_LEGEND,
        scale=alt.Scale(domain=models, range=[shades[model] for model in models]),
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
    return [*(f"{name}:{'Q' if name == 'L' else 'N'}" for name in _TOOLTIP), "group:N", *more]


def _faceted(
    chart: Any, rows: Sequence[Row], column: str, row: str | None = None, size: tuple[int, int] = (190, 150)
) -> Json:
    """A panel for each combination of two of the rows' values, side by side; the chart is drawn with a panel's rows.

    Vega-Lite's own facets take the place of one another where some are empty and the order is given.
    """
    orders = {"supervision": list(REGIMES.values()), "model": models_in_order(one["model"] for one in rows)}
    columns = in_order((one[column] for one in rows), orders[column])
    groups: dict[str | None, dict[str, list[Row]]] = {}
    for one in rows:
        groups.setdefault(one[row] if row else None, {}).setdefault(one[column], []).append(one)
    panel = chart.properties(width=size[0], height=size[1], data=alt.NamedData("rows")).to_dict()
    top = {name: panel.pop(name) for name in ("$schema", "config")}
    datasets: dict[str, list[Row]] = {}
    lines = []
    for line in in_order(groups, orders.get(row or "", [])):
        panels = []
        for name in in_order(groups[line], columns):
            key = f"rows {len(datasets)}"
            datasets[key] = groups[line][name]
            title = {"text": [name, *filter(None, (line or "").split(", "))], "fontSize": 10, "fontWeight": "normal"}
            panels.append({**panel, "data": {"name": key}, "title": title})
        lines.append({"hconcat": panels})
    shared = {"scale": dict.fromkeys(("x", "y", "color", "shape"), "shared")}
    return {**top, "vconcat": lines, "resolve": shared, "datasets": datasets}


def _with_rows(chart: Any, rows: Sequence[Row]) -> Json:
    """The specification of a chart, with its rows put in as they are: Altair would validate every number of them."""
    return {**chart.to_dict(), "datasets": {"rows": list(rows)}}


def _inline(rows: Sequence[Row]) -> Any:
    return alt.InlineData(values=list(rows))
