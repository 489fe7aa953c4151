"""What tests of several folders share."""

from __future__ import annotations

import os
import signal
import sys
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


@pytest.hookimpl(trylast=True)  # pytest has read NO_COLOR for itself by then
def pytest_configure(config: pytest.Config) -> None:
    """Before torch and Lightning are imported: the environment is the same wherever the tests run."""
    if hasattr(config, "workerinput"):  # a process of xdist, which inherits all of it
        return
    for name in [*os.environ]:
        if name in _FROM_OUTSIDE or (name.startswith(_PREFIXES_FROM_OUTSIDE) and name != "SLURM_CONF"):
            del os.environ[name]
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # side by side, threads that wait for cores take most of the time
    for name in _PLACES:
        os.environ[name] = os.path.join(_folder.name, name.lower())  # nothing is read or left in the user's home
    if sys.platform == "linux":  # elsewhere the paths of sockets may be too short for it
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # what failed tests leave is kept
        os.environ.setdefault("RAY_TMPDIR", os.environ.get("TMPDIR", "/tmp"))  # as without what follows
        os.environ["TMPDIR"] = tempfile.tempdir = _folder.name
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a script has put the tests in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)


_FROM_OUTSIDE = frozenset(
    {
        *("FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"),
        *("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"),
        *("MASTER_ADDR", "MASTER_PORT"),
    }
)
_PREFIXES_FROM_OUTSIDE = ("CLICOLOR", "JSM_NAMESPACE_", "JSONARGPARSE_", "PL_", "SLURM_", "TORCHELASTIC_", "WANDB_")
"""Variables of terminals, launchers and W&B that change what commands say or do; a test sets those that it is about."""

_PLACES = (
    *("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR", "NETRC"),
    *("WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"),
)
_folder = tempfile.TemporaryDirectory(prefix="ib_", ignore_cleanup_errors=True)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what takes long; `make torture` asks for it. Skipped in one place, it is one line of the summary."""
    if item.get_closest_marker("slow") and not item.config.getoption("--slow"):
        pytest.skip("takes long: --slow")


_OF_THE_PROCESS = frozenset({"PYTEST_CURRENT_TEST", "PYTORCH_NVML_BASED_CUDA_CHECK"})
"""Set by pytest, and by Lightning once, when it is imported."""


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """What a test, or a command in it, has set is gone after it."""
    before = os.environ.copy()
    yield
    for name in os.environ.keys() - before.keys() - _OF_THE_PROCESS:
        del os.environ[name]
    for name in before.keys() - _OF_THE_PROCESS:
        if os.environ.get(name) != before[name]:
            os.environ[name] = before[name]


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
