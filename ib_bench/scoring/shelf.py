"""The models of the league, and their sizes."""

from __future__ import annotations

from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("shelf.yaml")


def shelf() -> list[str]:
    """Every shipped model with the arguments with which it takes part in the league."""
    return [str(model) for model in yaml.safe_load(_FILE.read_text(encoding="utf-8"))]
