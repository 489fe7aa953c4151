"""What all faults have in common; the table of figures comes at the end of the tests."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torture.campaign import Campaign
from torture.contents import Contents, contents
from torture.figures import Figures, table
from torture.suites import write_suite

from ib_bench.cli import main

_FIGURES = pytest.StashKey[list[Figures]]()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--kills"):
        at_length = [item for item in items if item.get_closest_marker("torture")]
        items[:] = [item for item in items if item not in at_length]
        config.hook.pytest_deselected(items=at_length)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if rows := config.stash.get(_FIGURES, []):
        Console(file=sys.stdout, width=150).print(table(rows))


@pytest.fixture(autouse=True)
def on_linux() -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("processes that are left behind are looked for in /proc, which only Linux has")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """The suite, run once in this process, whatever has run in it before."""
    folder = tmp_path_factory.mktemp("undisturbed")
    write_suite(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        assert main(["run", "suite.yaml", "--executor", "inline", "--wandb.mode", "disabled"]) == 0
    return contents(folder / "ib_bench.sqlite")


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    """How often a fault that does not take long strikes."""
    return int(request.config.getoption("--kills"))


@pytest.fixture
def figures(request: pytest.FixtureRequest) -> Iterator[Figures]:
    """Of the test's fault; they are in the table, whatever happens, and must be without flaws."""
    what, _, variant = request.node.name.removeprefix("test_").replace("_", " ").partition("[")
    row = Figures(f"{what} ({variant.removesuffix(']')})" if variant else what)
    start = time.monotonic()
    yield row
    row.seconds = time.monotonic() - start
    if row.times:
        request.config.stash.setdefault(_FIGURES, []).append(row)
    assert not row.flaws, row


@pytest.fixture
def generator(request: pytest.FixtureRequest) -> torch.Generator:
    """Seeded, differently for each test."""
    return torch.Generator().manual_seed(sum(request.node.name.encode()))


@pytest.fixture
def campaign(tmp_path: Path, undisturbed: Contents, figures: Figures, generator: torch.Generator) -> Campaign:
    """In a folder of its own; arguments and environment are set by the test."""
    return Campaign(tmp_path, undisturbed, figures, generator)
