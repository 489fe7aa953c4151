"""The figure of success curves: bands, with the trials as points."""

from __future__ import annotations

import altair as alt

from ib_bench.drawing.charts import Marks, Panels, described, log_axis, panelled, thinned
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import REGIMES
from ib_bench.quantities.curve.record import CurveRecord
from ib_bench.results.identity import Json


def figures(study: Study) -> list[Figure]:
    """Every curve: its 90 % band, its median, and the share of trials that succeeded at each size."""
    shown = [one for one in study.shown(CurveRecord) if one.result.finished and one.result.estimate is not None]
    if not shown:
        return []
    rows: list[Json] = []
    for record, row in described(shown):
        lengths = f"L={row['L']}, {row['lengths']} lengths"
        panel = ", ".join(filter(None, [row["task"], lengths, row["group"]]))
        rows += _rows(record, {**row, "panel": panel, "curve": record.key, "text": record.verdict})
    marks = Marks(rows, study.colours)
    x = alt.X(**log_axis("size", "training sequences N", [row["size"] for row in rows]))
    scale = alt.Scale(domain=[0, 1], nice=False)
    y = alt.Y("chance:Q", title="chance of success", scale=scale)
    low = alt.Y("low:Q", title="chance of success", scale=scale)
    band = alt.Chart().mark_area(fillOpacity=0.2, aria=False).transform_filter("isValid(datum.low)")
    band = band.encode(x=x, y=low, y2="high:Q", fill=marks.fill, detail="curve:N")
    line = alt.Chart().mark_line(strokeWidth=1.5).transform_filter("isValid(datum.low)")
    line = line.encode(x=x, y=y, stroke=marks.stroke, detail="curve:N", href="href:N", tooltip=["model:N", "text:N"])
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
        tooltip=["model:N", "size:Q", "succeeded:Q", "trials:Q", "text:N"],
    )
    panels = Panels("supervision", "panel", columns=list(REGIMES.values()))
    notes = ["Bands: 90 % intervals. Points: the share of trials that succeeded. N50 is where a curve crosses 1/2."]
    spec = panelled([half, band, line, points], rows, panels, [*notes, *study.settings_notes])
    return [Figure("success_curves", "Success curves", spec)]


def _rows(record: CurveRecord, row: Json) -> list[Json]:
    """A row for each point of the band, and for each size that was tried."""
    assert record.estimate is not None
    band = [
        {**row, "size": point.size, "chance": point.chance.median, "low": point.chance.low, "high": point.chance.high}
        for point in record.estimate.points
    ]
    tried = [
        {**row, "size": size, "chance": succeeded / number, "succeeded": succeeded, "trials": number}
        for size, (succeeded, number) in record.successes().items()
    ]
    return band + tried
