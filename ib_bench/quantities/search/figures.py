"""Figures of N*: against the maximal length and the number of states, over both, per regime, and losses of trials.

What is only known to be larger than a size is an open marker with an arrow, or has a ">" before it. Where that size is
every training sequence that exists, the word "all" is printed next to it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt

from ib_bench.drawing.charts import (
    Marks,
    Panels,
    all_labels,
    all_notes,
    described,
    finished,
    log_axis,
    panelled,
    thinned,
    tooltips,
)
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.labels import Shown
from ib_bench.drawing.loss_points import fewer_points
from ib_bench.drawing.regimes import panel_of, sizes_by_regime
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import (
    DASHES,
    DISTRIBUTIONS,
    OTHER_DASH,
    REGIMES,
    distribution_text,
    in_order,
    models_in_order,
)
from ib_bench.drawing.texts import DOT
from ib_bench.errors import InvalidOptionError
from ib_bench.plain_text import one_line
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.search.tables import bracket_text, drawn_size, without_parts
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import experiment_text
from ib_bench.results.trial_record import TrialRecord

_BESIDE = 1.015
"""The factor by which models are moved apart on the horizontal axis, so that equal numbers do not hide each other."""

_MOST_BESIDE = 2
"""How many such factors the outermost of many models are moved by."""

_MAX_CELLS = 12
"""Rows and columns of a heat map whose cells have room for a number."""

_MAX_MARKED = 5_000
"""Validations in a figure of losses; the lines of more have no points."""

_UNIFORM = "uniform"


def figures(study: Study) -> list[Figure]:
    """Every figure of N* for which there are results.

    Raises:
        InvalidOptionError: the study names a search that it does not hold.
    """
    found = _found(study.shown(SearchRecord))
    with_length = [one for one in found if one.label.max_length is not None]
    uniform = [one for one in found if one.label.lengths == _UNIFORM]
    sized = [one for one in uniform if one.label.num_states]
    drawn = []
    if with_length:
        drawn.append(_against_length(with_length, study))
    if sized:
        drawn.append(_against_states(sized, study))
    if uniform:
        drawn.append(_heat_map(uniform, study))
    if (losses := _loss_curves(study)) is not None:
        drawn.append(losses)
    return drawn


def min_train_size_figure(study: Study, name: str) -> Figure | None:
    """N* for each regime and architecture, on a log axis, a panel for each task, length and distribution.

    The bar below a marker is the bracket; a censored N* is an open marker at the largest size, with an arrow up.

    Args:
        study: of which searches that are only parts of a kappa are left out.
        name: of the suite, and of the file.
    """
    rows = []
    for record, row in described(_found(without_parts(study.shown(SearchRecord)))):
        sized = _size_row(record, row)
        low = None if record.censored else max(record.bracket[0], 0.8)
        rows.append({**sized, "low": low, "high": sized["size"], "panel": panel_of(row)})
    if not rows:
        return None
    title = f"{name}: smallest training set that suffices (N*)"
    return sizes_by_regime(name, title, "N*, training sequences", rows, _open_note(rows), study)


def _found(shown: Iterable[Shown[SearchRecord]]) -> list[Shown[SearchRecord]]:
    """Searches that have N*, or a bound of it."""
    return [one for one in shown if one.result.finished and drawn_size(one.result)]


def _against_length(shown: Sequence[Shown[SearchRecord]], study: Study) -> Figure:
    """A line for each length distribution and model; a panel for each task and regime."""
    rows = [
        {**_size_row(record, row), "x": row["L"], "panel": _panel(row["task"], row["group"])}
        for record, row in described(shown)
    ]
    lengths = sorted({row["L"] for row in rows})
    axis = alt.Axis(values=thinned(lengths), format="d")
    room = _BESIDE ** (_MOST_BESIDE + 1)
    domain = [min(lengths[0] - 1, lengths[0] / room), max(lengths[-1] + 1, lengths[-1] * room)]
    scale = alt.Scale(domain=domain, nice=False)
    x = alt.X("x:Q", title="maximal length L", axis=axis, scale=scale)
    title = "N* against maximal length"
    return Figure("min_train_size_against_length", title, _curves(rows, x, study))


def _against_states(shown: Sequence[Shown[SearchRecord]], study: Study) -> Figure:
    """Likewise for uniform lengths, with a panel for each family of tasks, L and regime."""
    rows = [
        {
            **_size_row(record, row),
            "x": one.label.num_states,
            "panel": _panel(f"{one.label.family}, L={row['L']}", row["group"]),
        }
        for (record, row), one in zip(described(shown), shown, strict=True)
    ]
    numbers = sorted({row["x"] for row in rows})
    axis = alt.Axis(values=thinned(numbers), format="d")
    scale = alt.Scale(type="log", domain=[numbers[0] / 1.5, numbers[-1] * 1.5], nice=False)
    x = alt.X("x:Q", title="number of states", axis=axis, scale=scale)
    title = "N* against the task's number of states, uniform lengths"
    return Figure("min_train_size_against_states", title, _curves(rows, x, study))


def _curves(rows: Sequence[Json], x: Any, study: Study) -> Json:
    """N* against ``x``; models stand a little beside each other."""
    marks = Marks(rows, study.colours)
    middle = (len(marks.models) - 1) / 2
    unit = min(1.0, _MOST_BESIDE / middle) if middle else 1.0
    beside = {model: _BESIDE ** (unit * (index - middle)) for index, model in enumerate(marks.models)}
    rows = [{**row, "x": row["x"] * beside[row["model"]]} for row in rows]
    y = alt.Y(**log_axis("size", "N*", _extent(rows, "size")))
    lengths = in_order((row["lengths"] for row in rows), DISTRIBUTIONS.values())
    dashes = {distribution_text(name): dash for name, dash in DASHES.items()}
    scale = alt.Scale(domain=lengths, range=[dashes.get(name, OTHER_DASH) for name in lengths])
    dash = alt.StrokeDash("lengths:N", title="lengths", scale=scale)
    line = (
        alt.Chart().mark_line(strokeOpacity=0.6, strokeWidth=1.3).encode(x=x, y=y, strokeDash=dash, stroke=marks.stroke)
    )
    points = marks.points(x, y, ["text:N", "trials:Q"], size=45) + all_labels(rows, x, y)
    panels = Panels("supervision", "panel", columns=list(REGIMES.values()))
    return panelled([line, *points], rows, panels, [*_open_note(rows), *study.settings_notes(rows)])


def _heat_map(shown: Sequence[Shown[SearchRecord]], study: Study) -> Figure:
    """N* over task and L, with the number in each cell while it fits; a panel for each model and regime."""
    rows = [
        {**_size_row(record, row), "panel": _panel(row["supervision"], row["group"])}
        for record, row in described(shown)
    ]
    tasks, lengths = in_order(row["task"] for row in rows), sorted({row["L"] for row in rows})
    x = alt.X("L:O", title="maximal length L", axis=alt.Axis(labelAngle=0), scale=alt.Scale(domain=lengths))
    y = alt.Y("task:N", title=None, scale=alt.Scale(domain=tasks))
    values = _extent(rows, "size")
    scale = alt.Scale(type="log", scheme="viridis", reverse=True, domain=[min(values), max(values)], nice=False)
    tooltip = tooltips("model:N", "task:N", "L:Q", "supervision:N", "group:N", "text:N")
    cells = alt.Chart().mark_rect(stroke="white", cursor="pointer")
    cells = cells.encode(x=x, y=y, color=alt.Color("size:Q", title="N*", scale=scale), tooltip=tooltip, href="href:N")
    is_legible = len(tasks) <= _MAX_CELLS and len(lengths) <= _MAX_CELLS
    middle = math.sqrt(min(values) * max(values))
    shade = alt.condition(alt.datum.size > middle, alt.value("white"), alt.value("black"))
    text = alt.Chart().mark_text(fontSize=9).encode(x=x, y=y, text="cell:N" if is_legible else "bound:N", color=shade)
    regimes = in_order((row["panel"] for row in rows), REGIMES.values())
    panels = Panels(
        "model",
        "panel",
        columns=models_in_order(row["model"] for row in rows),
        lines=regimes,
        width=max(170, 36 * len(lengths) if is_legible else 12 * len(lengths)),
        height=max(60, (22 if is_legible else 10) * len(tasks)),
    )
    notes = ["> N: more than the largest size tried." if is_legible else ">: more than the largest size tried."]
    notes += all_notes(rows)
    title = "N* over task and length, uniform lengths"
    spec = panelled([cells, text], rows, panels, [*notes, *study.settings_notes(rows)])
    return Figure("min_train_size_heatmap", title, spec)


def _loss_curves(study: Study) -> Figure | None:
    """Validation losses of one search's trials, a shade for each training set size, with the threshold drawn."""
    chosen = _chosen(study)
    if chosen is None:
        return None
    record, records = chosen
    rows = [row for trial in records.trials_of(record) for row in _loss_rows(trial)]
    rows.sort(key=lambda row: row["size"])
    threshold = record.config.settings.threshold
    x = alt.X("step:Q", title="optimizer steps")
    y = alt.Y(**log_axis("loss", "validation loss, nats", [*(row["loss"] for row in rows), threshold]))
    legend = alt.Legend(format=",d", symbolOpacity=1)
    shade = alt.Color("size:O", title="N", scale=alt.Scale(scheme="viridis", reverse=True), legend=legend)
    loss = alt.Tooltip("loss:Q", format=".3g")
    tooltip = tooltips("size:Q", "learning_rate:Q", "seed:Q", "status:N", "step:Q", loss)
    points = alt.OverlayMarkDef(size=15) if len(rows) <= _MAX_MARKED else False
    curves = alt.Chart().mark_line(point=points, opacity=0.8, strokeWidth=1.3)
    curves = curves.encode(x=x, y=y, color=shade, detail="trial:N", tooltip=tooltip)
    epsilon = alt.Chart(alt.InlineData(values=[{"loss": threshold}])).mark_rule(strokeDash=[4, 4]).encode(y="loss:Q")
    layers = alt.layer(curves, epsilon, data=alt.NamedData("rows")).properties(width=480, height=320)
    title = one_line(f"{experiment_text(record.labels)}{DOT}N* {record.verdict}")
    spec = layers.to_dict()
    del spec["config"], spec["$schema"]
    spec = finished({**spec, "datasets": {"rows": rows}}, [title, f"Dashed: epsilon = {threshold:g}"])
    return Figure("losses", f"Validation losses: {title}", spec)


