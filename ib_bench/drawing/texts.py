"""Values as text for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from ib_bench.results.records import arguments_text

Format = Literal["table", "csv", "json"]
OutputFormat = Literal["table", "json"]

DOT = " \N{MIDDLE DOT} "


def value_text(value: Any) -> str:
    """A plain value for people: three digits of a float, arguments of a dictionary, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return arguments_text(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """A time for people, such as ``1h 05m``, ``2m 06s`` or ``7s``.

    Args:
        seconds: below 0, as between the clocks of two machines, they are 0; a time that is not finite is ``?``.
    """
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
