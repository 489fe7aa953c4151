"""Commands of ``ib-bench``, each run in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ENTRY_POINT = "import sys; from ib_bench.cli import main; sys.exit(main())"


def run_command(folder: Path, *arguments: str) -> None:
    """Run a command with this Python, from its start to its end.

    Args:
        folder: that it is called in.
        arguments: of ``ib-bench``.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    call = [sys.executable, "-c", _ENTRY_POINT, *arguments]
    subprocess.run(call, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
