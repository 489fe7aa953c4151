"""Figures of length extrapolation: accuracy against length, and against kappa."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import altair as alt

from ib_bench.drawing.charts import Marks, Panels, described, log_axis, panelled, tooltips
from ib_bench.drawing.figure import Figure
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import REGIMES
from ib_bench.quantities.extrapolation.record import HEADLINE_MULTIPLE, ExtrapolationRecord
from ib_bench.quantities.extrapolation.tables import nominal_multiples
from ib_bench.quantities.search.record import SearchConfig
from ib_bench.quantities.sharing.record import Sharing
from ib_bench.results.identity import Json

_ARROWS = {"up": "right", "down": "left"}
"""Where kappa lies on a horizontal axis."""


def figures(study: Study) -> list[Figure]:
    """Both figures, as far as there are results."""
    found = [*_against_length(study), *_against_kappa(study)]
    return found


def _against_length(study: Study) -> list[Figure]:
    """A thin line for each experiment and a thick one for the median; a panel for each regime."""
    rows = [row for one in described(study.shown(ExtrapolationRecord)) for row in _curve(*one)]
    if not rows:
        return []
    marks = Marks(rows, study.colours)
    multiples = sorted({row["multiple"] for row in rows})
    axis = alt.Axis(values=multiples, labelExpr="format(datum.value, '~g') + 'x'", labelOverlap=True)
    domain = [min(multiples) / 1.1, max(multiples) * 1.1]
    scale = alt.Scale(type="log", base=2, domain=domain, nice=False)
    x = alt.X("multiple:Q", title="length, multiple of L", scale=scale, axis=axis)
    finals = [row["final"] for row in rows]
    y_scale = alt.Scale(domain=[min(*finals, 0), max(*finals, 1)], nice=False)
    y = alt.Y("final:Q", title="normalised final-state accuracy", scale=y_scale)
    tooltip = tooltips("model:N", "task:N", "L:Q", "lengths:N", "accuracies:N")
    zero = alt.Chart().mark_rule(color="grey", strokeWidth=0.8).encode(y=alt.datum(0))
    thin = alt.Chart().mark_line(strokeOpacity=0.25, strokeWidth=0.7, cursor="pointer", aria=False)
    thin = thin.transform_filter("isValid(datum.curve)")
    thin = thin.encode(x=x, y=y, stroke=marks.stroke, detail="curve:N", href="href:N", tooltip=tooltip)
    thick = alt.Chart().mark_line(strokeWidth=2.2).transform_filter("!isValid(datum.curve)")
    thick = thick.encode(x=x, y=y, stroke=marks.stroke)
    markers = alt.Chart().mark_point(size=50, opacity=1, filled=False).transform_filter("!isValid(datum.curve)")
    markers = markers.encode(x=x, y=y, stroke=marks.stroke, fill=marks.fill, shape=marks.shape)
    panels = Panels("supervision", "group", columns=list(REGIMES.values()), width=230, height=240)
    notes = ["Thin: one experiment. Thick: the median of those of a model.", *study.settings_notes(rows)]
    spec = panelled([zero, thin, thick, markers], [*rows, *_medians(rows)], panels, notes)
    return [Figure("extrapolation", "Accuracy against length", spec)]


def _curve(record: ExtrapolationRecord, row: Json) -> list[Json]:
    """A row for each length; where a model reads its own states, only those accuracies count."""
    multiples = nominal_multiples(record)
    points = [
        (multiples.get(accuracy.length, accuracy.length / record.max_length), accuracy.normalized_final_state_accuracy)
        for accuracy in record.accuracies
        if accuracy is record.at(accuracy.length)
    ]
    texts = ", ".join(f"{multiple:g}x {final:.2f}" for multiple, final in points)
    row = {**row, "curve": f"{row['group']} {record.key}", "accuracies": texts}
    return [{**row, "multiple": multiple, "final": final} for multiple, final in points]


def _medians(rows: Sequence[Json]) -> list[Json]:
    """The median of each model, regime and group at those multiples that all of its curves have."""
    curves: dict[tuple[str, str, str], set[str]] = {}
    values: dict[tuple[str, str, str], dict[float, list[float]]] = {}
    for row in rows:
        place = (row["model"], row["supervision"], row["group"])
        curves.setdefault(place, set()).add(row["curve"])
        values.setdefault(place, {}).setdefault(row["multiple"], []).append(row["final"])
    return [
        {"model": place[0], "supervision": place[1], "group": place[2], "multiple": multiple, "final": median(finals)}
        for place, by_multiple in values.items()
        for multiple, finals in by_multiple.items()
        if len(finals) == len(curves[place])
    ]


def _against_kappa(study: Study) -> list[Figure]:
    """Accuracy at 2 L against kappa, with the rank correlation of those kappas that have both ends."""
    accuracies = accuracy_of_searches(study)
    rows: list[Json] = []
    for one, (sharing, row) in zip(study.shown(Sharing), described(study.shown(Sharing)), strict=True):
        factor, accuracy = sharing.factor, accuracies.get((one.label.source, sharing.key))
        if factor is not None and factor.middle is not None and accuracy is not None:
            ends = {"low": factor.known_low, "high": factor.known_high} if factor.is_bounded else {}
            numbers = {"kappa": factor.middle, "accuracy": accuracy, "one": 1}
            rows.append({**row, **ends, **numbers, "text": str(factor), "arrow": _ARROWS.get(factor.arrow or "")})
    if not rows:
        return []
    groups = {row["group"]: rank_correlation([r for r in rows if r["group"] == row["group"]]) for row in rows}
    rows = [{**row, "panel": ", ".join(filter(None, [row["group"], groups[row["group"]]]))} for row in rows]
    marks = Marks(rows, study.colours)
    drawn = [row[name] for row in rows for name in ("kappa", "low", "high") if name in row]
    axis = log_axis("kappa", "kappa", drawn)
    x = alt.X(**axis)
    title = f"normalised final-state accuracy at {HEADLINE_MULTIPLE:g} L"
    accuracies_drawn = [row["accuracy"] for row in rows]
    scale = alt.Scale(domain=[min(*accuracies_drawn, 0), max(*accuracies_drawn, 1)])
    y = alt.Y("accuracy:Q", title=title, scale=scale)
    rule = alt.Chart().mark_rule(color="grey", strokeWidth=0.8).encode(x="one:Q")
    bars = alt.Chart().mark_rule(strokeWidth=2, strokeOpacity=0.5).transform_filter("isValid(datum.low)")
    bars = bars.encode(x=alt.X(**{**axis, "shorthand": "low:Q"}), x2="high:Q", y=y, stroke=marks.stroke)
    points = marks.points(x, y, ["text:N", alt.Tooltip("accuracy:Q", format=".2f")])
    panels = Panels("panel", width=420, height=300)
    notes = ["Bars: where kappa lies. Open markers: one end is unknown, and kappa lies where the arrow points."]
    spec = panelled([rule, bars, *points], rows, panels, [*notes, *study.settings_notes(rows)])
    return [Figure("kappa_and_extrapolation", "Kappa and length extrapolation", spec)]


def accuracy_of_searches(study: Study) -> dict[tuple[str, str], float]:
    """Accuracy at twice the training length, by source and key of the search of the same experiment and settings.

    Of several extrapolations of one experiment, that with the most sequences counts.
    """
    accuracies = {}
    for one in sorted(study.shown(ExtrapolationRecord), key=lambda one: one.result.config.settings.num_sequences):
        config, accuracy = one.result.config, one.result.headline_accuracy
        if accuracy is not None:
            accuracies[one.label.source, SearchConfig(config.experiment, config.search).key] = accuracy
    return accuracies


def rank_correlation(rows: Sequence[Json]) -> str:
    """Spearman's rank correlation of the middles of kappa's intervals and accuracy, in words; bounds are left out.

    Args:
        rows: with ``kappa``, ``accuracy``, and ``low`` where kappa has both ends.
    """
    from scipy.stats import spearmanr  # noqa: PLC0415 (its import takes a second)

    known = [row for row in rows if "low" in row]
    values = [[row[name] for row in known] for name in ("kappa", "accuracy")]
    if len(known) < 3 or min(len(set(numbers)) for numbers in values) < 2:
        return f"{len(known)} kappas with both ends: too few, or too much alike, for a rank correlation"
    result = spearmanr(*values)
    return f"Spearman's rho = {result.statistic:.2f} (n = {len(known)})"  # no p: kappas of one task share their parts
