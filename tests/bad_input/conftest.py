"""How many inputs are tried, and the folder in which."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_input.calls import Trainings
from bad_input.stores import write_sound
from hypothesis import HealthCheck, settings

from ib_bench.results.store import Store

_SUITE = "base: {model: LSTM, data: {class_path: ModularAddition}}\naxes: {max_length: [3, 4]}\n"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give many inputs as long as they take, and a few ten minutes."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(0 if config.getoption("--examples") else 600))


@pytest.fixture(scope="session")
def tried(request: pytest.FixtureRequest) -> Callable[[int], Any]:
    """Settings of Hypothesis: a test's own number of inputs, always the same ones, or that of ``--examples``."""
    wanted = int(request.config.getoption("--examples"))

    def make(few: int) -> Any:
        return settings(
            max_examples=wanted or few,
            derandomize=not wanted,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )

    return make


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with files of many kinds; ``setup.py`` and ``data.py`` must not be run."""
    inner = tmp_path / "outer" / "folder"
    (inner / "folder").mkdir(parents=True)
    monkeypatch.chdir(inner)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("HOME", str(inner))
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_PROJECT", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    (inner / "suite.yaml").write_text(_SUITE)
    (inner / "text.txt").write_text("some text\n")
    (inner / "binary.bin").write_bytes(bytes(range(256)))
    for name in ("setup.py", "data.py", "train.py"):
        (inner / name).write_text("raise SystemExit('was run')\n")
    Store(inner / "empty.sqlite").close()
    write_sound(inner / "small.sqlite")
    return inner


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> Trainings:
    """Short ones."""
    return Trainings(monkeypatch)
