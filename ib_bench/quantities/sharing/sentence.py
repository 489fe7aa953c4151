"""What kappas say, in one sentence."""

from __future__ import annotations

from ib_bench.drawing.sentences import joined
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import models_in_order
from ib_bench.quantities.sharing.record import Sharing


def sentence(study: Study) -> str:
    """For each model, the share of cells with a kappa above 1, from all open cells being below to all being above.

    Decided cells alone would mislead: where sequences are exhausted, kappa has a lower end and no upper one.
    """
    shown = study.shown(Sharing)
    if not shown:
        return ""
    clauses = []
    for model in models_in_order(one.label.model for one in shown):
        own = [one.result for one in shown if one.label.model == model]
        above, below = sum(one.low > 1 for one in own), sum(one.high < 1 for one in own)
        num_open = len(own) - above - below
        if above + below:
            ends = f"{100 * above / len(own):.0f} to {100 * (above + num_open) / len(own):.0f} %"
            text = f"above 1 in {above}, below in {below}, open in {num_open}"
            clauses.append(f"{model} {text} of {len(own)} cells ({ends})")
    if not clauses:
        return f"Whether the lengths share (kappa above 1) is open in all {len(shown)} cells."
    return f"Sharing between lengths, kappa: {joined(clauses)}."
