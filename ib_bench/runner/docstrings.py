"""Docstrings without the marks of reStructuredText, with equations as LaTeX or as a terminal can show them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

Form = Callable[[str], str]
"""Makes plain text of a docstring: :func:`plain` for programs, :func:`readable` for people."""

MATH = ".. math::"

_BLOCK = re.compile(r"^([ ]*)\.\. math::[ ]*\n*((?:.*\S.*(?:\n|$))+)", re.MULTILINE)
_INLINE = re.compile(r":math:`([^`]*)`")
_ROLE = re.compile(r":\w+:`(?:~[\w.]*?(\w+)|([^`]*))`")
_OPERATOR = re.compile("([\N{CIRCLED DOT OPERATOR}\N{ELEMENT OF}\N{LEFTWARDS ARROW}\N{MULTIPLICATION SIGN}])")
_GROUP_THEN_WORD = re.compile(r"\}(?=[^\W\d_])")
_NEXT_EQUATION = re.compile(r"\\\\|\\qquad|\\quad")


def plain(text: str) -> str:
    """A docstring without marks; equations stay as LaTeX."""
    text = _ROLE.sub(lambda role: role[1] or role[2], text).replace("``", "")
    text = re.sub(rf"{re.escape(MATH)}[ \t]*\n+", "", text).replace(MATH, "   ")
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


def readable(text: str) -> str:
    r"""A docstring without marks; equations in Unicode, each in a line of its own where they are set apart.

    Example:
        >>> print(readable(".. math:: h_t = \\tanh(W x_t), \\qquad y_t = \\alpha h_{t-1}"))
            h_t = tanh(W x_t),
            y_t = α h_{t-1}
    """
    return plain(_INLINE.sub(lambda one: _unicode(one[1]), _BLOCK.sub(_equations, text)))


def _equations(block: re.Match[str]) -> str:
    parts = _NEXT_EQUATION.split(" ".join(block[2].split()))
    lines = [f"{block[1]}    {_unicode(part)}\n" for part in parts if part.strip()]
    return "".join(lines)


def _unicode(latex: str) -> str:
    text = _OPERATOR.sub(r" \1 ", _converter()(latex))
    return " ".join(_GROUP_THEN_WORD.sub("} ", text).split())


@cache
def _converter() -> Form:
    from pylatexenc.latex2text import (  # noqa: PLC0415 (not needed for JSON)
        LatexNodes2Text,
        MacroTextSpec,
        get_default_latex_context_db,
    )

    context = get_default_latex_context_db()
    own = [MacroTextSpec("bmod", " mod "), MacroTextSpec("mathit", "%s")]
    context.add_context_category("ib_bench", macros=own, prepend=True)
    convert: Form = LatexNodes2Text(
        latex_context=context,
        math_mode="text",
        keep_braced_groups=True,
        keep_braced_groups_minlen=1,
        strict_latex_spaces="based-on-source",
    ).latex_to_text
    return convert
