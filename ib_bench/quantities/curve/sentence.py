"""What success curves found, in one sentence."""

from __future__ import annotations

import math

from ib_bench.drawing.sentences import Cells, Known, needs_sentence
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import regime_text
from ib_bench.quantities.curve.record import CurveRecord


def sentence(study: Study) -> str:
    """Which model has the smaller N50; curves that all sequences that exist did not suffice for are left out."""
    cells: Cells[Known] = Cells()
    for one in study.shown(CurveRecord):
        record, label = one.result, one.label
        if record.finished and record.estimate is not None and not record.needs_more_than_all:
            n50 = record.estimate.n50
            above = record.max_size if n50.median is None else 0  # no lower end: one sequence may suffice
            size = (n50.low or above, math.inf if n50.high is None else n50.high)
            cells.add(label.source, regime_text(label.supervision), label.model, record, size)
    return needs_sentence("N50", cells)
