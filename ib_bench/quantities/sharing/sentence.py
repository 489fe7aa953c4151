"""What kappas say, in one sentence."""

from __future__ import annotations

from ib_bench.drawing.sentences import joined
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import models_in_order
from ib_bench.plain_text import number_of
from ib_bench.quantities.sharing.record import Sharing


def sentence(study: Study) -> str:
    """For each model, the number of cells with a kappa above 1, below it, and open.

    Decided cells alone would mislead: where sequences are exhausted, kappa has a lower end and no upper one. Kappa of
    N50 counts where there is one, as the interval of that of N* leaves the spread between seeds out.
    """
    shown = study.shown(Sharing)
    if not shown:
        return ""
    clauses = []
    for model in models_in_order(one.label.model for one in shown):
        factors = [one.result.estimate or one.result.factor for one in shown if one.label.model == model]
        above = sum(factor is not None and factor.low > 1 for factor in factors)
        below = sum(factor is not None and factor.high < 1 for factor in factors)
        if above + below:
            num_open = len(factors) - above - below
            text = f"above 1 in {above}, below in {below}, open in {num_open}"
            clauses.append(f"{model} {text} of {number_of(len(factors), 'cells')}")
    if not clauses:
        found = f"no interval of {number_of(len(shown), 'kappas')} excludes 1"
        return f"Whether the lengths share (kappa above 1) is open: {found}."
    return f"Sharing between lengths, kappa: {joined(clauses)}."
