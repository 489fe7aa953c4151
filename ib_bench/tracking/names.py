"""Names as W&B takes them: of artifacts, groups and runs."""

from __future__ import annotations

import hashlib
import re

from ib_bench.plain_text import one_line

_MAX_NAME = 128
_NUM_DIGITS = 8


def run_text(text: str) -> str:
    """A name of a run or group: one line of at most 128 characters.

    Args:
        text: any text. Where it is cut, a hash keeps it apart from others that begin alike.
    """
    line = one_line(text)
    return line if len(line) <= _MAX_NAME else f"{line[: _MAX_NAME - _NUM_DIGITS - 1]}-{_digest(text)}"


def artifact_name(text: str, kind: str) -> str:
    """A name of an artifact: letters, digits, dots, dashes and underscores, at most 128 of them.

    Args:
        text: any text. A hash keeps it apart from others that differ in characters which are replaced or cut.
        kind: of the artifact, the end of the name.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text)
    if plain == text and len(f"{plain}-{kind}") <= _MAX_NAME:
        return f"{plain}-{kind}"
    end = f"-{_digest(text)}-{kind}"
    return f"{plain[: _MAX_NAME - len(end)]}{end}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_NUM_DIGITS]
