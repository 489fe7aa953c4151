"""The figures of the study, with matplotlib: for papers, as SVG and PNG.

One colour and one marker for each architecture. What is only known to be larger than something is an open marker with
an arrow. Log scales wherever a number counts sequences, and around 1 for kappa.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import matplotlib
import matplotlib.colors
import matplotlib.patches
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from ib_bench.report.figures import saved
from ib_bench.report.results import LossCurves, Results, Row
from ib_bench.report.styles import (
    DISTRIBUTIONS,
    LINE_STYLES,
    REGIMES,
    in_order,
    marker,
    models_in_order,
    rank,
)
from ib_bench.results.records import Json

Value = TypeVar("Value")

_PANEL = (3.0, 2.5)  # inches
_LEGEND_WIDTH, _TITLE_WIDTH = 32, 40  # characters
_MAX_TICKS = 12
_MAX_LABELLED = 12  # rows and columns of a heat map whose cells have room for a number
_MAX_PANELS = 24  # in a row or column; more make a picture that no program opens
_BESIDE = 1.015  # the factor by which models are moved apart on the horizontal axis


def study_figures(results: Results, folder: Path) -> list[Path]:
    """Draw every figure for which there are results.

    Args:
        results: what was measured.
        folder: for the files, made if it is missing.

    Returns:
        The files written: an SVG and a PNG for each figure.
    """
    searches, sharings = results.searches, results.sharings
    extrapolations = [row for row in results.extrapolations if row["headline"]]
    uniform = [row for row in searches if row["lengths"] == "uniform" and row["size"] is not None]
    points = [row for row in sharings if row["kappa"] is not None and row["accuracy_2x"] is not None]
    drawings: list[tuple[str, Sequence[Row], Callable[[Sequence[Row]], Any]]] = [
        ("min_train_size_against_length", searches, _against_length),
        ("min_train_size_against_size", uniform, _against_size),
        ("min_train_size_heatmap", uniform, _heat_maps),
        ("kappa", [row for row in sharings if row["kappa"] is not None], _kappas),
        ("extrapolation", extrapolations, _extrapolations),
        ("kappa_and_extrapolation", points, _kappa_and_extrapolation),
    ]
    return [path for name, rows, draw in drawings if rows for path in saved(draw(rows), folder / name)]


def loss_figure(losses: LossCurves, path: Path) -> list[Path]:
    """Validation-loss curves of a search's trials, a shade for each training set size, with the threshold drawn.

    Args:
        losses: what is drawn.
        path: of the files, without ending.

    Returns:
        The files written.
    """
    figure, axes = _panels(1, 1, (6.0, 4.0))
    axis = axes[0][0]
    rows = losses.rows()
    sizes = sorted({row["size"] for row in rows})
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.85, max(len(sizes), 1)))
    for size, shade in zip(sizes, shades, strict=False):
        axis.plot([], [], color=shade, label=f"N = {size:,}")
        for trial in in_order(row["trial"] for row in rows if row["size"] == size):
            curve = [(row["step"], row["loss"]) for row in rows if row["trial"] == trial]
            axis.plot(*zip(*curve, strict=True), color=shade, linewidth=1.2, marker="o", markevery=[-1], markersize=4)
    axis.axhline(losses.threshold, color="black", linestyle="--", linewidth=1)
    place = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
    axis.annotate(f"epsilon = {losses.threshold:g}", (1, losses.threshold), **place)
    axis.set(yscale="log", xlabel="optimizer steps", ylabel="validation loss, nats")
    if rows:
        axis.legend(frameon=False, fontsize="small")
    figure.suptitle(losses.title, fontsize="medium")
    return saved(figure, path)


def _against_length(rows: Sequence[Row]) -> Any:
    """N* against L: a panel for each task and regime, a line style for each length distribution."""
    named = [{**row, "panel": _joined(row["task"], row["group"])} for row in rows]
    figure, axes = _lines(named, "L", "maximal length L")
    for axis, panel in zip(axes[-1], in_order(row["panel"] for row in named)[:_MAX_PANELS], strict=True):
        lengths = sorted({row["L"] for row in named if row["panel"] == panel})
        axis.set_xlim(lengths[0] - 1, lengths[-1] + 1)
        few = len(lengths) <= _MAX_TICKS
        axis.xaxis.set_major_locator(FixedLocator(lengths) if few else MaxNLocator(_MAX_TICKS, integer=True))
    return figure


def _against_size(rows: Sequence[Row]) -> Any:
    """N* against the size of the task, such as the modulus: a panel for each L and regime."""
    named = [{**row, "panel": _joined(_family(row), f"L={row['L']}", row["group"])} for row in rows]
    figure, axes = _lines(named, "size", "size of the task")
    for axis, panel in zip(axes[-1], in_order(row["panel"] for row in named)[:_MAX_PANELS], strict=True):
        axis.set_xscale("log")
        sizes = sorted({row["size"] for row in named if row["panel"] == panel})
        axis.set_xlim(sizes[0] / 1.5, sizes[-1] * 1.5)
        axis.set_xticks(_thinned(sizes))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_locator(NullLocator())
    return figure


def _lines(rows: Sequence[Row], x: str, x_label: str) -> tuple[Any, Any]:
    regimes, columns = _regimes(rows), in_order(row["panel"] for row in rows)
    figure, axes = _panels(len(regimes), len(columns[:_MAX_PANELS]))
    _tell_of_missing(figure, columns)
    for axis, regime, panel in _each(axes, regimes, columns):
        here = [row for row in rows if row["supervision"] == regime and row["panel"] == panel and row["drawn"]]
        models = models_in_order(row["model"] for row in here)
        for place, model in enumerate(models):
            beside = _BESIDE ** (place - (len(models) - 1) / 2)
            for lengths in in_order((row["lengths"] for row in here), list(DISTRIBUTIONS)):
                line = [row for row in here if row["model"] == model and row["lengths"] == lengths]
                line = sorted(line, key=lambda row: row[x])
                _line(axis, line, [row[x] * beside for row in line], LINE_STYLES.get(lengths, "-."))
        axis.set_yscale("log")
    _name_panels(axes, regimes, columns, x_label, "N*")
    lines = {DISTRIBUTIONS.get(name, name): LINE_STYLES.get(name, "-.") for name in {row["lengths"] for row in rows}}
    _legend(figure, rows, {name: {"linestyle": style} for name, style in sorted(lines.items())}, open_means="> N")
    return figure, axes


def _line(axis: Any, rows: Sequence[Row], places: Sequence[float], style: str) -> None:
    if rows:
        shade = rows[0]["colour"]
        axis.plot(places, [row["drawn"] for row in rows], color=shade, linestyle=style, linewidth=1, alpha=0.7)
        points = [(x, row["drawn"], not row["censored"]) for row, x in zip(rows, places, strict=True)]
        _points(axis, points, rows[0], markersize=5)


def _heat_maps(rows: Sequence[Row]) -> Any:
    """N* over the task's size and L: a panel for each task, model and regime; hatched where it is only a bound.

    The numbers are written into the cells while they fit.
    """
    named = [{**row, "panel": _joined(_family(row), row["model"], row["group"])} for row in rows]
    panels = sorted({(_family(row), row["group"], rank(row["model"]), row["panel"]) for row in named})
    regimes, columns = _regimes(rows), [panel for *_, panel in panels]
    figure, axes = _panels(len(regimes), len(columns[:_MAX_PANELS]), share_y=False)
    _tell_of_missing(figure, columns)
    legible = len({row["size"] for row in rows}) <= _MAX_LABELLED and len({row["L"] for row in rows}) <= _MAX_LABELLED
    norm = matplotlib.colors.LogNorm(1, max(row["drawn"] for row in rows) or 10)
    for axis, regime, panel in _each(axes, regimes, columns):
        of_panel = [row for row in named if row["panel"] == panel]
        sizes, lengths = sorted({row["size"] for row in of_panel}), sorted({row["L"] for row in of_panel})
        values = np.full((len(sizes), len(lengths)), np.nan)
        for row in of_panel:
            if row["supervision"] == regime and row["drawn"]:
                place = sizes.index(row["size"]), lengths.index(row["L"])
                values[place] = row["drawn"]
                on_dark = {"color": "w" if norm(row["drawn"]) > 0.6 else "k"}
                if legible:
                    axis.text(*reversed(place), row["text"], ha="center", va="center", fontsize=6, **on_dark)
                if row["censored"]:
                    corner = (place[1] - 0.5, place[0] - 0.5)
                    axis.add_patch(matplotlib.patches.Rectangle(corner, 1, 1, fill=False, hatch="///", alpha=0.3, lw=0))
        axis.grid(visible=False)
        image = axis.imshow(values, norm=norm, cmap="viridis_r", aspect="auto", origin="lower")
        axis.set_xticks(_thinned(range(len(lengths))), _thinned(lengths))
        axis.set_yticks(_thinned(range(len(sizes))), _thinned(sizes))
    label = "N* (hatched: larger), uniform lengths" + ("" if legible else "; the tables hold the numbers")
    figure.colorbar(image, ax=axes.ravel().tolist(), label=label)
    _name_panels(axes, regimes, columns, "maximal length L", "size of the task")
    return figure


def _kappas(rows: Sequence[Row]) -> Any:
    """Kappa of every experiment, a column for each model, around the line at 1; bounds are open, with an arrow."""
    regimes, groups = _regimes(rows), in_order(row["group"] for row in rows)
    models = models_in_order(row["model"] for row in rows)
    figure, axes = _panels(len(groups[:_MAX_PANELS]), len(regimes), (3.2, 3.2))
    _tell_of_missing(figure, groups)
    for axis, group, regime in _each(axes, groups, regimes):
        here = [row for row in rows if row["supervision"] == regime and row["group"] == group]
        for column, model in enumerate(models):
            of_model = [row for row in here if row["model"] == model]
            places = [column + (index + 0.5) / len(of_model) * 0.7 - 0.35 for index in range(len(of_model))]
            _kappa_points(axis, of_model, places, [row["kappa"] for row in of_model], along=(0, 1))
        axis.axhline(1, color="grey", linewidth=0.8)
        axis.set_yscale("log", base=2)
        axis.yaxis.set_major_formatter("{x:g}")
        axis.set_xticks(
            range(len(models)), [model.partition("(")[0] for model in models], fontsize="small", rotation=20
        )
        axis.set_title(REGIMES.get(regime, regime), fontsize="medium")
    for axis, group in zip(axes[:, 0], groups, strict=False):
        axis.set_ylabel(_joined(textwrap.fill(group, _TITLE_WIDTH), "kappa", between="\n"))
    _legend(figure, rows, {}, open_means="a bound")
    return figure


def _kappa_points(
    axis: Any, rows: Sequence[Row], x: Sequence[float], y: Sequence[float], along: tuple[int, int]
) -> None:
    """Markers of one model's kappas; those of bounds are open, and an arrow leads from them along one of the axes."""
    places = list(zip(x, y, strict=True))
    for row, place in zip(rows, places, strict=True):
        direction = {"value": 0, "lower_bound": 1, "upper_bound": -1}[row["kind"]]
        if direction:
            end = tuple(at * 1.5 ** (direction * on) for at, on in zip(place, along, strict=True))
            axis.annotate("", end, place, arrowprops={"arrowstyle": "->", "color": row["colour"], "lw": 0.8})
            axis.update_datalim([end])  # so that the axis goes as far as the arrow
    if rows:
        points = [(*place, row["kind"] == "value") for row, place in zip(rows, places, strict=True)]
        _points(axis, points, rows[0], markersize=5)


