"""The READMEs are true: the tree, the links, the commands with their options, and the Python examples."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ib_bench import catalogue
from ib_bench.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tree(readme: str, heading: str) -> set[str]:
    """The paths of a README's tree; folders end with a slash."""
    block = text_of(readme).partition(f"## {heading}")[2].split("```")[1]
    paths, parents = set(), []
    for line in block.strip("\n").splitlines():
        depth, name = (len(line) - len(line.lstrip())) // 2, line.split()[0]
        parents = [*parents[:depth], name]
        paths.add("".join(parents))
    return paths


def tracked() -> list[str]:
    try:
        listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git, and a checkout that it trusts", allow_module_level=True)
    return listing.stdout.split()


READMES = sorted(path for path in tracked() if path.endswith(".md"))


def text_of(readme: str) -> str:
    return (ROOT / readme).read_text(encoding="utf-8")


def test_the_tree_is_the_real_one() -> None:
    files = tracked()
    folders = {"/".join(path.split("/")[:-1]) + "/" for path in files if "/" in path}
    package = {folder for folder in folders if folder.startswith("ib_bench/")}
    modules = {path for path in files if re.fullmatch(r"ib_bench/\w+\.py", path) and "__" not in path}
    top = {path.partition("/")[0] + ("/" if "/" in path else "") for path in files}
    dotfiles = {".gitignore", ".dockerignore"}
    assert tree("ib_bench/README.md", "The tree") == package | modules
    assert tree("README.md", "Extend it") == top - dotfiles


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 150, "lines"
    assert len(README.split()) <= 1400, "words"


def test_every_folder_is_in_the_layers() -> None:
    layers = (ROOT / "pyproject.toml").read_text().partition("layers = [")[2].partition("]")[0]
    named = set(re.findall(r'"ib_bench\.(\w+)"', layers))
    real = {path.split("/")[1].removesuffix(".py") for path in tracked() if re.fullmatch(r"ib_bench/.*\.py", path)}
    assert named == {name for name in real if not name.startswith("__")}


@pytest.mark.parametrize("readme", READMES)
def test_links_lead_somewhere(readme: str) -> None:
    for target, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", text_of(readme)):
        path = (ROOT / readme).parent / target if target else ROOT / readme
        assert path.exists(), target
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), f"{target}#{anchor}"


def anchors(text: str) -> list[str]:
    """GitHub's names of the headings of a README, none of which it has twice."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    names = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert len(set(names)) == len(names)
    return names


def commands(readme: str) -> set[tuple[str, ...]]:
    """The commands of indented blocks, as their words; a command of ``store`` or ``wandb`` is two of them."""
    text = text_of(readme).replace("\\\n", " ")
    lines = re.findall(r"^    ib-bench (.*)$", text, re.MULTILINE)
    return {tuple(shlex.split(line, comments=True)) for line in lines}


@pytest.mark.parametrize("readme", [readme for readme in READMES if commands(readme)])
def test_commands_have_the_options_that_they_are_given(readme: str, capsys: pytest.CaptureFixture[str]) -> None:
    executors = {entry.name for entry in catalogue.entries(catalogue.EXECUTORS)}
    for words in commands(readme):
        if "--executor" in words and words[words.index("--executor") + 1] not in executors:
            continue  # an example of an executor that somebody adds
        name = words[:2] if words[0] in ("store", "wandb") else words[:1]
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main([*name, "--help"])
        known = set(re.findall(r"--[\w.]+", capsys.readouterr().out))
        for option in [word for word in words if word.startswith("--")]:
            of_class = option.partition(".")[0]  # of the model or the data, or an axis, which depend on the class
            allowed = of_class if of_class in ("--model", "--data", "--axes") else option
            assert allowed in known, f"{' '.join(words)}: {option}"


def examples(readme: str) -> list[str]:
    """The Python examples that are whole modules."""
    blocks = re.findall(r"^```python\n(.*?)^```", text_of(readme), re.MULTILINE | re.DOTALL)
    return [block for block in blocks if ast.parse(block) and re.search(r"^(import|from) ", block, re.MULTILINE)]


MODULES = [
    pytest.param(block, id=f"{readme} {number}")
    for readme in READMES
    for number, block in enumerate(examples(readme))
    if "ib_bench.search(" not in block  # trains
]


@pytest.mark.system
def test_ten_lines_of_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a budget that a test has."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_models", raising=False)
    model, lines = examples("README.md")
    assert len([line for line in lines.splitlines() if line]) == 10
    (tmp_path / "my_models.py").write_text(model)
    for number, less in {"2000": "2", "4096": "16", "40}": "4}"}.items():
        assert number in lines
        lines = lines.replace(number, less)
    names: dict[str, Any] = {}
    exec(lines, names)
    assert names["found"].max_size == 16 and list(names["frame"]["model"]) == ["my_models.GRU"]
    monkeypatch.delitem(sys.modules, "my_models")


@pytest.mark.parametrize("block", MODULES)
def test_examples_can_be_imported_and_are_complete(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Classes are found by name as shipped ones are, and define all that their base asks for."""
    (tmp_path / "example.py").write_text(block)
    spec = importlib.util.spec_from_file_location("example", tmp_path / "example.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "example", module)
    spec.loader.exec_module(module)
    own = [value for value in vars(module).values() if isinstance(value, type) and value.__module__ == "example"]
    assert own
    assert not [kind for kind in own if getattr(kind, "__abstractmethods__", None)]
