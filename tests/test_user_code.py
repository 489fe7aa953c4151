"""The working folder is looked in for a user's own classes, and for nothing else."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from damage import write_store
from jsonargparse._parameter_resolvers import get_signature_parameters
from made_up_records import ACOT, Point, search, trial

from ib_bench import user_code
from ib_bench.cli import EXIT_BAD_INPUT, main

ROOT = str(Path(__file__).parents[1])
WOULD_LIKE = ("ruamel", "org", "anywidget", "toml", "_jsonnet", "omegaconf", "argcomplete", "cython", "pynvml", "nt")
"""Modules that libraries import if they are installed, and that are not."""

MODEL = """
import my_layers
from ib_bench.models import LSTM


class Mine(LSTM):
    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3, note: str = ""):
        import my_late_layers
        super().__init__(vocab_size, num_classes, hidden_size=4, learning_rate=learning_rate)
"""

LISTING = [
    *(["results"], ["status"], ["ls"], ["store", "check"], ["report", "--out", "out"], ["claims"]),
    *(["wandb", "workspace", "--dry_run"], ["store", "export", "records.csv"]),
]
LISTING_SLOWLY = [
    *(["growth", "--help"], ["league"]),
    *(["completion", "bash"], ["wandb", "sync-store", "--wandb.mode", "offline"], ["trials"], ["store", "vacuum"]),
    *(["store", "merge", "all.sqlite", "ib_bench.sqlite"], ["doctor"]),
]
DATA = ["--data", "ModularAddition", "--data.max_length", "3", "--wandb.mode", "disabled"]
SHORT = ["--search.max_steps=2", "--search.max_size=2", "--search.seeds=[1]", "--search.learning_rates=[0.001]"]
SUITE = """
base:
  data: {class_path: ModularAddition, init_args: {max_length: 3}}
  search: {max_steps: 2, max_size: 2, seeds: [1], learning_rates: [0.001]}