def _points(axis: Any, points: Sequence[tuple[float, float, bool]], of: Row, **style: Any) -> None:
    """Markers of a model: of what is known filled, of bounds white.

    Args:
        axis: matplotlib's.
        points: horizontal and vertical place, and whether the number is known.
        of: a row of the model, whose colour and marker they have.
        style: more about all markers.
    """
    for wanted in (True, False):
        places = [(x, y) for x, y, known in points if known is wanted]
        face = of["colour"] if wanted else "white"
        x, y = [x for x, _ in places], [y for _, y in places]
        axis.plot(x, y, marker(of["model"]), mfc=face, mec=of["colour"], **style)


def _extrapolations(rows: Sequence[Row]) -> Any:
    """Accuracy against the length multiple: a thin line for each experiment, a thick one for the median."""
    regimes, groups = _regimes(rows), in_order(row["group"] for row in rows)
    figure, axes = _panels(len(groups[:_MAX_PANELS]), len(regimes), (3.2, 3.2))
    _tell_of_missing(figure, groups)
    for axis, group, regime in _each(axes, groups, regimes):
        here = [row for row in rows if row["supervision"] == regime and row["group"] == group]
        for model in models_in_order(row["model"] for row in here):
            curves: dict[tuple[str, str], list[Row]] = {}
            for row in here:
                if row["model"] == model:
                    curves.setdefault((row["source"], row["key"]), []).append(row)
            shade = next(row["colour"] for row in here if row["model"] == model)
            lines = [_accuracy_curve(curve) for curve in curves.values()]
            axis.add_collection(LineCollection(lines, colors=shade, linewidths=0.5, alpha=0.25))
            multiples = sorted({row["multiple"] for row in here})
            everything = [row for curve in curves.values() for row in curve]
            shared = [m for m in multiples if sum(row["multiple"] == m for row in everything) == len(curves)]
            middle = [float(np.median([row["final"] for row in everything if row["multiple"] == m])) for m in shared]
            axis.plot(shared, middle, color=shade, marker=marker(model), linewidth=2, markersize=5)
        axis.axhline(0, color="grey", linewidth=0.8)
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter("{x:g}x")
        axis.set_title(REGIMES.get(regime, regime), fontsize="medium")
        axis.set_xlabel("length, multiple of L")
    for axis, group in zip(axes[:, 0], groups, strict=False):
        axis.set_ylabel(_joined(textwrap.fill(group, _TITLE_WIDTH), "normalised final-state accuracy", between="\n"))
    _legend(figure, rows, {"median": {"linestyle": "-", "linewidth": 2}})
    return figure


