"""Values that no run can use: numbers beyond all machines, impossible paths, YAML that no config can hold."""

from __future__ import annotations

import importlib.util
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import lightning
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
    "modulus": ([*SEARCH, "--data.modulus", "2000000000"], "modulus must be an integer in 2..32,768, got 2000000000"),
    "modulus of a table": (["ls", "ModularArithmetic", "--modulus", "1048576"], "modulus must be an integer in 2..181"),
    "values": (["ls", "FlipFlop", "--num_values", "1000000"], "num_values must be an integer in 2..5,000, got 1000000"),
    "kinds": (
        ["ls", "BoundedDyck", "--num_kinds", "1000000", "--depth", "1000000"],
        "num_kinds must be an integer in 1..1,000, got 1000000",
    ),
    "depth": (["ls", "BoundedDyck", "--num_kinds", "1", "--depth", "1000000"], "depth must be an integer in 1..32,767"),
    "parameters": (
        ["ls", "LSTM", "--hidden_size", "100000"],
        "model LSTM must have at most 536,870,912 parameters, got 80,001,800,005 with 5 tokens",
    ),
    "parameters of many layers": (
        ["check", "GRU", "--model.hidden_size", "30000", *DATA],
        "model GRU must have at most 536,870,912 parameters",
    ),
    "accumulation": (
        [*SEARCH, "--trainer.accumulate_grad_batches", str(2**31)],
        "trainer.accumulate_grad_batches must be an integer in 1..2,147,483,647, got 2147483648",
    ),
    "accumulation of fit": (
        [*FIT, "--trainer.accumulate_grad_batches", "0"],
        "trainer.accumulate_grad_batches must be an integer in 1..2,147,483,647, got 0",
    ),
    "clipping by nan": ([*SEARCH, "--trainer.gradient_clip_val", ".nan"], "trainer.gradient_clip_val must be a number"),
    "clipping by -1": ([*SEARCH, "--trainer.gradient_clip_val", "-1"], "must be null or a finite number of at least 0"),
    "clipping by inf": ([*FIT, "--trainer.gradient_clip_val", ".inf"], "must be null or a finite number of at least 0"),
    "plugins": (
        [*FIT, "--trainer.plugins", "[a]"],
        "trainer.plugins must be the dotted path of a class, a list of such classes or null, got '[a]'",
    ),
    "workers": (
        ["run", "demo", "--workers", "1000000", "--dry_run"],
        "workers must be an integer in 1..1024, got 1000",
    ),
    "no test set": (
        ["test", *MODEL, "--data", "ModularAddition", "--data.modulus", "2", "--data.max_length", "3"],
        "num_train_sequences must be below 11 to leave sequences for a test set, which neither training nor validation "
        "has seen, got 11, the default",
    ),
    "processes": (
        [*SEARCH, "--trainer.devices", "1000000"],
        "trainer.devices must be an integer in -1..1,024, got 1000000",
    ),
    "processes on few cores": (
        [*FIT, "--trainer.accelerator", "cpu", "--trainer.devices", "1000"],
        "trainer.devices must be at most",
    ),
    "machines of fit": ([*FIT, "--trainer.num_nodes", "1000000"], "trainer.num_nodes must be an integer in 1..1,024"),
    "machines": ([*SEARCH, "--trainer.num_nodes", "3"], "trainer.num_nodes must be 1, unless torchrun"),
    "epochs to validation": (
        [*FIT, "--trainer.check_val_every_n_epoch", "0"],
        "trainer.check_val_every_n_epoch must be an integer in 1..2,147,483,647, got 0",
    ),
    "steps to validation": (
        [*FIT, "--trainer.val_check_interval", "1e30"],
        "trainer.val_check_interval must be at most 10, the batches of an epoch",
    ),
    "no steps to validation": ([*FIT, "--trainer.val_check_interval", "0"], "trainer.val_check_interval must be above"),
    "log steps": ([*FIT, "--trainer.log_every_n_steps", "-1"], "trainer.log_every_n_steps must be an integer in 0.."),
    "sanity": ([*FIT, "--trainer.num_sanity_val_steps", "-5"], "trainer.num_sanity_val_steps must be an integer in -1"),
    "batches": (
        [*FIT, "--trainer.limit_val_batches", "1e24"],
        "trainer.limit_val_batches must be a fraction or an integer in 0..2,147,483,647, got 1e+24",
    ),
    "time": ([*FIT, "--trainer.max_time", "99999999999999:00:00:00"], "trainer.max_time must be a time DD:HH:MM:SS"),
    "empty time": ([*FIT, "--trainer.max_time", "{}"], "trainer.max_time must be a time DD:HH:MM:SS"),
    "empty folder": (["report", "--reference", "--out", ""], "out must be a path, and not empty, got ''"),
    "empty store": ([*SEARCH, "--store", ""], "store must be a path, and not empty, got ''"),
    "empty callback": ([*FIT, "--trainer.callbacks", "{}"], "trainer.callbacks must be null, a class derived from"),
    "empty plugin": ([*FIT, "--trainer.plugins", "{}"], "trainer.plugins must be null, a class derived from"),
    "no checkpoint": ([*VALIDATE, "--ckpt_path", "train.pt"], "ckpt_path 'train.pt' does not exist; it must be a"),
    "no last checkpoint": ([*VALIDATE, "--ckpt_path", "last"], "ckpt_path last: there is no last checkpoint available"),
    "no checkpoint of a cluster": ([*FIT, "--ckpt_path", "hpc"], "ckpt_path hpc needs a file hpc_ckpt_*.ckpt in '.'"),
    "callbacks that are no classes": (
        [*FIT, "--trainer.callbacks", "[a]"],
        "trainer.callbacks must be the dotted path of a class, a list of such classes or null, got '[a]'",
    ),
    "logger that is no class": (
        [*FIT, "--trainer.logger", "a"],
        "trainer.logger must be the dotted path of a class, a list of such classes, true or false or null, got 'a'",
    ),
    "option of a callback": (
        [*FIT, "--trainer.callbacks", "EarlyStopping", "--trainer.callbacks.patience", "x"],
        "trainer.callbacks.patience must be an integer, got 'x'",
    ),
    "mixer": (
        ["search", *DATA, "--model", "MixerModel", "--model.mixer", "x"],
        "model.mixer must be the dotted path of a class, got 'x'",
    ),
    "a dot": (["search", "--model", ".", *DATA], "unknown model '.'; known: DeltaNet"),
    "two dots": (["search", *MODEL, "--data", ".."], "unknown data '..'; known: Automaton"),
    "a dot at the end": (["check", "LSTM."], "unknown model 'LSTM.', did you mean 'LSTM'?"),
    "no name": (["check", ""], "unknown model ''; known: DeltaNet"),
    "hidden module": (["score", "test.GRU"], "model 'test.GRU' (read from "),
    "seed": (
        [*FIT, "--seed_everything", "-1"],
        "seed_everything must be true, false or an integer in 0",
    ),
    "best checkpoint": ([*VALIDATE, "--ckpt_path", "best"], "ckpt_path must be a checkpoint's path, last or hpc"),
    "logger without its package": (
        [*FIT, "--trainer.logger", "missing.Logger"],
        "trainer.logger 'missing.Logger' cannot be used: No mod",
    ),
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
    "{axes: {task: FlipFlop}, base: {model: .}}": "unknown model '.'; known: DeltaNet",
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


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"RANK": "abc"}, "the environment variable RANK must be an integer in 0..2,147,483,647, as launchers"),
        ({"LOCAL_RANK": "-1"}, "the environment variable LOCAL_RANK must be an integer in 0..2,147,483,647"),
        ({"WORLD_SIZE": "x"}, "the environment variable WORLD_SIZE must be an integer"),
        ({"MASTER_PORT": "99999"}, "the environment variable MASTER_PORT must be an integer in 0..65,535"),
        ({"TORCHELASTIC_RUN_ID": "x", "RANK": "0"}, "TORCHELASTIC_RUN_ID is set, as by torchrun, but not LOCAL_RANK"),
        (
            {**dict.fromkeys(("TORCHELASTIC_RUN_ID", "RANK", "LOCAL_RANK", "MASTER_ADDR"), "0"), "WORLD_SIZE": "0"},
            "TORCHELASTIC_RUN_ID is set, as by torchrun, but not MASTER_PORT",
        ),
        (
            dict.fromkeys(
                ("TORCHELASTIC_RUN_ID", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE"), "0"
            ),
            "the environment variable RANK must be below WORLD_SIZE, 0, got 0",
        ),
    ],
)
def test_variables_of_launchers(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ib_bench.execution.ranks.PATIENCE_S", 0.0)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    refused(SEARCH, expected, capfd)


@pytest.mark.skipif(lightning.__version__.startswith("2.5"), reason="Lightning 2.5 takes another seed, with a warning")
def test_seed_of_the_surroundings(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PL_GLOBAL_SEED", "abc")
    refused([*FIT, "--seed_everything", "true"], "Invalid seed specified via PL_GLOBAL_SEED: 'abc'", capfd)


def test_mode_of_wandb(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WANDB_MODE", "nope")
    refused(["search", *MODEL, *DATA], "WANDB_MODE must be online, offline or disabled, got 'nope'", capfd)


def test_key_of_wandb(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setattr("ib_bench.tracking.runs.has_api_key", lambda: False)
    refused(["wandb", "sync-store", "--reference", "--wandb.mode", "online"], "needs an API key: run `wandb lo", capfd)


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
    if any(importlib.util.find_spec(name) for name in ("tensorboard", "tensorboardX")):
        pytest.skip("tensorboard is installed")
    refused([*FIT, "--trainer.logger", "TensorBoardLogger"], "tensorboard", capfd)


def test_a_name_that_begins_with_file_is_a_name(working_folder: Path) -> None:
    """SQLite takes it for an address where these are turned on."""
    Store("file:relative.sqlite").close()
    assert [path.name for path in working_folder.glob("*relative*")] == ["file:relative.sqlite"]
    with closing(sqlite3.connect(working_folder / "file:relative.sqlite")) as connection, connection:
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
        ([*SEARCH, "--print_config", "9" * 5000], f"unexpected argument {'9' * 200}..."),
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
