"""Tests marked ``gpu`` are skipped where there is no CUDA."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from ib_bench.training.global_state import fresh_global_state


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is not None and not torch.cuda.is_available():
        pytest.skip("needs CUDA")


@pytest.fixture
def accelerator() -> str:
    """Lightning's and torch's name of what is tested."""
    return "cuda"


@pytest.fixture
def as_in_a_trial() -> Iterator[None]:
    """Torch's switches as trials set them."""
    with fresh_global_state(seed=0, num_threads=1):
        yield
