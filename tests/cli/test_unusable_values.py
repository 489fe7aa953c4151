"""Values that no run can use: numbers beyond all machines, impossible paths, YAML that no config can hold."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from ib_bench.cli import main
from ib_bench.errors import BenchError, reason_of, shown
from ib_bench.results.store import Store

MODEL = ["--model", "LSTM", "--model.hidden_size", "4"]
DATA = ["--data", "ModularAddition", "--data.max_length", "4"]
QUIET = ["--wandb.mode", "disabled", "--search.max_steps", "2", "--search.max_size", "4"]
SEARCH, FIT = ["search", *MODEL, *DATA, *QUIET], ["fit", *MODEL, *DATA, "--trainer.max_steps", "1"]
VALIDATE = ["validate", *MODEL, *DATA]
HUGE = "1" + "0" * 30
LONG = "x" * 300

CASES = {
    "threads": ([*SEARCH, "--search.num_threads", "1000000000000"], "search.num_threads must be an integer in 1..1024"),
    "spread": ([*SEARCH, "--search.spread", "2000"], "search.spread must be an integer in 1..1024, got 2000"),
    "batch size": ([*SEARCH, "--data.batch_size", str(2**31)], "batch_size must be an integer in 1..2^31-1"),
    "huge batch size": ([*SEARCH, "--data.batch_size", HUGE], "data.batch_size must be an integer below 2^63"),
    "huge modulus": ([*SEARCH, "--data.modulus", HUGE], "data.modulus must be an integer below 2^63"),
    "huge width": ([*FIT, "--model.hidden_size", HUGE], "model.hidden_size must be an integer below 2^63"),
    "layers": (
        ["check", "--model", "DeltaNet", "--model.num_layers", "2000000000"],
        "model.num_layers must be an integer of at most 1,000, got 2000000000",
    ),
    "modulus": ([*SEARCH, "--data.modulus", "2000000000"], "data.modulus must be an integer of at most 1,048,576"),
    "accumulation": (
        [*SEARCH, "--trainer.accumulate_grad_batches", str(2**31)],
        "trainer.accumulate_grad_batches must be an integer of at least 1 and below 2^31",
    ),
    "accumulation of fit": (
        [*FIT, "--trainer.accumulate_grad_batches", "0"],
        "trainer.accumulate_grad_batches must be an integer of at least 1",
    ),
    "clipping by nan": ([*SEARCH, "--trainer.gradient_clip_val", ".nan"], "trainer.gradient_clip_val must be a number"),
    "clipping by -1": ([*SEARCH, "--trainer.gradient_clip_val", "-1"], "must be null or a finite number of at least 0"),
    "clipping by inf": ([*FIT, "--trainer.gradient_clip_val", ".inf"], "must be null or a finite number of at least 0"),
    "plugins": ([*FIT, "--trainer.plugins", "[a]"], "trainer.plugins cannot be 'a'"),
    "seed": (
        [*FIT, "--seed_everything", "-1"],
        "seed_everything must be true, false or an integer in 0",
    ),
    "best checkpoint": ([*VALIDATE, "--ckpt_path", "best"], "ckpt_path must be a checkpoint's path, last or hpc"),
    "logger without its package": ([*FIT, "--trainer.logger", "missing.Logger"], "trainer.logger must be"),
    "entity": ([*SEARCH, "--wandb.entity", "a/b/c"], "wandb.entity must be a user or team"),
    "empty config": ([*SEARCH, "--config", ""], "config '' must be a mapping"),
    "store that is a folder": ([*SEARCH, "--store", "nope/"], "store must be a file, and no folder, got 'nope/'"),
    "store of one byte": ([*SEARCH, "--store", "one.sqlite"], "one.sqlite' cannot be used (file is not a database)"),
    "results of one byte": (["results", "--store", "one.sqlite"], "cannot be used (file is not a database)"),
    "long store": ([*SEARCH, "--store", LONG], "is no path that can be used: File name too long"),
    "store without room for its journal": ([*SEARCH, "--store", "x" * 250], "whose names have at most 247 bytes"),
    "long log": ([*SEARCH, "--log_file", f"folder/{LONG}"], "is no path that can be used: File name too long"),
    "long suite": (["run", LONG], "is no path that can be used: File name too long"),
    "long report": (["report", "--reference", "--out", f"missing/{LONG}"], "whose names have at most 255 bytes"),
    "long checkpoint": ([*FIT, "--ckpt_path", LONG], "is no path that can be used: File name too long"),
    "long folder": ([*FIT, "--trainer.default_root_dir", LONG], "is no path that can be used: File name too long"),
    "null in a path": ([*SEARCH, "--store", "a\0b"], "an argument must be a text without zero bytes"),
    "two dashes": ([*SEARCH, "--config=--"], "config must be a value, got '--'"),
    "long model": (["search", "--model", "x" * 5000, *DATA], "(5,002 characters)"),
    "a file that is no class": (["search", "--model", "setup.cfg", *DATA, *QUIET], "model 'setup.cfg'"),
    "a class in what is no module": (["search", "--model", "setup.cfg.X", *DATA, *QUIET], "model 'setup.cfg.X'"),
}

SUITES = {
    "axes: {modulus: [3], 1: [2]}": "axes must have texts as keys, got 1",
    "axes: {modulus: [3], true: [2]}": "axes must have texts as keys, got True",
    "axes: {modulus: [3], null: [2]}": "axes must have texts as keys, got None",
    "axes: {modulus: [2020-01-01]}": "axes.modulus must hold texts, numbers, lists and mappings, got datetime",
    "axes: {modulus: [!!binary aGVsbG8=]}": "axes.modulus must hold texts, numbers, lists and mappings, got b'hello'",
    "axes: {modulus: !!set {a}}": "axes.modulus must hold texts, numbers, lists and mappings, got {'a'}",
    "axes: {max_length: [2..4, 3]}": "axes.max_length must hold no value twice",
    "axes: {seed: [1, 2]}": "data.seed cannot be set here, got 1; use search.seeds",
    "axes: {modulus: [.inf]}": "data.modulus must be an integer, got",
    "axes: {task: [.]}": "either axes.task or base.data.class_path must be given, and not both",
}

WHOLE_SUITES = {
    "{axes: {task: [.], model: LSTM}, base: {}}": "task must be the name or the dotted path of a class, got '.'",
    "{axes: {task: [..x], model: LSTM}, base: {}}": "task must be the name or the dotted path of a class, got '..x'",
    "{axes: {task: ['5'], model: LSTM}, base: {}}": "task must be the name or the dotted path of a class, got '5'",
    "{axes: {task: [os.path], model: LSTM}, base: {}}": "must be a LightningDataModule",
    "{axes: {task: [setup.Data], model: LSTM}, base: {}}": "task 'setup.Data' cannot be imported",
    "{axes: {task: FlipFlop, model: LSTM}, base: {search: [1]}}": "base.search must be a mapping of options",
    "{axes: {task: FlipFlop, model: LSTM}, base: {search: null}}": "base.search must be a mapping of options",
    "{axes: {task: FlipFlop, model: LSTM}, base: {search: {max_steps: null}}}": (
        "search.max_steps must be a value, or left out for its default, got None"
    ),
    "{axes: {task: FlipFlop, model: LSTM}, base: {search: {seeds: null}}}": "search.seeds must be a value",
    "{axes: {task: FlipFlop, model: LSTM, quantity: curve}, base: {curve: {batch: null}}}": "curve.batch must be a",
    "{axes: {task: FlipFlop, model: LSTM}, base: {trainer: 5}}": "base.trainer must be a mapping of options",
    "{axes: {task: FlipFlop, model: {class_path: LSTM, overrides: {search: [1]}}}, base: {}}": (
        "axes.model.overrides.search must be a mapping of options"
    ),
    "{axes: {task: FlipFlop, model: {class_path: LSTM, overrides: {data: {init_args: 3}}}}, base: {}}": (
        "axes.model.overrides.data.init_args must be a mapping"
    ),
    "{axes: {task: FlipFlop, model: {class_path: LSTM, overrides: {data: GRU}}}, base: {}}": (
        "axes.model.overrides.data must not name a class"
    ),
    "{axes: {}, base: {model: LSTM, data: {class_path: [1]}}}": "base.data.class_path must be a class, got [1]",
}


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "one.sqlite").write_bytes(b"x")
    (tmp_path / "setup.py").write_text("open('was run', 'w').close()\n")
    (tmp_path / "folder").mkdir()
    return tmp_path


def refused(arguments: list[str], expected: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Check that a command prints one sentence and writes nothing."""
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if "__pycache__" not in path.parts}
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("ib-bench") and len(err) < 1500, err
    assert expected in err, err
    after = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if "__pycache__" not in path.parts}
    assert after == before


