"""Parts of charts, with Altair: markers of models, axes, and panels in rows.

A panel's rows are drawn by one chart. Panels are laid out by Vega-Lite's ``concat``: its own facets take the place of
one another where some are empty and the order is given. Axes are labelled where a row or column of panels begins.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import altair as alt

from ib_bench.drawing.labels import AnyResult, Shown
from ib_bench.drawing.styles import distribution_text, in_order, models_in_order, regime_text, style
from ib_bench.results.identity import Json

MAX_PANELS = 60
"""Panels in a figure; more are unreadable, and some programs cannot open them."""

_MAX_COLUMNS = 4
_MAX_TICKS = 12
_CHARACTER = 5.2  # pixels that a character of a panel's title takes
_NOTE_WIDTH = 110  # characters
_TOOLTIP = ("model:N", "task:N", "L:Q", "supervision:N", "lengths:N", "group:N")
_ARROWS = {
    "up": "M0,-1.1V-2.8M-0.55,-2.2L0,-2.8L0.55,-2.2",
    "down": "M0,1.1V2.8M-0.55,2.2L0,2.8L0.55,2.2",
    "right": "M1.1,0H2.8M2.2,-0.55L2.8,0L2.2,0.55",
    "left": "M-1.1,0H-2.8M-2.2,-0.55L-2.8,0L-2.2,0.55",
}
"""From a marker's edge outwards; markers reach from -1 to 1."""

_LEGEND = alt.Legend(symbolOpacity=1)

_CONFIG: Json = {
    "view": {"stroke": None},
    "axis": {"gridOpacity": 0.4, "labelLimit": 300, "titleFontWeight": "normal"},
    "axisX": {"grid": False},
    "legend": {"labelLimit": 300, "titleFontWeight": "normal"},
    "concat": {"spacing": 14},
}


_TITLES = {"text": "result", "group": "setting"}
"""What people call those values whose names say how they are drawn."""


def described(shown: Iterable[Shown[AnyResult]]) -> list[tuple[AnyResult, Json]]:
    """Results, each with the values by which a chart tells it apart, and a link to its config."""
    rows = []
    for result, label in ((one.result, one.label) for one in shown):
        row = {
            "source": label.source,
            "model": label.model,
            "task": label.task,
            "L": label.max_length,
            "supervision": regime_text(label.supervision),
            "lengths": distribution_text(label.lengths),
            "group": label.group,
            "href": f"#{result.key}",
        }
        rows.append((result, row))
    return rows


@dataclass(frozen=True)
class Marks:
    """The marks of the models in one figure: a colour and a shape each.

    Args:
        rows: everything that is drawn.
        colours: of each model.
    """

    rows: Sequence[Json]
    colours: Mapping[str, str]

    @cached_property
    def models(self) -> list[str]:
        """The models that are drawn, in order."""
        return models_in_order(row["model"] for row in self.rows)

    @property
    def stroke(self) -> alt.Stroke:
        """Colours lines and edges."""
        return alt.Stroke("model:N", title="model", scale=self._colours, legend=_LEGEND)

    @property
    def fill(self) -> alt.Fill:
        """Colours areas."""
        return alt.Fill("model:N", title="model", scale=self._colours, legend=_LEGEND)

    @property
    def _colours(self) -> alt.Scale:
        return alt.Scale(domain=self.models, range=[self.colours[model] for model in self.models])

    @property
    def shape(self) -> alt.Shape:
        """The shape of markers."""
        shapes = [style(model).shape for model in self.models]
        return alt.Shape("model:N", title="model", scale=alt.Scale(domain=self.models, range=shapes), legend=_LEGEND)

    def points(self, x: Any, y: Any, tooltip: Sequence[Any], size: int = 60, **place: Any) -> list[alt.Chart]:
        """Markers that lead to their configs. Those of bounds are open, with an arrow in the bound's direction.

        A row is a bound where it has an ``arrow``, one of up, down, left and right.

        Args:
            x: horizontal place.
            y: vertical place.
            tooltip: what else to show of a marker.
            size: area of a marker, in square pixels.
            place: more channels.
        """
        fill = alt.condition("isValid(datum.arrow)", alt.value("white"), self.fill)
        markers = alt.Chart().mark_point(size=size, opacity=1, strokeWidth=1.5, cursor="pointer")
        links = {"href": alt.Href("href:N"), "tooltip": tooltips(*_TOOLTIP, *tooltip)}
        marked = markers.encode(x=x, y=y, stroke=self.stroke, fill=fill, shape=self.shape, **links, **place)
        arrows = alt.Chart().mark_point(size=size, opacity=1, strokeWidth=1.2, aria=False)
        return [
            *(
                arrows.transform_filter(f"datum.arrow === '{direction}'").encode(
                    x=x, y=y, stroke=self.stroke, shape=alt.ShapeValue(path), **place
                )
                for direction, path in _ARROWS.items()
                if any(row.get("arrow") == direction for row in self.rows)
            ),
            marked,
        ]


