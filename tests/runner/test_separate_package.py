"""A package of somebody else's, written from the READMEs' text alone, runs on every executor."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MODULES = {  # each is the first example of a README that holds a text
    "models.py": ("README.md", "class GRU"),
    "mixers.py": ("ib_bench/models/README.md", "class Mine"),
    "tasks.py": ("ib_bench/tasks/README.md", "class Toggle"),
    "regimes.py": ("ib_bench/README.md", "class LateChainOfThought"),
    "speed.py": ("ib_bench/quantities/README.md", "class SpeedJob"),
}


def example(readme: str, containing: str, language: str = "python") -> str:
    """The first code block of a README that holds a text."""
    text = (ROOT / readme).read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if containing in block)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed package."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    (source / "ib_toys").mkdir()
    (source / "ib_toys" / "__init__.py").write_text("")
    for module, place in MODULES.items():
        (source / "ib_toys" / module).write_text(example(*place))
    (source / "pyproject.toml").write_text(example("ib_bench/README.md", "[project]", "toml"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.system
@pytest.mark.parametrize(
    "executor", ["inline", *(pytest.param(name, marks=pytest.mark.slow) for name in ("processes", "ray"))]
)
def test_its_model_mixer_task_regime_and_quantity_are_measured(executor: str, installed: Path, tmp_path: Path) -> None:
    if executor == "ray" and find_spec("ray") is None:
        pytest.skip("Ray is not installed")
    (tmp_path / "toys.yaml").write_text(example("ib_bench/README.md", "ib_toys.tasks.ToggleData", "yaml"))
    paths = [str(installed), str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "WANDB_MODE": "disabled"}

    def ib_bench(*arguments: str) -> str:
        command = [sys.executable, "-m", "ib_bench", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    workers = ["--workers", "1"] if executor == "processes" else []
    printed = ib_bench("run", "toys.yaml", "--executor", executor, *workers)
    assert "optimizer steps until the first success" in printed and "failed" not in printed.replace("that failed", "")
    listed = json.loads(ib_bench("results", "--kind", "speed", "--format", "json"))
    assert {(row["model"], row["task"], row["supervision"]) for row in listed} == {
        (model, "ToggleData", "ib_toys.regimes.LateChainOfThought") for model in ("ib_toys.models.GRU", "MixerModel")
    }
    paths_of_code = {path for row in listed for path in row["config"]["experiment"]["source_digests"]}
    modules = {path.rpartition(".")[0].rpartition(".")[2] for path in paths_of_code}
    assert modules == {"models", "mixers", "tasks", "regimes"}
