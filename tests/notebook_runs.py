"""Runs a notebook as a user would, without a browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

CONFIGS = Path(__file__).parents[1] / "configs"


def read(name: str) -> Any:
    """A notebook of ``configs/``."""
    return nbformat.read(CONFIGS / f"{name}.ipynb", as_version=4)


def execute(notebook: Any, folder: Path) -> Any:
    """Run all cells in a folder, with this checkout's package; returns the notebook with its outputs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(CONFIGS.parent), os.environ.get("PYTHONPATH", "")]))
        return NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(folder)}}).execute()
