"""What length extrapolation found, in one sentence."""

from __future__ import annotations

from ib_bench.drawing.sentences import joined, median_interval
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import models_in_order
from ib_bench.plain_text import number_of
from ib_bench.quantities.extrapolation.record import HEADLINE_MULTIPLE, ExtrapolationRecord


def sentence(study: Study) -> str:
    """For each model, the median accuracy at twice the length of what has learned its training lengths."""
    shown = [one for one in study.shown(ExtrapolationRecord) if one.result.headline_accuracy is not None]
    if not shown:
        return ""
    clauses = []
    for model in models_in_order(one.label.model for one in shown):
        own = [one.result for one in shown if one.label.model == model and one.result.trial_succeeded]
        found = median_interval([one.headline_accuracy or 0.0 for one in own])
        if found is None:
            clauses.append(f"for {model} there are too few cells in which it learned L to say ({len(own)})")
        else:
            low, median, high = found
            clauses.append(f"{model} {median:.2f} [{low:.2f}, {high:.2f}] over {number_of(len(own), 'cells')}")
    what = f"Median accuracy at {HEADLINE_MULTIPLE:g} L, scaled so that guessing is 0, of models that learned L"
    return f"{what}: {joined(clauses)}."