def _accuracy_curve(rows: Sequence[Row]) -> list[tuple[float, float]]:
    return [(row["multiple"], row["final"]) for row in sorted(rows, key=lambda row: row["multiple"])]


def _kappa_and_extrapolation(rows: Sequence[Row]) -> Any:
    """Accuracy at 2 L against kappa, with Spearman's rank correlation of those kappas that are known."""
    groups = in_order(row["group"] for row in rows)
    figure, axes = _panels(1, len(groups[:_MAX_PANELS]), (5.5, 4.0))
    _tell_of_missing(figure, groups)
    for axis, group in zip(axes[0], groups, strict=False):
        here = [row for row in rows if row["group"] == group]
        for model in models_in_order(row["model"] for row in here):
            of_model = [row for row in here if row["model"] == model]
            places = [row["kappa"] for row in of_model], [row["accuracy_2x"] for row in of_model]
            _kappa_points(axis, of_model, *places, along=(1, 0))
        axis.axvline(1, color="grey", linewidth=0.8)
        axis.set(xscale="log", xlabel="kappa")
        axis.set_title(_joined(group, rank_correlation(here), between="\n"), fontsize="medium")
    axes[0][0].set_ylabel("normalised final-state accuracy at 2 L")
    _legend(figure, rows, {}, open_means="a bound")
    return figure


