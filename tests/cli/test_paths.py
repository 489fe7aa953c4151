"""Paths of options: a home folder wherever it is written, and files where the options say."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from damage import write_store
from jsonargparse import Namespace
from made_up_records import ACOT, Point, search, trial

import ib_bench
from ib_bench import measure
from ib_bench.cli import main
from ib_bench.errors import BenchError
from ib_bench.runner.places import with_homes

POINT = Point("LSTM", ACOT)
SHORT = ["--search.max_steps=2", "--search.max_size=2", "--search.seeds=[1]", "--search.learning_rates=[0.001]"]
SEARCH = ["search", "--model=LSTM", "--data=ModularAddition", "--data.max_length=3", "--wandb.mode=disabled", *SHORT]
SUITE = """
base:
  data: {class_path: ModularAddition, init_args: {max_length: 3}}
  search: {max_steps: 2, max_size: 2, seeds: [1], learning_rates: [0.001]}
axes: {model: [LSTM]}
"""
CONFIG = """
model: LSTM
data: {class_path: ModularAddition, init_args: {max_length: 3}}
search: {max_steps: 2, max_size: 2, seeds: [1], learning_rates: [0.001]}
wandb: {mode: disabled}
store: ~/y.sqlite
log_file: ~/log
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("work", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    write_store(tmp_path / "home" / "store.sqlite", [search(POINT, 64), trial(POINT, 4096)])
    (tmp_path / "home" / "suite.yaml").write_text(SUITE)
    (tmp_path / "home" / "config.yaml").write_text(CONFIG)
    return tmp_path / "home"


MADE = {
    "report": (["report", "--store=~/store.sqlite", "--out=~/x"], "x/report.html"),
    "search": ([*SEARCH, "--store=~/new.sqlite", "--log_file=~/log"], "log"),
    "config": (["search", "--config=~/config.yaml"], "y.sqlite"),
    "export": (["store", "export", "~/out.csv", "--store=~/store.sqlite"], "out.csv"),
    "merge": (["store", "merge", "~/merged.sqlite", "~/store.sqlite"], "merged.sqlite"),
    "dashboard": (["wandb", "workspace", "--dry_run", "--out=~/board.json"], "board.json"),
    "suite": (
        ["run", "~/suite.yaml", "--store=~/new.sqlite", "--figures=~/f", "--executor=inline", "--wandb.mode=disabled"],
        "f/suite.svg",
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_a_home_is_found_in_every_option(name: str, home: Path) -> None:
    arguments, expected = MADE[name]
    assert main(arguments) == 0
    assert (home / expected).is_file()
    assert not list(Path().iterdir())


@pytest.mark.parametrize("arguments", [["--out=~nobody-here/x", "--reference"], ["--store=~nobody-here/x"]])
def test_a_user_that_does_not_exist_is_an_error(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["report", *arguments]) == 2
    assert "got '~nobody-here/x'" in capfd.readouterr().err
    assert not list(Path().iterdir())


def test_files_of_tasks_and_stores_of_python(home: Path) -> None:
    (home / "group.csv").write_text("0,1\n1,0\n")
    data = {"class_path": "FiniteGroup", "init_args": {"group": "~/group.csv", "max_length": 3}}
    options = {"max_steps": 2, "max_size": 2, "seeds": [1], "learning_rates": [0.001]}
    found = measure("search", model="LSTM", data=data, search=options, store="~/python.sqlite")
    assert found.status == "finished"
    assert (home / "python.sqlite").is_file() and not list(Path().iterdir())


NAMED = {
    "protocol": ["league", "--protocol=~/none.yaml"],
    "submission": ["store", "check", "--submission=~/none.yaml"],
}


@pytest.mark.parametrize("name", NAMED)
def test_a_home_is_found_in_options_of_files_that_are_read(
    name: str, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(NAMED[name]) == 2
    assert f"'{home}/none.yaml'" in capfd.readouterr().err


def test_a_home_is_found_by_every_function_of_python(home: Path) -> None:
    assert len(ib_bench.read("~/store.sqlite")["search"]) == 1
    ib_bench.run("~/suite.yaml", store="~/new.sqlite", figures="~/f", progress=False)
    assert (home / "f" / "suite.svg").is_file() and not list(Path().iterdir())
    for call in (lambda: ib_bench.score("LSTM", protocol="~/none.yaml"), lambda: ib_bench.read("~/none.yaml")):
        with pytest.raises(BenchError, match=f"'{home}/none.yaml'"):
            call()


def test_a_home_is_found_in_a_section(home: Path) -> None:
    options = Namespace({"slurm.folder": Path("~/tasks")})  # type: ignore[no-untyped-call]
    with_homes(options)
    assert options.slurm.folder == home / "tasks"


@pytest.mark.filterwarnings("ignore:The dirpath has changed")  # the next run gets a folder of its own
@pytest.mark.parametrize("folder", ["elsewhere", "~/elsewhere"])
def test_fit_writes_where_it_is_told(folder: str, home: Path) -> None:
    options = ["--model=LSTM", "--data=ModularAddition", "--data.max_length=3", f"--trainer.default_root_dir={folder}"]
    options += [
        "--model.hidden_size=4",
        "--trainer.log_every_n_steps=1",
        "--trainer.max_steps=1",
        "--trainer.accelerator=cpu",
        "--trainer.enable_progress_bar=false",
    ]
    assert main(["fit", *options]) == 0
    root = home / "elsewhere" if folder.startswith("~") else Path("elsewhere")
    assert {path.suffix for path in root.rglob("*.*")} >= {".ckpt", ".csv", ".yaml"}
    assert [path.name for path in Path().iterdir()] == ([] if folder.startswith("~") else ["elsewhere"])
    (checkpoint,) = root.rglob("*.ckpt")
    given = f"~/{checkpoint.relative_to(home)}" if folder.startswith("~") else str(checkpoint)
    assert main(["validate", *options, f"--ckpt_path={given}"]) == 0
