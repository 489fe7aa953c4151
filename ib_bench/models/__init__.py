"""LightningModules, one architecture a file. They see tokens and logits, never a task."""

from typing import Any

from ib_bench import catalogue


def __getattr__(name: str) -> Any:
    return catalogue.load_class(__name__, name)
