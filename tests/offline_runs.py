"""W&B's offline runs, read with wandb's own reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import wandb


def inspect(run_folder: Path, *flags: str) -> str:
    if tuple(map(int, wandb.__version__.split(".")[:2])) < (0, 31):
        pytest.skip("wandb before 0.31 does not print a run as JSON")
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", *flags, str(run_folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
