"""What stands in plain data, such as configs and cards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

ROUNDING = 1e-6
"""Tolerance of the numbers of a card and of records: another machine may compute other last digits."""


def texts_in(plain: Any, with_names: bool = False) -> Iterator[str]:
    """All texts, at any depth.

    Args:
        plain: data as JSON has them.
        with_names: whether the names in mappings count too.
    """
    if isinstance(plain, str):
        yield plain
    elif isinstance(plain, dict):
        for name, value in plain.items():
            yield from texts_in(name, with_names) if with_names else ()
            yield from texts_in(value, with_names)
    elif isinstance(plain, list):
        for one in plain:
            yield from texts_in(one, with_names)
