"""What tests of several folders share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.store import Store


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kills", type=int, default=0, help="also inject faults at length, each about so often")
    parser.addoption("--examples", type=int, default=0, help="inputs that each generator tries; 0 is a few")
    parser.addoption("--slow", action="store_true", help="also run what is marked slow")


def pytest_configure() -> None:
    """Before torch is imported: tests run side by side, and threads that wait for cores take most of the time."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"):
        os.environ.setdefault(name, os.path.join(_folder.name, name.lower()))  # nothing is left in the user's home


_folder = tempfile.TemporaryDirectory(prefix="ib_bench_tests", ignore_cleanup_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long; `make torture` asks for it."""
    if not config.getoption("--slow"):
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="takes long: --slow"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as store:
        yield store


@pytest.fixture
def experiment() -> Experiment:
    """A DenseSSM on sums modulo 3: small enough to learn within a second."""
    return Experiment(
        model=ClassSpec("ib_bench.models.DenseSSM", {"hidden_size": 16}),
        data=DataSpec(
            "ib_bench.data.ModularAddition",
            {
                "modulus": 3,
                "supervision": "aligned_chain_of_thought",
                "length_distribution": "uniform",
                "max_length": 4,
                "batch_size": 16,
                "separator": None,
            },
        ),
    )
