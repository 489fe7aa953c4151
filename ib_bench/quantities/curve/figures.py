"""The figures of success curves: bands with the trials as points, and N50 against the threshold."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from ib_bench.drawing.charts import (
    Marks,
    Panels,
    all_labels,
    all_notes,
    described,
    log_axis,
    panelled,
    thinned,
    tooltips,
)
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.labels import Shown
from ib_bench.drawing.regimes import panel_of, sizes_by_regime
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import REGIMES
from ib_bench.quantities.curve.record import CurveRecord, Sizes, ThresholdEstimate
from ib_bench.results.identity import Json

OPEN_NOTE = "Open markers: lower ends."


def figures(study: Study) -> list[Figure]:
    """The figures for which there are curves."""
    shown = [one for one in study.shown(CurveRecord) if one.result.finished and one.result.estimate is not None]
    with_thresholds = [one for one in shown if any(here.measure == "loss" for here in one.result.thresholds)]
    drawn = [_success_curves(shown, study)] if shown else []
    return [*drawn, _against_threshold(with_thresholds, study)] if with_thresholds else drawn


def n50_figure(study: Study, name: str) -> Figure | None:
    """N50 for each regime and architecture, with its 90 % interval; None for fewer than two, where the curve says more.

    Args:
        study: of the suite.
        name: of the suite; the file's name ends in ``n50``, so that a suite with N* too has both figures.
    """
    rows = [
        {**row, **_drawn_sizes(record, estimate.n50), "text": record.verdict, "panel": panel_of(row)}
        for record, row in described(study.shown(CurveRecord))
        if record.finished and (estimate := record.estimate) is not None
    ]
    if len(rows) < 2:
        return None
    title = f"{name}: size at which half of the training runs succeed (N50)"
    notes = [f"Bars: 90 % intervals. {OPEN_NOTE}", *all_notes(rows)]
    return sizes_by_regime(f"{name}_n50", title, "N50, training sequences", rows, notes, study)


def _success_curves(shown: Sequence[Shown[CurveRecord]], study: Study) -> Figure:
    """Every curve: its 90 % band, its median, and the share of trials that succeeded at each size."""
    rows: list[Json] = []
    for record, row in _panelled(shown):
        confirmed = record.confirmed_text
        text = f"{record.verdict} ({confirmed} confirmed)" if confirmed else record.verdict
        rows += _rows(record, {**row, "curve": record.key, "text": text})
    marks = Marks(rows, study.colours)
    x = alt.X(**log_axis("size", "training sequences N", [row["size"] for row in rows]))
    scale = alt.Scale(domain=[0, 1], nice=False)
    y = alt.Y("chance:Q", title="chance of success", scale=scale)
    low = alt.Y("low:Q", title="chance of success", scale=scale)
    band = alt.Chart().mark_area(fillOpacity=0.2, aria=False).transform_filter("isValid(datum.low)")
    band = band.encode(x=x, y=low, y2="high:Q", fill=marks.fill, detail="curve:N")
    line = alt.Chart().mark_line(strokeWidth=1.5).transform_filter("isValid(datum.low)")
    line = line.encode(
        x=x, y=y, stroke=marks.stroke, detail="curve:N", href="href:N", tooltip=tooltips("model:N", "text:N")
    )
    half = alt.Chart().mark_rule(color="grey", strokeDash=[4, 4], strokeWidth=0.8).encode(y=alt.datum(0.5))
    numbers = sorted({row["trials"] for row in rows if "trials" in row})
    legend = alt.Legend(values=list(thinned(numbers)), format="d")
    size = alt.Size("trials:Q", title="trials", scale=alt.Scale(range=[15, 120]), legend=legend)
    points = alt.Chart().mark_point(opacity=1, strokeWidth=1.2).transform_filter("isValid(datum.trials)")
    points = points.encode(
        x=x,
        y=y,
        size=size,
        stroke=marks.stroke,
        shape=marks.shape,
        href="href:N",
        tooltip=tooltips("model:N", "size:Q", "succeeded:Q", "trials:Q", "text:N"),
    )
    panels = Panels("supervision", "panel", columns=list(REGIMES.values()))
    notes = ["Bands: 90 % intervals. Points: the share of trials that succeeded. N50 is where a curve crosses 1/2."]
    layers = [half, band, line, points, *all_labels(rows, x, y)]
    spec = panelled(layers, rows, panels, [*notes, *all_notes(rows), *study.settings_notes(rows)])
    return Figure("success_curves", "Success curves", spec)


def _against_threshold(shown: Sequence[Shown[CurveRecord]], study: Study) -> Figure:
    """N50 of every curve against the validation loss that a run has to get below, with its interval."""
    rows = [
        _threshold_row(record, estimate, row)
        for record, row in _panelled(shown)
        for estimate in record.thresholds
        if estimate.measure == "loss"
    ]
    marks = Marks(rows, study.colours)
    x = alt.X(**log_axis("threshold", "threshold: validation loss in nats", [row["threshold"] for row in rows]))
    y = log_axis("size", "N50, training sequences", [row[end] for row in rows for end in ("low", "high")])
    low = alt.Y(**{**y, "shorthand": "low:Q"})
    bars = alt.Chart().mark_rule(strokeWidth=2, strokeOpacity=0.5).encode(x=x, y=low, y2="high:Q", stroke=marks.stroke)
    points = marks.points(x, alt.Y(**y), ["text:N", "threshold:Q", "unknown:Q"]) + all_labels(rows, x, alt.Y(**y))
    panels = Panels("supervision", "panel", columns=list(REGIMES.values()))
    notes = [f"N50 at other thresholds, from the same runs. Bars: 90 % intervals. {OPEN_NOTE}"]
    return Figure(
        "n50_against_threshold",
        "N50 against the threshold",
        panelled([bars, *points], rows, panels, [*notes, *all_notes(rows), *study.settings_notes(rows)]),
    )


def _threshold_row(record: CurveRecord, estimate: ThresholdEstimate, row: Json) -> Json:
    """What the chart shows of one threshold."""
    return {
        **row,
        **_drawn_sizes(record, estimate.n50),
        "threshold": estimate.threshold,
        "text": record.threshold_text(estimate, estimate.n50),
        "unknown": estimate.num_unknown,
    }


def _drawn_sizes(record: CurveRecord, sizes: Sizes) -> Json:
    """A size and the ends of its interval; what lies above the largest size is drawn there, with an arrow."""
    low, high = (record.max_size if size is None else size for size in (sizes.low, sizes.high))
    if sizes.median is not None:
        return {"size": sizes.median, "low": low, "high": high}
    is_all = record.largest_is_all and sizes.high is None
    return {"size": low, "low": low, "high": high, "arrow": "up", "is_all": is_all}


def _panelled(shown: Sequence[Shown[CurveRecord]]) -> list[tuple[CurveRecord, Json]]:
    """Curves, each with the values by which a chart tells it apart, its panel among them."""
    rows = []
    for record, row in described(shown):
        lengths = f"L={row['L']}, {row['lengths']} lengths"
        panel = ", ".join(filter(None, [row["task"], lengths, row["group"]]))
        rows.append((record, {**row, "panel": panel}))
    return rows


def _rows(record: CurveRecord, row: Json) -> list[Json]:
    """A row for each point of the band, and for each size that was tried."""
    assert record.estimate is not None
    band = [
        {**row, "size": point.size, "chance": point.chance.median, "low": point.chance.low, "high": point.chance.high}
        for point in record.estimate.points
    ]
    band[-1]["is_all"] = record.largest_is_all
    tried = [
        {**row, "size": size, "chance": succeeded / number, "succeeded": succeeded, "trials": number}
        for size, (succeeded, number) in record.successes().items()
    ]
    return band + tried