axes: {model: [my_models.Mine], modulus: [3, 4]}
"""
BUILDING = [["run", "suite.yaml", "--workers", "2", "--wandb.mode", "disabled"]]
BUILDING_SLOWLY = [
    ["check", "my_models.Mine"],
    ["search", "--model", "my_models.Mine", *DATA, *SHORT],
    ["fit", "--model", "my_models.Mine", *DATA[:4], "--trainer.fast_dev_run", "true"],
]


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """The command as its entry point is installed: a script in another folder."""
    script = folder.parent / "ib-bench.py"
    script.write_text("import sys\nfrom ib_bench.cli import main\nif __name__ == '__main__':\n    sys.exit(main())\n")
    environment = {**os.environ, "PYTHONPATH": ROOT}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, timeout=200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path = tmp_path / "work"
    tmp_path.mkdir()
    for name in ("my_layers", "my_late_layers", *WOULD_LIKE):
        (tmp_path / f"{name}.py").write_text(f"open('{name} was run', 'w').close()\n")
    (tmp_path / "my_models.py").write_text(MODEL)
    (tmp_path / "suite.yaml").write_text(SUITE)
    write_store(tmp_path / "ib_bench.sqlite", [search(Point("LSTM", ACOT), 64), trial(Point("LSTM", ACOT), 4096)])
    return tmp_path


@pytest.mark.system
@pytest.mark.parametrize(
    "arguments",
    [*LISTING, *(pytest.param(arguments, marks=pytest.mark.slow) for arguments in LISTING_SLOWLY)],
    ids=" ".join,
)
def test_commands_that_list_run_nothing_of_the_folder(arguments: list[str], folder: Path) -> None:
    ended = run(arguments, folder)
    assert ended.returncode != EXIT_BAD_INPUT and "Traceback" not in ended.stderr, ended.stderr
    assert not list(folder.glob("* was run"))


@pytest.mark.system
@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 itself looks for runpy in the working folder")
def test_python_m_runs_no_file_named_after_what_the_package_imports(folder: Path) -> None:
    for name in ("random", "typing", "signal"):
        (folder / f"{name}.py").write_text(f"open('{name} was run', 'w').close()\n")
    command = [sys.executable, "-m", "ib_bench", "results"]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT})
    assert ended.returncode == 0, ended.stderr
    assert not list(folder.glob("* was run"))


@pytest.mark.system
@pytest.mark.parametrize(
    "arguments",
    [*BUILDING, *(pytest.param(arguments, marks=pytest.mark.slow) for arguments in BUILDING_SLOWLY)],
    ids=" ".join,
)
def test_commands_that_build_run_the_classes_alone(arguments: list[str], folder: Path) -> None:
    ended = run(arguments, folder)
    assert ended.returncode == 0, ended.stderr
    assert sorted(path.name for path in folder.glob("* was run")) == ["my_late_layers was run", "my_layers was run"]


def test_the_private_parts_of_jsonargparse_are_there() -> None:
    package, function = user_code._JSONARGPARSE
    imports = getattr(importlib.import_module(f"{package}._util"), function)
    assert imports.__code__.co_name == function and imports.__code__.co_varnames[0] == "name"
    parameters = [*inspect.signature(get_signature_parameters).parameters]
    assert parameters[0] == "function_or_class" and parameters[-1] == "logger"


REGIME = "open('was run', 'w').close()\n"


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(user_code, "_folders", [])
    return tmp_path


@pytest.mark.parametrize("axis", ["supervision: [train.x]", "length_distribution: [train.x]", "task: [train.x]"])
@pytest.mark.parametrize("more", [[], ["--dry_run"]])
def test_a_name_that_a_module_lacks_does_not_run_it(
    axis: str, more: list[str], working_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (working_folder / "train.py").write_text(REGIME)
    data = "" if axis.startswith("task") else "data: ModularAddition, "
    (working_folder / "suite.yaml").write_text(f"base: {{{data}model: LSTM}}\naxes: {{{axis}}}\n")
    assert main(["run", "suite.yaml", "--wandb.mode", "disabled", *more]) == 2
    assert "'train.x' cannot be imported" in capfd.readouterr().err
    assert not (working_folder / "was run").exists()


KINDS, VALUES = (
    ["str", "str | None", "Any", "int | str", "dict[str, str] | str"],
    ["train.pt", "setup.cfg", "data.csv", "v1.2", "train.x"],
)
PAIRS = [
    pytest.param(kind, value, marks=[] if place == other else pytest.mark.slow)
    for place, kind in enumerate(KINDS)
    for other, value in enumerate(VALUES)
]


@pytest.mark.parametrize(("kind", "value"), PAIRS)
def test_a_text_with_a_dot_is_a_text(
    value: str, kind: str, working_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("train", "setup", "data", "v1"):
        (working_folder / f"{name}.py").write_text(REGIME)
    text = MODEL.replace("import my_layers", "from typing import Any").replace("import my_late_layers", "pass")
    (working_folder / "noted.py").write_text(text.replace("note: str", f"note: {kind}"))
    sys.modules.pop("noted", None)
    command = ["search", "--model", "noted.Mine", "--model.note", value, *DATA, *SHORT]
    assert main(command) == 0, capfd.readouterr().err
    assert not (working_folder / "was run").exists()


@pytest.mark.parametrize(
    ("module", "function", "error"),
    [
        ("jsonargparse._util", "import_object", None),
        ("jsonargparse._moved", "import_object", None),  # by another version
        ("jsonargparse._util", "import_jsonnet", ModuleNotFoundError),  # a package that it would like to have
        ("jsonargparse_of_others", "import_object", ModuleNotFoundError),
    ],
)
def test_jsonargparse_finds_the_folder_where_it_imports_a_class_path(
    module: str, function: str, error: type[Exception] | None, working_folder: Path
) -> None:
    user_code.look_in(str(working_folder))
    (working_folder / "mine_there.py").write_text(f"{REGIME}class Mine: ...\n")
    sys.modules.pop("mine_there", None)
    names = {"__name__": module}
    exec(f"def {function}(path):\n    return getattr(__import__(path.split('.')[0]), path.split('.')[1])", names)
    with pytest.raises(error or AttributeError):
        names[function]("mine_there.Missing")  # type: ignore[operator]
    assert not (working_folder / "was run").exists()
    if error is None:
        assert names[function]("mine_there.Mine").__name__ == "Mine"  # type: ignore[operator]


def test_what_cannot_be_told_without_running_is_run(working_folder: Path) -> None:
    user_code.look_in(str(working_folder))
    (working_folder / "starred.py").write_text("from math import *\n")
    (working_folder / "lazy.py").write_text("def __getattr__(name):\n    return name\n")
    (working_folder / "many").mkdir()
    (working_folder / "many" / "__init__.py").write_text("from .one import One as Another\nif True:\n    Third = 3\n")
    (working_folder / "many" / "one.py").write_text("class One: ...\n")
    assert user_code.import_class("starred.pi") > 3
    assert user_code.import_class("lazy.Anything") == "Anything"
    assert user_code.import_class("many.Third") == 3
    assert user_code.import_class("many.one.One") is user_code.import_class("many.Another")
    with pytest.raises(AttributeError, match="has no attribute 'Two'"):
        user_code.import_class("many.Two")


@pytest.mark.parametrize("option", ["--model", "--data.supervision", "--data.length_distribution"])
def test_an_error_names_the_file_that_was_read(
    option: str, working_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (working_folder / "test.py").write_text("class GRU: ...\n")
    (working_folder / "mine_alone.py").write_text("class Other: ...\n")
    given = {"--model": "LSTM", "--data": "ModularAddition"}
    for name, expected in (
        ("test.GRU", [f"test{os.sep}__init__.py, which hides {working_folder / 'test.py'}: rename that"]),
        ("mine_alone.GRU", [f"(read from {working_folder / 'mine_alone.py'})", "has no attribute 'GRU'"]),
        ("nowhere.GRU", ["No module named 'nowhere'"]),
    ):
        sys.modules.pop("mine_alone", None)
        command = [word for pair in {**given, option: name}.items() for word in pair]
        assert main(["search", *command, "--wandb.mode", "disabled"]) == 2
        said = capfd.readouterr().err
        assert said.count("\n") == 1 and all(text in said for text in expected), said
