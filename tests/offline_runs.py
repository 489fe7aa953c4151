"""W&B's offline runs, read with wandb's own reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def inspect(run_folder: Path, *flags: str) -> str:
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", *flags, str(run_folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
