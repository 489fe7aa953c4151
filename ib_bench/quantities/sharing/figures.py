"""The figure of kappa: every experiment, around the line at 1; a bar from end to end, an arrow where one is unknown."""

from __future__ import annotations

from collections import Counter

import altair as alt

from ib_bench.drawing.charts import Marks, Panels, described, log_axis, panelled
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import REGIMES
from ib_bench.quantities.sharing.curves import FactorEstimate, SharingCurves
from ib_bench.quantities.sharing.factor import SharingFactor
from ib_bench.quantities.sharing.record import Sharing
from ib_bench.quantities.sharing.tables import exhausted_text
from ib_bench.results.identity import Json

_NUMBERS = ("kappa", "low", "high")
_DASHES = {"N*": [1, 0], "N50": [3, 2]}


def figures(study: Study) -> list[Figure]:
    """Kappa of each experiment: a column for each model, a panel for each regime."""
    places: Counter[tuple[str, ...]] = Counter()
    rows: list[Json] = []
    for sharing, row in described(study.shown(Sharing)):
        column = (row["model"], row["supervision"], row["group"])
        for drawn in _drawn(sharing):
            rows.append({**row, **drawn, "place": places[column], "one": 1})
            places[column] += 1
    if not rows:
        return []
    marks = Marks(rows, study.colours)
    scale = alt.Scale(domain=marks.models)
    axis = alt.Axis(labelAngle=-20, labelExpr="split(datum.label, '(')[0]")
    x = alt.X("model:N", title=None, scale=scale, axis=axis)
    beside = alt.XOffset("place:O", scale=alt.Scale(paddingOuter=1))
    of_kappa = log_axis("kappa", "kappa", [row[name] for row in rows for name in _NUMBERS if name in row], base=2)
    y = alt.Y(**of_kappa)
    one = alt.Chart().mark_rule(color="grey").encode(y="one:Q")
    bars = alt.Chart().mark_rule(strokeWidth=2, strokeOpacity=0.6).transform_filter("isValid(datum.low)")
    of = [name for name in _DASHES if any(row["of"] == name for row in rows)]
    dashes = alt.Scale(domain=of, range=[_DASHES[name] for name in of])
    legend = alt.Legend() if len(of) > 1 else None
    dash = alt.StrokeDash("of:N", title="kappa of", scale=dashes, legend=legend)
    low = alt.Y(**{**of_kappa, "shorthand": "low:Q"})
    bars = bars.encode(x=x, y=low, y2="high:Q", stroke=marks.stroke, strokeDash=dash, xOffset=beside)
    points = marks.points(x, y, ["of:N", "text:N", "exhausted:N", "joint:N", "sum:N"], xOffset=beside)
    panels = Panels("supervision", "group", columns=list(REGIMES.values()), height=240)
    notes = [
        "Above 1, lengths share what is learned. Bars: where kappa lies; of N50, its 90 % interval. "
        "Open markers: one end is unknown, and kappa lies where the arrow points."
    ]
    spec = panelled([one, bars, *points], rows, panels, [*notes, *study.settings_notes(rows)])
    return [Figure("kappa", "Sharing factor kappa", spec)]


def _drawn(sharing: Sharing) -> list[Json]:
    """What is drawn of one kappa: that of N*, and that of N50 beside it; nothing of what is unknown."""
    exhausted = {"exhausted": f"{exhausted_text(sharing)} lengths"}
    drawn: list[Json] = []
    if sharing.factor is not None:
        texts = {**exhausted, "joint": str(sharing.joint_need), "sum": sharing.sum_text}
        drawn.append({**texts, "of": "N*", "text": str(sharing.factor), **_numbers(sharing.factor)})
    if sharing.curves is not None:
        estimate = sharing.curves.estimate
        texts = {**exhausted, "joint": sharing.curves.joint.verdict, "sum": _sum_text(sharing.curves)}
        drawn.append({**texts, "of": "N50", "text": str(estimate), **_numbers_of_estimate(estimate)})
    return [row for row in drawn if row["kappa"] is not None]


def _sum_text(curves: SharingCurves) -> str:
    """The sum of N50 at each length alone; without the lengths at which N50 has no median, only how many have one."""
    known = [one.estimate.n50.median for one in curves.parts.values() if one.estimate is not None]
    sizes = [size for size in known if size is not None]
    whole = len(sizes) == len(curves.parts)
    return f"{sum(sizes):,.0f}" if whole else f"N50 known at {len(sizes)} of {len(curves.parts)} lengths"


def _numbers(factor: SharingFactor) -> Json:
    ends = {"low": factor.known_low, "high": factor.known_high} if factor.is_bounded else {}
    return {"kappa": factor.middle, "arrow": factor.arrow, **ends}


def _numbers_of_estimate(estimate: FactorEstimate) -> Json:
    """The marker is at the median where both ends are known."""
    numbers = _numbers(SharingFactor(estimate.low, estimate.high))
    return {**numbers, "kappa": estimate.median} if "low" in numbers and estimate.median is not None else numbers
