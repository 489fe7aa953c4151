"""How things are called and drawn, the same in every table, figure and chart.

One colour and one marker for each architecture; colour-blind readers can tell Okabe & Ito's colours (2008) apart too.
Where an architecture is there in several sizes, these are shades of its colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from ib_bench import catalogue

Value = TypeVar("Value")

REGIMES = {
    "outcome": "outcome",
    "chain_of_thought": "CoT",
    "aligned_chain_of_thought": "aligned CoT",
}
DISTRIBUTIONS = {"fixed": "fixed", "uniform": "uniform", "short_to_long": "short-to-long"}
LINE_STYLES = {"uniform": "-", "fixed": "--", "short_to_long": ":"}
DASHES = {"-": [1, 0], "--": [6, 3], ":": [2, 2], "-.": [6, 2, 2, 2]}
"""The same line styles, given by matplotlib's names, as Vega writes them."""

_COLOURS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_LIGHTER = 0.55
_MARKERS = ("s", "o", "^", "D", "v", "P", "X")
_VEGA_SHAPES = ("square", "circle", "triangle-up", "diamond", "triangle-down", "cross", "stroke")


def colours(models: Iterable[str]) -> dict[str, str]:
    """A colour for each model: its architecture's for the first of that architecture, lighter ones for the others.

    Args:
        models: all that are shown together, with or without their arguments.
    """
    num_seen: Counter[int] = Counter()
    result = {}
    for model in models_in_order(models):
        base = _COLOURS[rank(model) % len(_COLOURS)]
        result[model] = _lightened(base, 1 - _LIGHTER ** num_seen[rank(model)])
        num_seen[rank(model)] += 1
    return result


def _lightened(hexadecimal: str, share: float) -> str:
    """A colour, mixed with a share of white."""
    parts = [int(hexadecimal[start : start + 2], 16) for start in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02X}" for part in parts)


def marker(model: str) -> str:
    """Of an architecture, by matplotlib's names."""
    return _MARKERS[rank(model) % len(_MARKERS)]


def shape(model: str) -> str:
    """The same marker by Vega's names."""
    return _VEGA_SHAPES[rank(model) % len(_VEGA_SHAPES)]


def rank(model: str) -> int:
    """One number for each architecture, the same everywhere: shipped ones first."""
    name = model.partition("(")[0]
    known = [entry.class_name for entry in catalogue.entries(catalogue.MODELS)]
    return known.index(name) if name in known else len(known) + sum(map(ord, name))


def in_order(values: Iterable[Value], order: Sequence[Value] = ()) -> list[Value]:
    """The different values, those of ``order`` first and in that order, the others as they come."""
    different = list(dict.fromkeys(values))
    return [value for value in order if value in different] + [value for value in different if value not in order]


def models_in_order(models: Iterable[str]) -> list[str]:
    """The different models, the shipped ones first."""
    return sorted(dict.fromkeys(models), key=lambda model: (rank(model), model))
