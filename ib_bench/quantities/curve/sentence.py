"""What success curves found, in one sentence."""

from __future__ import annotations

import math

from ib_bench.drawing.sentences import Cells, Known, joined, needs_sentence
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import model_order, regime_text
from ib_bench.quantities.curve.record import CurveRecord


def sentence(study: Study) -> str:
    """Which model has the smaller N50; curves that all sequences that exist did not suffice for are left out.

    Where several models share one cell of a regime, and no more, each N50 of it instead.
    """
    cells: Cells[Known] = Cells()
    verdicts: Cells[str] = Cells()
    curves = [one for one in study.shown(CurveRecord) if one.result.finished and one.result.estimate is not None]
    for one in curves:
        supervision = regime_text(one.label.supervision)
        verdicts.add(one.label.source, supervision, one.label.model, one.result, one.result.verdict)
    for one in curves:
        record, label, supervision = one.result, one.label, regime_text(one.label.supervision)
        if record.estimate is not None and not (record.is_pool_exhausted or verdicts.only_shared(supervision)):
            n50 = record.estimate.n50
            above = record.max_size if n50.median is None else 0  # no lower end: one sequence may suffice
            size = (n50.low or above, math.inf if n50.high is None else n50.high)
            cells.add(label.source, supervision, label.model, record, size)
    clauses = []
    for supervision in verdicts.supervisions:
        found = verdicts.only_shared(supervision)
        if found:
            listed = (f"{model} {found[model]}" for model in sorted(found, key=model_order))
            clauses.append(f"with {supervision or 'this'} supervision {', '.join(listed)}")
    single = f"N50: {joined(clauses)}." if clauses else ""
    return " ".join(filter(None, [single, needs_sentence("N50", cells)]))
