"""How long the sequences of a data set are. Every file here is one distribution."""

from typing import Any

from ib_bench import catalogue


def __getattr__(name: str) -> Any:
    return catalogue.load_class(__name__, name)
