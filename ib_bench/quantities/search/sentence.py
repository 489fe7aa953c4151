"""What searches found, in one sentence."""

from __future__ import annotations

import math

from ib_bench.drawing.sentences import Cells, Known, needs_sentence
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import regime_text
from ib_bench.quantities.search.record import SearchRecord


def sentence(study: Study) -> str:
    """Which model has the smaller N*; searches that all sequences that exist did not suffice for are left out."""
    cells: Cells[Known] = Cells()
    for one in study.shown(SearchRecord):
        if one.result.finished and one.result.max_size and not one.result.is_pool_exhausted:
            failing, succeeding = one.result.bracket
            size = (failing, math.inf if succeeding is None else succeeding)
            cells.add(one.label.source, regime_text(one.label.supervision), one.label.model, one.result, size)
    return needs_sentence("N*", cells)
