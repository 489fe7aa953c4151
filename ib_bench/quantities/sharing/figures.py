"""The figure of kappa: every experiment, around the line at 1; bounds are open, with an arrow."""

from __future__ import annotations

from collections import Counter

import altair as alt

from ib_bench.drawing.charts import Marks, Panels, described, log_axis, panelled
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import REGIMES
from ib_bench.quantities.sharing.record import Sharing
from ib_bench.results.identity import Json

ARROWS = {"lower_bound": "up", "upper_bound": "down"}
"""Where kappa lies, from a marker at a bound of it."""


def figures(study: Study) -> list[Figure]:
    """Kappa of each experiment: a column for each model, a panel for each regime."""
    shown = [one for one in study.shown(Sharing) if one.result.factor.value is not None]
    if not shown:
        return []
    places: Counter[tuple[str, ...]] = Counter()
    rows: list[Json] = []
    for sharing, row in described(shown):
        column = (row["model"], row["supervision"], row["group"])
        numbers = {"kappa": sharing.factor.value, "place": places[column], "one": 1}
        texts = {"text": str(sharing.factor), "joint": sharing.joint.verdict, "sum": sharing.sum_text}
        rows.append({**row, **numbers, **texts, "arrow": ARROWS.get(sharing.factor.kind)})
        places[column] += 1
    marks = Marks(rows, study.colours)
    scale = alt.Scale(domain=marks.models)
    axis = alt.Axis(labelAngle=-20, labelExpr="split(datum.label, '(')[0]")
    x = alt.X("model:N", title=None, scale=scale, axis=axis)
    beside = alt.XOffset("place:O", scale=alt.Scale(paddingOuter=1))
    y = alt.Y(**log_axis("kappa", "kappa", [row["kappa"] for row in rows], base=2))
    one = alt.Chart().mark_rule(color="grey").encode(y="one:Q")
    points = marks.points(x, y, ["text:N", "joint:N", "sum:N"], xOffset=beside)
    panels = Panels("supervision", "group", columns=list(REGIMES.values()), height=240)
    notes = ["Above 1, lengths share what is learned. Open markers: kappa lies where the arrow points."]
    spec = panelled([one, *points], rows, panels, [*notes, *study.settings_notes])
    return [Figure("kappa", "Sharing factor kappa", spec)]
