"""Values as text for people, safe to print: a label is a stranger's text wherever a store came from another machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from ib_bench.results.records import arguments_text

Format = Literal["table", "csv", "json"]
OutputFormat = Literal["table", "json"]

DOT = " \N{MIDDLE DOT} "

_SEQUENCES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, hyperlinks, clipboard
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS, SOS, PM, APC: strings with a terminator
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours and cursor movements
    r"|\x1b[ -/]*[0-~]?"  # two-character sequences
)
_LINE_BREAKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_INVISIBLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")
"""Control characters, those that reverse the direction of what follows, and those that are none at all."""


def one_line(text: str) -> str:
    """The text without terminal escapes and control characters; a line break becomes a space."""
    if text.isprintable():
        return text
    return _INVISIBLE.sub("", _LINE_BREAKS.sub(" ", _SEQUENCES.sub("", text)))


def value_text(value: Any) -> str:
    """A plain value for people: three digits of a float, arguments of a dictionary, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return arguments_text(value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """A time for people, such as ``1h 05m``, ``2m 06s`` or ``7s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
