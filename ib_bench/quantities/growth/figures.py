"""The figure of growth: the exponent of every series, with its interval, around the line at 0."""

from __future__ import annotations

from collections import Counter

import altair as alt

from ib_bench.drawing.charts import Marks, Panels, described, panelled
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import REGIMES
from ib_bench.quantities.growth.record import Growth
from ib_bench.quantities.growth.tables import labels_text, points_text, slope_text
from ib_bench.results.identity import Json

_NAMES = {"L": "maximal length L", "states": "number of states"}


def figures(study: Study) -> list[Figure]:
    """Exponents of the power law: a column for each model, a panel for each regime and what N grows with."""
    shown = [one for one in study.shown(Growth) if one.result.fit is not None]
    if not shown:
        return []
    places: Counter[tuple[str, ...]] = Counter()
    rows: list[Json] = []
    for growth, row in described(shown):
        assert growth.fit is not None
        panel = ", ".join(filter(None, [f"{growth.measure} over the {_NAMES[growth.variable]}", row["group"]]))
        column = (row["model"], row["supervision"], panel)
        exponent = growth.fit.exponent
        texts = {"text": slope_text(exponent), "over": points_text(growth), "better": growth.fit.better}
        arrow = {"arrow": "up"} if exponent.high is None else {}
        arrow = {"arrow": "down"} if exponent.low is None else arrow
        numbers = {"exponent": exponent.median, "place": places[column]}
        ends = {"low": exponent.low, "high": exponent.high}
        rows.append({**row, "task": labels_text(growth.labels), "panel": panel, **texts, **arrow, **numbers, **ends})
        places[column] += 1
    marks = Marks(rows, study.colours)
    axis = alt.Axis(labelAngle=-20, labelExpr="split(datum.label, '(')[0]")
    x = alt.X("model:N", title=None, scale=alt.Scale(domain=marks.models), axis=axis)
    beside = alt.XOffset("place:O", scale=alt.Scale(paddingOuter=1))
    zero = alt.Chart().mark_rule(color="grey").encode(y=alt.datum(0))
    bars = alt.Chart().mark_rule(strokeWidth=1.5, strokeOpacity=0.6)
    bars = bars.transform_filter("isValid(datum.low) && isValid(datum.high)")
    bars = bars.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", stroke=marks.stroke, xOffset=beside)
    y = alt.Y("exponent:Q", title="exponent of N")
    points = marks.points(x, y, ["over:N", "text:N", "better:N"], size=40, xOffset=beside)
    panels = Panels("supervision", "panel", columns=list(REGIMES.values()), height=220)
    notes = ["Bars: 90 % intervals. Open markers: one end of the interval is unknown.", *study.settings_notes(rows)]
    spec = panelled([zero, bars, *points], rows, panels, notes)
    return [Figure("growth", "How N50 and N* grow with length and number of states", spec)]