def rank_correlation(rows: Sequence[Row]) -> str:
    """Spearman's rank correlation of kappa and accuracy, in words; bounds are left out.

    Args:
        rows: of kappas, with the accuracy at 2 L.
    """
    from scipy.stats import spearmanr  # noqa: PLC0415 (its import takes a second)

    known = [row for row in rows if row["kind"] == "value"]
    values = [{row[name] for row in known} for name in ("kappa", "accuracy_2x")]
    if len(known) < 3 or min(map(len, values)) < 2:
        return f"{len(known)} known kappas: too few, or too much alike, for a rank correlation"
    result = spearmanr([row["kappa"] for row in known], [row["accuracy_2x"] for row in known])
    return f"Spearman's rho = {result.statistic:.2f} (p = {result.pvalue:.2g}, n = {len(known)})"


def _regimes(rows: Sequence[Row]) -> list[str]:
    return in_order((row["supervision"] for row in rows), list(REGIMES))


def _family(row: Row) -> str:
    """The task without its size."""
    return str(row["task"]).partition("(")[0]


def _joined(*texts: str, between: str = ", ") -> str:
    return between.join(filter(None, texts))


def _panels(
    num_rows: int, num_columns: int, size: tuple[float, float] = _PANEL, share_y: bool = True
) -> tuple[Any, Any]:
    matplotlib.use("agg")
    from matplotlib import pyplot  # noqa: PLC0415 (costs a second, and only after the backend is chosen)

    figure, axes = pyplot.subplots(
        num_rows,
        num_columns,
        figsize=(size[0] * num_columns + 1.5, size[1] * num_rows + 0.5),
        sharex="col",
        sharey=share_y,
        squeeze=False,
        layout="constrained",
    )
    for axis in axes.flat:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", which="major", alpha=0.3)
    return figure, axes