@pytest.mark.parametrize("name", CASES)
def test_values(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    refused(*CASES[name], capfd)


@pytest.mark.parametrize("axes", SUITES)
def test_axes(axes: str, working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    base = "base: {model: LSTM, data: {class_path: ModularAddition}}\n"
    (working_folder / "suite.yaml").write_text(base + axes)
    refused(["run", "suite.yaml", "--wandb.mode", "disabled", "--dry_run"], SUITES[axes], capfd)


@pytest.mark.parametrize("suite", WHOLE_SUITES)
def test_suites(suite: str, working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (working_folder / "suite.yaml").write_text(suite)
    refused(["run", "suite.yaml", "--wandb.mode", "disabled", "--dry_run"], WHOLE_SUITES[suite], capfd)


def test_a_missing_package_of_a_logger_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("lightning")
    if any(name in sys.modules for name in ("tensorboard", "tensorboardX")):
        pytest.skip("tensorboard is installed")
    refused([*FIT, "--trainer.logger", "TensorBoardLogger"], "tensorboard", capfd)


def test_a_name_that_begins_with_file_is_a_name(working_folder: Path) -> None:
    """SQLite takes it for an address where these are turned on."""
    Store("file:relative.sqlite").close()
    assert [path.name for path in working_folder.glob("*relative*")] == ["file:relative.sqlite"]
    with sqlite3.connect(working_folder / "file:relative.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM trials").fetchone() == (0,)
    connection.close()


def test_quoted_values_are_short() -> None:
    assert shown("x" * 1000) == f"'{'x' * 199}... (1,002 characters)"
    assert shown(10**5000) == "a number of thousands of digits"
    error = RuntimeError("bad size\nException raised from THPUtils_unpackLong at /pytorch:101 (most recent first):")
    assert reason_of(error) == "bad size"
    assert len(str(BenchError(reason_of(ValueError("y" * 10_000))))) < 600


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["results", "--model.num_heads=3"], "unknown option --model.num_heads"),
        ([*SEARCH, "--trainer=[1, x]"], "trainer must be options or a config file with them, got '[1, x]'"),
        ([*SEARCH, ""], "unknown argument ''"),
        (["search", "--config", "number.yaml"], "config number.yaml must have texts as keys, got 1"),
        (["search", "--config", "text.yaml"], "model must be a class with init_args that are a mapping, got"),
    ],
)
def test_wording(arguments: list[str], expected: str, working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (working_folder / "number.yaml").write_text("1: 2\nmodel: LSTM\ndata: ModularAddition\n")
    (working_folder / "text.yaml").write_text("model: {class_path: LSTM, init_args: x}\ndata: ModularAddition\n")
    refused(arguments, expected, capfd)
