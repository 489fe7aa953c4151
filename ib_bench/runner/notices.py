"""Notices about a command's own choices, each printed once on the error stream."""

from __future__ import annotations

from functools import cache

from rich.console import Console

from ib_bench.drawing.terminal import say
from ib_bench.execution.ranks import speaks


@cache
def tell_once(text: str) -> None:
    """Print a sentence, once for each process, however many experiments it is true of."""
    if speaks():
        say(text, Console(stderr=True), style="dim")
