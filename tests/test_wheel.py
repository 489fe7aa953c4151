"""What ``pip install .`` installs: the tracked files of package and suites, and none of what users leave there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[1]
PACKAGED = ("ib_bench", "configs")
OTHERS = ("pyproject.toml", "README.md", "LICENSE", ".gitignore")
STRAYS = (
    "configs/notebook.sqlite",
    "configs/notebook.sqlite-wal",
    "configs/figures/demo.svg",
    "configs/report/index.html",
    "configs/.ipynb_checkpoints/own_model-checkpoint.ipynb",
    "configs/__pycache__/my_models.cpython-311.pyc",
    "ib_bench/ib_bench.sqlite",
    "ib_bench/.ipynb_checkpoints/api-checkpoint.py",
)
"""Where notebooks and commands write when the working folder is that of the suites, or the package."""


def packaged_files() -> list[str]:
    """Files of the checkout that are tracked, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGED]
    try:
        listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git, and a checkout that it trusts")
    return [name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout's files, with strays."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (*packaged_files(), *OTHERS):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    for name in STRAYS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("private")
    return folder


def install(source: Path, target: Path) -> list[str]:
    """Install without a network, and list the package's files."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--no-compile", "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    package = target / "ib_bench"
    return sorted(path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())


def build(source: Path, hook: str, target: Path) -> Path:
    """What hatchling builds, by a hook of PEP 517."""
    code = f"import sys, hatchling.build; print(hatchling.build.{hook}(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=source, check=False)
    assert done.returncode == 0, done.stderr
    return target / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """The folder with the installed package, and the names of its files."""
    target = tmp_path_factory.mktemp("installed")
    return target, install(source, target)


def test_it_holds_the_tracked_files_and_no_others(installed: tuple[Path, list[str]]) -> None:
    _, files = installed
    assert files == sorted(name.removeprefix("ib_bench/") for name in packaged_files())
    assert {"py.typed", "configs/demo.yaml", "report/report.html.jinja"} <= set(files)


def test_a_build_without_gitignore_is_the_same(
    source: Path, installed: tuple[Path, list[str]], tmp_path: Path
) -> None:  # as in Docker
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    (copy / ".gitignore").unlink()
    names = zipfile.ZipFile(build(copy, "build_wheel", tmp_path)).namelist()
    assert sorted(name.removeprefix("ib_bench/") for name in names if name.startswith("ib_bench/")) == installed[1]


def test_an_editable_installation_has_no_copies(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    (copy / "configs" / "my_models.py").write_text("")  # hatchling would refuse code in a folder that is renamed
    wheel = zipfile.ZipFile(build(copy, "build_editable", tmp_path))
    (file,) = (name for name in wheel.namelist() if ".dist-info/" not in name)
    assert wheel.read(file).decode() == str(copy)


def test_its_metadata(installed: tuple[Path, list[str]]) -> None:
    target, _ = installed
    (folder,) = target.glob("ib_bench-*.dist-info")
    found = PathDistribution(folder)
    assert found.metadata["Author"] == "the ib_bench authors"
    assert found.metadata["License-Expression"] == "Apache-2.0"
    assert "Typing :: Typed" in found.metadata.get_all("Classifier", [])


def test_it_runs_outside_of_the_checkout(installed: tuple[Path, list[str]], tmp_path: Path) -> None:
    target, _ = installed
    (target / "ib_bench" / "configs" / "only_here.yaml").write_text("# a suite that the checkout lacks\n")
    environment = {**os.environ, "PYTHONPATH": str(target)}

    def ib_bench(*arguments: str) -> str:
        command = [sys.executable, "-m", "ib_bench", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert "only_here" in ib_bench("ls")
    assert ib_bench("run", "demo", "--dry_run").startswith("demo: what there is to do")
    assert list(tmp_path.iterdir()) == []
