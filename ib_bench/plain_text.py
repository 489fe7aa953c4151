"""Text that is safe to print: a label is a stranger's text wherever a store came from another machine.

Every label passes :func:`one_line`, and then the function of the format that it is written in: rich's ``Text`` for
terminals (``drawing/terminal.py``), ``csv_cell`` (``drawing/columns.py``), the tables of characters for Markdown and
LaTeX (``drawing/tables.py``), jinja2's escaping for HTML, where data are packed (``report/html.py``).
"""

from __future__ import annotations

import re

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


def number_of(count: int, plural: str) -> str:
    """A count with its noun.

    Args:
        count: of the things.
        plural: their noun in the plural, or one that has none; the word "more" may stand before it.

    Example:
        >>> number_of(1, "searches"), number_of(1, "more curves of a.sqlite"), number_of(1000, "trials")
        ('1 search', '1 more curve of a.sqlite', '1,000 trials')
    """
    more = "more " * plural.startswith("more ")
    noun, space, rest = plural.removeprefix(more).partition(" ")
    if count == 1:
        noun = noun.removesuffix("es") if noun.endswith("ches") else noun.removesuffix("s")
    return f"{count:,} {more}{noun}{space}{rest}"
