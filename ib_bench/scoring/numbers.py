"""The numbers of a score, each with the rule by which it is compared; cards and leagues show the same ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ib_bench.drawing.styles import regime_text
from ib_bench.quantities.curve.record import CurveRecord, estimate_text
from ib_bench.quantities.sharing.curves import FactorEstimate
from ib_bench.results.identity import Json
from ib_bench.scoring.protocol import Budget, ProtocolCell
from ib_bench.scoring.ranking import Estimate
from ib_bench.scoring.score import FAR, NEAR, Score


@dataclass(frozen=True)
class Number:
    """One number of a score.

    Attributes:
        name: in JSON, and of the option that sorts by it.
        title: heading.
        meaning: in one line.
        value: of a score; None where it is not known.
        text: for people.
        lower_is_better: whether small numbers are good.
        is_ratio: whether values are above 0 and compared by their ratio, so that their axis is logarithmic.
        depends_on_device: whether it can only be compared among scores from one kind of device.
        largest: the largest value that could be measured for a score; None where there is none.
    """

    name: str
    title: str
    meaning: str
    value: Callable[[Score], Estimate | None]
    text: Callable[[Score], str]
    lower_is_better: bool = True
    is_ratio: bool = True
    depends_on_device: bool = False
    largest: Callable[[Score], float | None] = lambda score: None

    def order(self, estimate: Estimate) -> float:
        """The place of an estimate among others, see :meth:`~ib_bench.scoring.ranking.Estimate.order`."""
        return estimate.order(self.lower_is_better, self.is_ratio)


def numbers_of(budget: Budget) -> list[Number]:
    """All numbers of a protocol's scores.

    Args:
        budget: of the protocol.
    """
    return [*overall_numbers(budget), *map(_of_cell, budget.of("size"))]


def overall_numbers(budget: Budget) -> list[Number]:
    """The numbers that cards and leagues show: all but N50 of single cells.

    Args:
        budget: of the protocol.
    """
    meaning = f"geometric mean of N50 over {len(budget.of('size'))} cells, each at most the largest size"
    return [_number("size", "mean N50", meaning, lambda score: score.size, _size_text), *_BESIDE]


def plain(estimate: Estimate | None) -> Json | None:
    """An estimate for programs; an end that is not known is None."""
    if estimate is None:
        return None
    ends = {"low": estimate.low, "median": estimate.median, "high": estimate.high}
    return {name: end if end is not None and math.isfinite(end) else None for name, end in ends.items()}


def cell_name(cell: ProtocolCell) -> str:
    """A cell that counts for the size, in a word, such as ``not_solvable_outcome``."""
    return f"{cell.algebra.replace(' ', '_')}_{cell.data.presentation.supervision}"


def cell_title(cell: ProtocolCell) -> str:
    """The same for people, such as ``not solvable, outcome``."""
    return f"{cell.algebra}, {regime_text(cell.data.presentation.supervision)}"


def _number(
    name: str,
    title: str,
    meaning: str,
    value: Callable[[Score], Estimate | None],
    written: Callable[[Estimate], str],
    lower_is_better: bool = True,
    is_ratio: bool = True,
    depends_on_device: bool = False,
) -> Number:
    def text(score: Score) -> str:
        estimate = value(score)
        return "" if estimate is None else written(estimate)

    return Number(name, title, meaning, value, text, lower_is_better, is_ratio, depends_on_device)


def _interval_text(estimate: Estimate, written: Callable[[float], str]) -> str:
    """A median with its interval, or the interval alone."""
    low, high = ("?" if math.isinf(end) else written(end) for end in (estimate.low, estimate.high))
    if estimate.low == estimate.high:
        return low
    return f"[{low}, {high}]" if estimate.median is None else f"{written(estimate.median)} [{low}, {high}]"


def _size_text(estimate: Estimate) -> str:
    return _interval_text(estimate, estimate_text)


def _decimal_text(estimate: Estimate) -> str:
    return _interval_text(estimate, "{:.2f}".format)


def _kappa_text(estimate: Estimate) -> str:
    return str(FactorEstimate(estimate.low, estimate.median, estimate.high))


def _whole_text(estimate: Estimate) -> str:
    return f"{estimate.low:,.0f}"


def _parameters(score: Score) -> Estimate | None:
    return None if score.num_parameters is None else Estimate.exactly(score.num_parameters)


def _state(score: Score) -> Estimate | None:
    return Estimate.exactly(score.state_sizes[-1]) if score.state_sizes else None


def _state_text(score: Score) -> str:
    if not score.state_sizes:
        return ""
    short, long = score.state_sizes
    return f"{long:,}" if short == long else f"grows, {(long - short) / 4:,.0f} a token"


def _of_cell(cell: ProtocolCell) -> Number:
    """N50 of one cell."""

    def value(score: Score) -> Estimate | None:
        record: CurveRecord | None = score.record(cell)
        if record is None or record.estimate is None:
            return None
        sizes = record.estimate.n50
        low = float(record.max_size) if sizes.low is None else sizes.low
        return Estimate(low, sizes.median, math.inf if sizes.high is None else sizes.high)

    def text(score: Score) -> str:
        record: CurveRecord | None = score.record(cell)
        return "" if record is None else record.verdict

    def largest(score: Score) -> float | None:
        record: CurveRecord | None = score.record(cell)
        return None if record is None else float(record.max_size)

    return Number(cell_name(cell), f"N50: {cell_title(cell)}", "N50 of this cell", value, text, largest=largest)


_BESIDE = (
    _number("kappa", "kappa", "sharing factor: above 1, lengths share", lambda one: one.kappa, _kappa_text, False),
    _number(
        "slope", "slope in L", "N50 grows as L to the power of it", lambda one: one.slope, _decimal_text, True, False
    ),
    _number(
        "accuracy_2x",
        f"at {NEAR} L",
        f"accuracy at {NEAR} L, mean over tasks, 0 is guessing; interval: of the sequences drawn, for one model each",
        lambda one: one.accuracy(NEAR),
        _decimal_text,
        lower_is_better=False,
        is_ratio=False,
    ),
    _number(
        "accuracy_8x",
        f"at {FAR} L",
        f"accuracy at {FAR} L, likewise",
        lambda one: one.accuracy(FAR),
        _decimal_text,
        lower_is_better=False,
        is_ratio=False,
    ),
    _number("parameters", "parameters", "to be trained, in the largest cell", _parameters, _whole_text),
    Number("state", "state", "numbers carried from token to token, after 8 if they grow", _state, _state_text),
    _number(
        "step_ms",
        "ms a step",
        "time of a training step, with its share of set-up and validation: median and 90 % range of trials; it depends "
        "on the machine as much as on the model",
        lambda one: one.step_ms,
        _decimal_text,
        depends_on_device=True,
    ),
)
