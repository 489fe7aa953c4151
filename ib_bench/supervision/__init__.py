"""Trajectory to tokens and targets: what a model reads and is trained to emit. Every file here is one regime."""

from typing import Any

from ib_bench import catalogue


def __getattr__(name: str) -> Any:
    return catalogue.load_class(__name__, name)
