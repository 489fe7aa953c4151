"""The README's tree is the real one, and its commands are real options."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tree() -> set[str]:
    """The paths of the README's tree; folders end with a slash."""
    block = README.partition("## The tree")[2].split("```")[1]
    paths, parents = set(), []
    for line in block.strip("\n").splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        parents = [*parents[:depth], name]
        paths.add("".join(parents))
    return paths


def tracked() -> list[str]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return listing.stdout.split()


def test_the_tree_is_the_real_one() -> None:
    files = tracked()
    folders = {"/".join(path.split("/")[:-1]) + "/" for path in files if "/" in path}
    package = {folder for folder in folders if folder.startswith("ib_bench/")}
    modules = {path for path in files if re.fullmatch(r"ib_bench/\w+\.py", path) and "__" not in path}
    top = {path.partition("/")[0] + ("/" if "/" in path else "") for path in files}
    dotfiles = {".gitignore", ".dockerignore"}
    assert tree() == package | modules | (top - dotfiles)


def test_every_folder_is_in_the_layers() -> None:
    layers = (ROOT / "pyproject.toml").read_text().partition("layers = [")[2].partition("]")[0]
    named = set(re.findall(r'"ib_bench\.(\w+)"', layers))
    real = {path.split("/")[1].removesuffix(".py") for path in tracked() if path.startswith("ib_bench/")}
    assert named == {name for name in real if not name.startswith("__")}


def test_the_demos_figure_and_links_exist() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).exists(), target
