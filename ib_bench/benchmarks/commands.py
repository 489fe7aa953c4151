"""Commands of ``ib-bench``, each timed in a process of its own, from its start to its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

_ENTRY_POINT = "import sys; from ib_bench.cli import main; sys.exit(main())"


def command(folder: Path, *arguments: str) -> Callable[[], None]:
    """Something to time: the command, started by this Python.

    Args:
        folder: that it is called in.
        arguments: of ``ib-bench``.

    Returns:
        A function that runs it, and raises :class:`subprocess.CalledProcessError` if it fails.
    """

    def run() -> None:
        call = [sys.executable, "-c", _ENTRY_POINT, *arguments]
        subprocess.run(call, cwd=folder, capture_output=True, check=True)

    return run


def seconds_until(folder: Path, line: str, *arguments: str) -> float:
    """Time from the start of a command until it prints a line."""
    raise NotImplementedError