def _chosen(study: Study) -> tuple[SearchRecord, Records] | None:
    """The search whose losses are drawn, with the records of its source."""
    key = study.search
    pairs = [(one.result, one.label.source) for one in study.shown(SearchRecord) if one.result.finished]
    fitting = [pair for pair in pairs if key is None or pair[0].key.startswith(key)]
    if key is not None and len({record.key for record, _ in fitting}) != 1:
        raise InvalidOptionError("search", key, f"the key of one search, or its start (it fits {len(fitting)})")
    if not fitting:
        return None
    record, source = max(fitting, key=lambda pair: pair[0].num_trials)
    return record, study.sources[source]


def _loss_rows(trial: TrialRecord) -> list[Json]:
    """A row for each validation that is drawn and whose loss was finite."""
    return [
        {
            "trial": trial.key,
            "size": trial.config.num_train_sequences,
            "learning_rate": trial.config.learning_rate,
            "seed": trial.config.seed,
            "status": trial.status,
            "step": step,
            "loss": loss,
        }
        for step, loss in fewer_points(trial.val_curve)
        if loss is not None and loss > 0
    ]


def _size_row(record: SearchRecord, row: Json) -> Json:
    """What a chart shows of a search."""
    bound = {"arrow": "up", "bound": "all" if record.is_pool_exhausted else ">"} if record.censored else {"bound": ""}
    texts = {
        "text": record.verdict,
        "cell": f"all {record.max_size:,}" if record.is_pool_exhausted else record.verdict,
        "bracket": bracket_text(record.bracket),
    }
    sizes = {"size": drawn_size(record), "trials": record.num_trials, "is_all": record.is_pool_exhausted}
    return {**row, **sizes, **texts, **bound}


def _open_note(rows: Sequence[Json]) -> list[str]:
    return ["Open markers: N* is larger.", *all_notes(rows)] if any(row.get("arrow") for row in rows) else []


def _extent(rows: Iterable[Mapping[str, Any]], *names: str) -> list[float]:
    return [row[name] for row in rows for name in names if row[name] is not None]


def _panel(*parts: str) -> str:
    return ", ".join(filter(None, parts))
