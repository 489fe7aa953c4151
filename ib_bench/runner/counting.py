"""How far a long command is: a bar on a terminal, elsewhere a line from time to time; on the error stream."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_INTERVAL_S = 10.0
"""Seconds between lines about the same thing, where they are printed one below the other."""

OnCount = Callable[[int, int | None], None]
"""Receives how many are done, and of how many; None if that is not known."""


@contextmanager
def counted(what: str) -> Iterator[OnCount]:
    """Context manager that shows a count.

    Args:
        what: is counted, in the plural.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(what).show
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class _Lines:
    """Prints the first count only after some seconds, so that a short command prints none."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._printed_at_s = time.monotonic()

    def show(self, done: int, total: int | None) -> None:
        if time.monotonic() - self._printed_at_s >= LINE_INTERVAL_S:
            self._printed_at_s = time.monotonic()
            of_all = "" if total is None else f"/{total:,}"
            print_line(f"{done:,}{of_all} {self._what}")


def print_line(line: str) -> None:
    """Print a line on the error stream, if anybody reads it; a measurement goes on after ``2>&1 | head`` has ended."""
    try:
        print(line, file=sys.stderr, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