def tooltips(*names: Any) -> list[Any]:
    """Values that a tooltip shows. For each that is left as a text, Altair hashes all its schemas again.

    Args:
        names: with their types, such as ``model:N``; what is none stays as it is.
    """
    return [_tooltip(name) if isinstance(name, str) else name for name in names]


def _tooltip(name: str) -> alt.Tooltip:
    title = _TITLES.get(name.partition(":")[0])
    return alt.Tooltip(name) if title is None else alt.Tooltip(name, title=title)


def all_labels(rows: Iterable[Json], x: Any, y: Any, **place: Any) -> list[alt.Chart]:
    """The word "all" beside those bounds that are all sequences that exist: rows with ``is_all``; none without such.

    Args:
        rows: everything that is drawn.
        x: horizontal place.
        y: vertical place.
        place: more channels.
    """
    if not any(row.get("is_all") for row in rows):
        return []
    labels = alt.Chart().mark_text(dx=8, dy=-4, align="left", fontSize=8, aria=False).transform_filter("datum.is_all")
    return [labels.encode(x=x, y=y, text=alt.value("all"), **place)]


def all_notes(rows: Iterable[Json]) -> list[str]:
    """The note that explains the word "all" in a chart, if it occurs."""
    return ["all: no more sequences exist."] if any(row.get("is_all") for row in rows) else []


def log_axis(name: str, title: str, values: Iterable[float], base: int = 10) -> Json:
    """Arguments of a channel on a logarithmic scale with 1 in it and some room at the ends.

    Args:
        name: of the rows' value.
        title: of the axis.
        values: all that are drawn, above 0.
        base: of the ticks.
    """
    everything = [*values, 1]
    low, high = min(everything) / 1.3, max(everything) * 2
    exponents = range(math.ceil(math.log(low, base)), math.floor(math.log(high, base)) + 1)
    ticks = [float(base) ** exponent for exponent in exponents]
    axis = alt.Axis(values=thinned(ticks), format=",~g")
    scale = alt.Scale(type="log", base=base, domain=[low, high], nice=False)
    return {"shorthand": f"{name}:Q", "title": title, "scale": scale, "axis": axis}


def thinned(values: Sequence[Any]) -> Sequence[Any]:
    """So few of the values, evenly spread, that each can have a tick."""
    return values[:: math.ceil(len(values) / _MAX_TICKS)] if values else values


@dataclass(frozen=True)
class Panels:
    """The layout of panels: a column for each value of ``column``, a line for each value of ``line``.

    Attributes:
        column: name of the rows' value.
        line: name of the rows' value; None where there is one line.
        columns: values in order; None takes those of the rows.
        lines: likewise.
        width: of a panel, in pixels.
        height: of a panel, in pixels.
    """

    column: str
    line: str | None = None
    columns: Sequence[str] | None = None
    lines: Sequence[str] | None = None
    width: int = 210
    height: int = 160