def _thinned(values: Sequence[Value]) -> Sequence[Value]:
    """So few of the values, evenly spread, that each can have a tick."""
    return values[:: math.ceil(len(values) / _MAX_TICKS)]


def _tell_of_missing(figure: Any, panels: Sequence[str]) -> None:
    if len(panels) > _MAX_PANELS:
        told = f"the first {_MAX_PANELS} of {len(panels):,} panels; the tables and report.html hold the others"
        figure.suptitle(told, fontsize="medium", color="red")


def _each(axes: Any, rows: Sequence[str], columns: Sequence[str]) -> Iterator[tuple[Any, str, str]]:
    for row, name in enumerate(rows[:_MAX_PANELS]):
        for column, other in enumerate(columns[:_MAX_PANELS]):
            yield axes[row][column], name, other


def _name_panels(axes: Any, regimes: Sequence[str], columns: Sequence[str], x_label: str, y_label: str) -> None:
    for axis, column in zip(axes[0], columns, strict=False):
        axis.set_title(textwrap.fill(column, _TITLE_WIDTH), fontsize="small")
    for axis in axes[-1]:
        axis.set_xlabel(x_label)
    for axis, regime in zip(axes[:, 0], regimes, strict=True):
        axis.set_ylabel(f"{REGIMES.get(regime, regime)}\n{y_label}")


def _legend(figure: Any, rows: Sequence[Row], lines: dict[str, Json], open_means: str | None = None) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415 (after the backend is chosen)

    shade_of = {row["model"]: row["colour"] for row in rows}
    shades = {model: shade_of[model] for model in models_in_order(shade_of)}
    handles = [
        Line2D([], [], linestyle="", marker=marker(model), color=shade, label=textwrap.fill(model, _LEGEND_WIDTH))
        for model, shade in shades.items()
    ]
    handles += [Line2D([], [], color="grey", label=name, **style) for name, style in lines.items()]
    if open_means:
        handles.append(Line2D([], [], linestyle="", marker="o", color="grey", mfc="white", label=open_means))
    for name, setting in sorted({(row["setting_name"], row["setting"]) for row in rows if row["setting_name"]}):
        handles.append(Line2D([], [], linestyle="", label=textwrap.fill(f"{name}: {setting}", _LEGEND_WIDTH)))
    figure.legend(handles=handles, frameon=False, loc="outside right upper", fontsize="small")
