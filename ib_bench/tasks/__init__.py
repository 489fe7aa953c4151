"""The mathematics: finite-state machines whose state is to be tracked. Every file here is one task."""

from typing import Any

from ib_bench import catalogue


def __getattr__(name: str) -> Any:
    return catalogue.load_class(__name__, name)