def panelled(layers: Sequence[alt.Chart], rows: Sequence[Json], panels: Panels, notes: Iterable[str] = ()) -> Json:
    """A specification with a panel for each combination of two of the rows' values; all are drawn alike.

    Few columns make room for several lines beside each other; more than :data:`MAX_PANELS` panels are not drawn, and
    the figure says so. Their rows are in ``usermeta``, for a page that draws a choice of panels.

    Args:
        layers: of a panel, without data.
        rows: everything that is drawn.
        panels: where panels stand.
        notes: what stands above the figure.
    """
    columns = in_order((row[panels.column] for row in rows), panels.columns or ())
    lines = in_order((row[panels.line] if panels.line else "" for row in rows), panels.lines or ())
    rows_of: dict[tuple[str, str], list[Json]] = {}
    for row in rows:
        rows_of.setdefault((row[panels.line] if panels.line else "", row[panels.column]), []).append(row)
    shown, num_columns, num_panels = _layout(lines, columns, rows_of)
    if len(shown) < num_panels:
        notes = [f"the first {len(shown)} of {num_panels:,} panels; the tables hold all results", *notes]
    panel = alt.layer(*layers).properties(width=panels.width, height=panels.height, data=alt.NamedData("rows"))
    spec = panel.to_dict()
    del spec["config"], spec["$schema"]
    concat = []
    titles = {place: _panel_title(place, panels.width) for place in rows_of}
    titles |= {place: [*_panel_title(place, panels.width), "no result"] for place in shown if place not in rows_of}
    for index, place in enumerate(shown):
        inner = [] if index % num_columns == 0 else ["y"]
        inner += ["x"] if index + num_columns < len(shown) else []
        concat.append(
            {
                **spec,
                "layer": [_without_axes(layer, inner) for layer in spec["layer"]],
                "data": {"name": f"rows {index}"},
                "title": {"text": titles[place], "fontSize": 10, "fontWeight": "normal"},
            }
        )
    datasets = {f"rows {index}": rows_of.get(place, []) for index, place in enumerate(shown)}
    shared = {"scale": {"x": "shared", "y": "shared"}}  # inner axes have no labels: they are those of the outer ones
    left_out = [{"title": titles[place], "rows": own} for place, own in rows_of.items() if place not in shown]
    meta = {"usermeta": {"left_out": left_out}} if left_out else {}
    drawn = {"concat": concat, "columns": num_columns, "resolve": shared, "datasets": datasets}
    return finished({**drawn, **meta}, notes)


def _panel_title(place: tuple[str, str], width: int) -> list[str]:
    """The line and the column of a panel, in lines as wide as it."""
    num_characters = int(width / _CHARACTER)
    return [text for part in place for line in part.split("\n") for text in textwrap.wrap(line, num_characters)]


def _layout(
    lines: Sequence[str], columns: Sequence[str], rows_of: Mapping[tuple[str, str], Sequence[Json]]
) -> tuple[list[tuple[str, str]], int, int]:
    """Which panels are drawn, how many stand in a row, and how many there are.

    Where all columns fit into a row, empty panels keep their places and only whole lines are drawn.
    """
    places = [(line, column) for line in lines for column in columns]
    if len(columns) <= _MAX_COLUMNS:
        shown = places[: MAX_PANELS // len(columns) * len(columns)]
        num_columns = _MAX_COLUMNS // len(columns) * len(columns)
    else:
        places = [place for place in places if place in rows_of]
        shown = places[:MAX_PANELS]
        num_columns = _MAX_COLUMNS
    return shown, min(num_columns, len(shown)), len(places)


def finished(spec: Json, notes: Iterable[str] = ()) -> Json:
    """A specification with what all figures share.

    Args:
        spec: with its data.
        notes: what stands above the figure.
    """
    lines = [line for note in notes for line in textwrap.wrap(note, _NOTE_WIDTH)]
    above = {"title": {"text": lines, "anchor": "start", "fontSize": 11, "fontWeight": "normal"}} if lines else {}
    return {"$schema": alt.SCHEMA_URL, "background": "white", "config": _CONFIG, **above, **spec}


def _without_axes(layer: Json, channels: Iterable[str]) -> Json:
    """A layer whose axes say nothing, as those of the panel beside or below it do."""
    encoding = dict(layer["encoding"])
    for channel in channels:
        if channel in encoding:
            axis = {**(encoding[channel].get("axis") or {}), "labels": False, "ticks": False, "title": None}
            encoding[channel] = {**encoding[channel], "axis": axis}
    return {**layer, "encoding": encoding}
