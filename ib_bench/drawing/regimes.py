"""The figure that a suite ends with: a size for each kind of supervision and architecture, with a bar for its range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import altair as alt

from ib_bench.drawing.charts import Marks, Panels, all_labels, log_axis, panelled
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import REGIMES, in_order
from ib_bench.results.identity import Json


def panel_of(row: Json) -> str:
    """The title of a result's panel: task, length and distribution, and what else its group differs in.

    Args:
        row: of :func:`~ib_bench.drawing.charts.described`.
    """
    return ", ".join(filter(None, [f"{row['task']}\nL={row['L']}, {row['lengths']} lengths", row["group"]]))


def sizes_by_regime(
    name: str, title: str, axis_title: str, rows: Sequence[Json], notes: Iterable[str], study: Study
) -> Figure:
    """Markers on a log axis, with a bar each; a panel for each task, length and distribution.

    Args:
        name: of the file.
        title: of the figure.
        axis_title: what the sizes are.
        rows: of :func:`~ib_bench.drawing.charts.described`, at least one, each with ``size``, ``text``, ``panel`` and
            the ends of its bar, ``low`` and ``high``; None in ``low`` draws no bar. With ``arrow`` the size is a bound.
        notes: what stands below the title.
        study: whose colours and settings these are.
    """
    marks = Marks(rows, study.colours)
    regimes = in_order((row["supervision"] for row in rows), REGIMES.values())
    x = alt.X("supervision:N", title=None, axis=alt.Axis(labelAngle=0), scale=alt.Scale(domain=regimes))
    drawn = [row[end] for row in rows for end in ("low", "size", "high") if row[end] is not None]
    axis = log_axis("size", axis_title, drawn)
    beside = alt.XOffset("model:N", scale=alt.Scale(domain=marks.models, paddingOuter=1))
    bars = alt.Chart().mark_rule(strokeWidth=2, strokeOpacity=0.5).transform_filter("isValid(datum.low)")
    low = alt.Y(**{**axis, "shorthand": "low:Q"})
    bars = bars.encode(x=x, y=low, y2="high:Q", stroke=marks.stroke, xOffset=beside)
    y = alt.Y(**axis)
    points = marks.points(x, y, ["text:N"], xOffset=beside) + all_labels(rows, x, y, xOffset=beside)
    spec = panelled([bars, *points], rows, Panels("panel", height=200), [title, *notes, *study.settings_notes(rows)])
    return Figure(name, title, spec)
