"""How sizes grow, in one sentence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ib_bench.drawing.labels import Shown
from ib_bench.drawing.sentences import joined
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import distribution_text, regime_text
from ib_bench.plain_text import number_of
from ib_bench.quantities.growth.record import Growth
from ib_bench.quantities.growth.tables import labels_text, slope_text

if TYPE_CHECKING:
    from ib_bench.quantities.growth.slope import Slope

_VARIABLES = {"L": "L", "states": "the number of states"}


def sentence(study: Study) -> str:
    """Exponents whose intervals leave 0 out, the most telling first."""
    fitted = [(one, one.result.fit.exponent) for one in study.shown(Growth) if one.result.fit is not None]
    if not fitted:
        return ""
    decided = [(one, slope) for one, slope in fitted if _sign(slope)]
    if not decided:
        found = f"no interval of {number_of(len(fitted), 'exponents')} excludes 0"
        return f"Whether sizes grow with L or the number of states is open: {found}."
    decided.sort(key=_telling)
    clauses = [_clause(one, slope) for one, slope in decided]
    return f"Exponents whose interval leaves 0 out, {len(decided)} of {len(fitted)}: {joined(clauses)}."


def _sign(slope: Slope) -> int:
    """1 where the size grows, -1 where it falls, 0 where that is open."""
    if slope.low is not None and slope.low > 0:
        return 1
    return -1 if slope.high is not None and slope.high < 0 else 0


def _telling(pair: tuple[Shown[Growth], Slope]) -> tuple[bool, bool, float]:
    """Sorts slopes over L first, then those of several series, then the narrow ones."""
    growth, slope = pair[0].result, pair[1]
    return growth.variable != "L", not growth.is_pooled, _width(slope)


def _width(slope: Slope) -> float:
    return math.inf if slope.low is None or slope.high is None else slope.high - slope.low


def _clause(one: Shown[Growth], slope: Slope) -> str:
    growth, label = one.result, one.label
    where = f"{len(growth.series)} series" if growth.is_pooled else labels_text(growth.labels)
    about = f"{growth.measure} of {label.model} on {where} with {regime_text(label.supervision)}"
    lengths = f", {distribution_text(label.lengths)} lengths" if label.lengths else ""
    return f"{about}{lengths} goes as {_VARIABLES[growth.variable]} to the power of {slope_text(slope)}"
