"""How names are written, ordered and coloured, the same in every table and figure.

A colour and a shape belong to the name of an architecture: they do not depend on what else is drawn. The shipped
architectures have Okabe & Ito's colours (2008), which colour-blind readers can tell apart; any other name gets one of
the remaining colours and shapes by a hash of its name. Where one architecture is shown in several variants, these are
shades of its colour.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

Value = TypeVar("Value")

REGIMES = {
    "outcome": "outcome",
    "chain_of_thought": "CoT",
    "aligned_chain_of_thought": "aligned CoT",
}
DISTRIBUTIONS = {"fixed": "fixed", "uniform": "uniform", "short_to_long": "short-to-long"}
DASHES = {"uniform": [1, 0], "fixed": [6, 3], "short_to_long": [2, 2]}
OTHER_DASH = [6, 2, 2, 2]
"""Lengths of strokes and gaps, in pixels, of a length distribution's line; another distribution has the last."""


class Style(NamedTuple):
    """The colour and shape of an architecture.

    Attributes:
        colour: hexadecimal, such as ``#0072B2``.
        shape: of its markers, by Vega's name.
    """

    colour: str
    shape: str


_SHIPPED = {
    "DenseSSM": Style("#D55E00", "square"),
    "LSTM": Style("#0072B2", "circle"),
    "Transformer": Style("#009E73", "triangle-up"),
}
_COLOURS = ("#CC79A7", "#E69F00", "#56B4E9", "#000000", "#882255", "#999933")
_SHAPES = ("diamond", "triangle-down", "cross", "triangle-left", "triangle-right")
_LIGHTER = 0.55


def architecture(model: str) -> str:
    """The class's own name in a model's text, such as ``LSTM`` in ``my_package.LSTM@1a2b3c(hidden_size=8)``."""
    return re.split(r"[(@ ]", model, maxsplit=1)[0].rpartition(".")[2]


def style(model: str) -> Style:
    """Colour and shape of a model's architecture.

    Args:
        model: with or without its arguments.
    """
    name = architecture(model)
    if name in _SHIPPED:
        return _SHIPPED[name]
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    shape_index, colour_index = divmod(number, len(_COLOURS))
    return Style(_COLOURS[colour_index], _SHAPES[shape_index % len(_SHAPES)])


def colours(models: Iterable[str]) -> dict[str, str]:
    """A colour for each model: its architecture's for the first of that architecture, lighter ones for the others.

    Args:
        models: all that are shown together, with or without their arguments.
    """
    num_seen: Counter[str] = Counter()
    result = {}
    for model in models_in_order(models):
        name = architecture(model)
        result[model] = _lightened(style(model).colour, 1 - _LIGHTER ** num_seen[name])
        num_seen[name] += 1
    return result


def _lightened(hexadecimal: str, share: float) -> str:
    """A colour, mixed with a share of white."""
    parts = [int(hexadecimal[start : start + 2], 16) for start in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02X}" for part in parts)


def model_order(model: str) -> tuple[int, str]:
    """Sorts models: the shipped architectures first, the others by name."""
    shipped = list(_SHIPPED)
    name = architecture(model)
    return (shipped.index(name) if name in shipped else len(shipped), model)


def models_in_order(models: Iterable[str]) -> list[str]:
    """The different models, in order."""
    return sorted(dict.fromkeys(models), key=model_order)


def in_order(values: Iterable[Value], order: Iterable[Value] = ()) -> list[Value]:
    """The different values, those of ``order`` first and in that order, the others as they come."""
    different = dict.fromkeys(values)
    first = [value for value in order if value in different]
    return [*first, *(value for value in different if value not in first)]


def place(value: str | None, order: Sequence[str | None]) -> int:
    """The index of a value in an order; after all others where it is not in it."""
    return order.index(value) if value in order else len(order)


def regime_text(supervision: str | None) -> str:
    """A supervision regime, short."""
    return REGIMES.get(supervision or "", supervision or "")


def distribution_text(lengths: str | None) -> str:
    """A length distribution, for people."""
    return DISTRIBUTIONS.get(lengths or "", lengths or "")
