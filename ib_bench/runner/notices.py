"""Notices about a command's own choices, each printed once on the error stream."""

from __future__ import annotations

from functools import cache

from rich.console import Console

from ib_bench.drawing.terminal import say
from ib_bench.execution.ranks import speaks
from ib_bench.plain_text import one_line
from ib_bench.runner.counting import print_line


@cache
def tell_once(text: str) -> None:
    """Print a sentence, once for each process, however many experiments it is true of."""
    console = Console(stderr=True)
    if not speaks():
        return
    if console.is_terminal or console.is_jupyter:
        say(text, console, style="dim")
    else:
        print_line(one_line(text))
