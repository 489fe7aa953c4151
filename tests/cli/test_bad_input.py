"""Bad input: one sentence that names the option, the value and what is allowed; exit code 2; nothing written."""

from __future__ import annotations

import os
import pathlib
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
import torch

from ib_bench import results
from ib_bench.cli import main
from ib_bench.results.database import SCHEMA_VERSION
from ib_bench.results.store import Store

SHIPPED = Path(results.__file__).parent
MODEL = ["--model", "LSTM", "--model.hidden_size", "4"]
DATA = ["--data", "ModularAddition", "--data.max_length", "4"]
QUIET = ["--wandb.mode", "disabled", "--search.max_steps", "2", "--search.max_size", "4"]

CASES = {
    "command": (["serch"], ["unknown command 'serch'", "did you mean 'search'"]),
    "option": (
        ["search", *MODEL, *DATA, "--search.treshold", "1"],
        ["--search.treshold", "did you mean '--search.thr"],
    ),
    "option of results": (["results", "--formt", "csv"], ["--formt", "did you mean '--format'"]),
    "format": (["results", "--format", "xml"], ["format must be one of table, csv, json, got 'xml'"]),
    "model": (["search", "--model", "LSTN", *DATA], ["unknown model 'LSTN'", "did you mean 'LSTM'", "Transformer"]),
    "model of fit": (["fit", "--model", "LSTN", *DATA], ["unknown model 'LSTN'", "did you mean 'LSTM'"]),
    "model option": (
        ["search", "--model", "LSTM", "--model.hiden_size", "4", *DATA],
        ["model.hiden_size", "did you mean 'hidden_size'"],
    ),
    "model's module": (
        ["search", "--model", "nowhere.GRU", *DATA],
        ["model 'nowhere.GRU' cannot be used", "No module named 'nowhere'"],
    ),
    "not a model": (
        ["search", "--model", "pathlib.Path", *DATA],
        ["model 'pathlib.Path' (read from ", f"{pathlib.__file__}) cannot be used: it is no nn.Module"],
    ),
    "no model": (["search", *DATA], ["required", "model"]),
    "task": (["search", *MODEL, "--data", "ModularAdition"], ["unknown data 'ModularAdition'", "'ModularAddition'"]),
    "supervision": (
        ["search", *MODEL, *DATA, "--data.supervision", "outcom"],
        ["unknown supervision 'outcom'", "did you mean 'outcome'"],
    ),
    "modulus": (["search", *MODEL, *DATA, "--data.modulus", "1"], ["modulus must be", "in 2..32,768, got 1"]),
    "modulus of fit": (["fit", *MODEL, *DATA, "--data.modulus", "1"], ["modulus must be", "in 2..32,768, got 1"]),
    "no number": (["search", *MODEL, *DATA, "--data.modulus", "x"], ["data.modulus must be an integer, got 'x'"]),
    "max_length": (["search", *MODEL, *DATA, "--data.max_length", "1"], ["max_length must be", "got 1"]),
    "size": (["fit", *MODEL, *DATA, "--data.num_train_sequences", "0"], ["num_train_sequences must be", "got 0"]),
    "size beyond the pool": (
        ["fit", *MODEL, *DATA, "--data.num_train_sequences", "1000000"],
        ["num_train_sequences must be at most 620", "got 1,000,000"],
    ),
    "max_size": (["search", *MODEL, *DATA, "--search.max_size", "-1"], ["search.max_size must be", "got -1"]),
    "threshold": (["search", *MODEL, *DATA, "--search.threshold", "0"], ["search.threshold must be", "got 0.0"]),
    "neither model nor data": (["search"], ["required: --data, --model; `ib-bench ls` lists"]),
    "no model to fit": (["fit"], ["required: --data, --model; `ib-bench ls` lists"]),
    "no list": (["search", *MODEL, *DATA, "--search.seeds", "3"], ["search.seeds must be a list such as '[1, 2]'"]),
    "no run twice": (["run", "demo", "--dry_run", "--fast_dev_run"], ["fast_dev_run must be left out with --dry_run"]),
    "empty grid": (["search", *MODEL, *DATA, "--search.seeds", "[]"], ["search.seeds must be a list of at least one"]),
    "midpoint": (
        ["search", *MODEL, *DATA, "--search.midpoint", "middle"],
        ["search.midpoint must be one of arithmetic, geometric, got 'middle'"],
    ),
    "spread": (
        ["search", *MODEL, *DATA, "--search.spread", "0"],
        ["search.spread must be an integer in 1..1024, got 0"],
    ),
    "executor": (["run", "demo", "--executor", "dask"], ["executor must be one of inline, processes, ray, slurm"]),
    "workers of another executor": (
        ["run", "demo", "--executor", "inline", "--workers", "2"],
        ["--workers only applies to --executor processes (got --executor inline)"],
    ),
    "options of another executor": (
        ["run", "demo", "--ray.num_gpus", "0.5"],
        ["ray.* options only apply to --executor ray (got --executor processes)"],
    ),
    "collect": (
        ["run", "demo", "--collect"],
        ["--collect only applies to --executor slurm (got --executor processes)"],
    ),
    "ray.num_cpus": (["run", "demo", "--executor", "ray", "--ray.num_cpus", "0"], ["ray.num_cpus must be", "above 0"]),
    "ray.address": (
        ["run", "demo", "--executor", "ray", "--ray.address", "127.0.0.1:9"],
        ["ray.address must be that of a running Ray cluster, got '127.0.0.1:9'"],
    ),
    "slurm.folder": (
        ["run", "demo", "--executor", "slurm", "--slurm.folder", "twice.yaml"],
        ["slurm.folder must be a folder that can be written, got 'twice.yaml'"],
    ),
    "slurm.timeout_min": (
        ["run", "demo", "--executor", "slurm", "--slurm.timeout_min", "0"],
        ["slurm.timeout_min must be an integer of at least 1, got 0"],
    ),
    "log_file that is the store": (
        ["search", *MODEL, *DATA, "--store", "a.sqlite", "--log_file", "a.sqlite-wal"],
        ["log_file must be another file than the store, got 'a.sqlite-wal'"],
    ),
    "part of a second GPU": (
        ["run", "demo", "--executor", "ray", "--ray.num_gpus", "1.5"],
        ["ray.num_gpus must be in 0..1, or a whole number, got 1.5"],
    ),
    "ray.num_gpus": (
        ["run", "demo", "--executor", "ray", "--ray.num_gpus", "1000"],
        ["ray.num_gpus must be at most", "what this machine has, got 1000"],
    ),
    "ray.address without a port": (
        ["run", "demo", "--executor", "ray", "--ray.address", "localhost"],
        ["ray.address must be that of a running Ray cluster, got 'localhost'"],
    ),
    "spread side by side": (
        ["run", "spread.yaml", "--workers", "2"],
        ["search.spread must be 1 where several searches run side by side", "--executor inline", "got 4"],
    ),
    "log_file": (
        ["search", *MODEL, *DATA, "--log_file", "no/such/folder/log"],
        ["log_file must be a file that can be written, got 'no/such/folder/log'"],
    ),
    "futility": (["search", *MODEL, *DATA, "--search.futility", "1.5"], ["search.futility must be", "(0, 1), got 1.5"]),
    "cuda_graph": (
        ["search", *MODEL, *DATA, "--search.cuda_graph", "maybe"],
        ["search.cuda_graph must be", "got 'maybe'"],
    ),
    "what the search sets": (
        ["search", *MODEL, *DATA, "--trainer.max_steps", "5"],
        ["trainer.max_steps", "use search.max_steps"],
    ),
    "learning rate": (
        ["search", *MODEL, *DATA, "--model.learning_rate", "0.5"],
        ["model.learning_rate", "use search.learning_rates"],
    ),
    "vocabulary": (["search", *MODEL, *DATA, "--model.vocab_size", "3"], ["model.vocab_size", "taken from the data"]),
    "heads": (
        ["search", "--model", "Transformer", "--model.num_heads", "7", *DATA],
        ["num_heads must be a divisor of hidden_size"],
    ),
    "distribution of sharing": (
        ["sharing", *MODEL, *DATA, "--data.length_distribution", "fixed"],
        ["data.length_distribution must be uniform", "got 'fixed'"],
    ),
    "multiple": (
        ["extrapolate", *MODEL, *DATA, "--extrapolation.multiples", "[0.5]"],
        ["extrapolation.multiples must be", "1..16, got [0.5]"],
    ),
    "nothing to hold out": (
        ["fit", *MODEL, *DATA, "--data.modulus", "2", "--data.max_length", "2"],
        ["max_length must be larger", "only 4 sequences"],
    ),
    "width": (["search", *DATA, "--model", "LSTM", "--model.hidden_size", "0"], ["hidden_size must be", "got 0"]),
    "layers": (["fit", *DATA, "--model", "Transformer", "--model.num_layers", "0"], ["num_layers must be", "got 0"]),
    "infinite rate": (["search", *MODEL, *DATA, "--search.learning_rates", "[.inf]"], ["learning_rates", "finite"]),
    "length": (["search", *MODEL, *DATA, "--data.max_length", "40000"], ["max_length must be an integer in 2..2047"]),
    "accelerator": (["search", *MODEL, *DATA, "--trainer.accelerator", "tpu"], ["leave trainer.accelerator out"]),
    "accelerator of fit": (["fit", *MODEL, *DATA, "--trainer.accelerator", "tpu"], ["Lightning's Trainer refuses"]),
    "devices": (["search", *MODEL, *DATA, "--trainer.devices", "0"], ["trainer.devices '0'"]),
    "several devices for many searches": (
        ["sharing", *MODEL, *DATA, "--trainer.accelerator", "cpu", "--trainer.devices", "2"],
        ["trainer.devices", "must be 1 where searches run side by side", "got 2", "use --workers"],
    ),
    "strategy": (
        ["search", *MODEL, *DATA, "--trainer.strategy", "fsdp"],
        ["trainer.strategy must be one of auto, ddp,", "got 'fsdp'"],
    ),
    "two who share out batches": (
        ["fit", *MODEL, *DATA, "--trainer.use_distributed_sampler", "true"],
        ["trainer.use_distributed_sampler must be false for a SequenceModel", "got True"],
    ),
    "accumulation": (
        ["search", *MODEL, *DATA, "--trainer.accumulate_grad_batches", "0"],
        ["trainer.accumulate_grad_batches must be", "got 0"],
    ),
    "callbacks": (
        ["search", *MODEL, *DATA, "--trainer.callbacks", "LearningRateMonitor"],
        ["unknown option --trainer.callbacks; --trainer takes accelerator, strategy, devices,"],
    ),
    "precision": (
        ["search", *MODEL, *DATA, "--trainer.precision", "7"],
        ["trainer.precision must be one of trans", "'7'"],
    ),
    "abbreviation": (
        ["search", *MODEL, *DATA, "--trainer.max_step", "5"],
        ["unknown option --trainer.max_step; a search sets --trainer.max_steps itself, use search.max_steps"],
    ),
    "abbreviation, of fit": (
        ["fit", *MODEL, *DATA, "--trainer.max_step", "5"],
        ["unknown option --trainer.max_step, did you mean '--trainer.max_steps'?"],
    ),
    "the search's logger": (
        ["search", *MODEL, *DATA, "--trainer.logger", "true"],
        ["unknown option --trainer.logger; a search sets --trainer.logger itself, use wandb.mode"],
    ),
    "an option of earlier versions": (
        ["search", *MODEL, *DATA, "--search.start", "64"],
        ["unknown option --search.start; --search takes learning_rates, seeds, threshold,"],
    ),
    "section": (
        ["search", *MODEL, *DATA, "--serch.seeds", "[1]"],
        ["unknown option --serch.seeds, did you mean '--search.seeds'?"],
    ),
    "suite with a Trainer option that is none of a search": (
        ["run", "callbacks.yaml"],
        ["unknown option --trainer.callbacks; --trainer takes accelerator, strategy, devices,"],
    ),
    "nothing to test on": (
        ["test", *MODEL, *DATA],
        ["num_train_sequences must be below 620 to leave sequences for a test set", "got 620"],
    ),
    "checkpoint": (["test", *MODEL, *DATA, "--ckpt_path", "no.ckpt"], ["ckpt_path 'no.ckpt' does not exist"]),
    "not a regime": (
        ["search", *MODEL, *DATA, "--data.supervision", "os.path.join"],
        ["supervision 'os.path.join' (read from", "must be the dotted path of a Supervision"],
    ),
    "a regime that cannot be imported": (
        ["search", *MODEL, *DATA, "--data.supervision", "nowhere.Regime"],
        ["supervision 'nowhere.Regime' cannot be imported", "No module named 'nowhere'"],
    ),
    "abstract model": (
        ["search", *DATA, "--model", "ib_bench.models.sequence_model.SequenceModel"],
        ["SequenceModel' (read from", "abstract"],
    ),
    "model that raises": (["search", *DATA, "--model", "raising.Raises"], ["raising.Raises cannot be built", "boom"]),
    "data that is not ours": (
        ["fit", *MODEL, "--data", "lightning.pytorch.demos.boring_classes.BoringDataModule"],
        ["must have the attributes vocab_size"],
    ),
    "no data": (["fit", *MODEL], ["required", "data"]),
    "config in one word": (["search", "--config=broken.yaml"], ["config broken.yaml is not valid YAML"]),
    "suite without a task": (["run", "no_task.yaml"], ["either axes.task or base.data.class_path must be given"]),
    "suite with a list of arguments": (["run", "list.yaml"], ["base.data.init_args must be a mapping"]),
    "section without options": (["search", "-c", "empty.yaml"], ["search must be a section with options", "got None"]),
    "suite with a value twice": (["run", "twice.yaml"], ["axes.modulus must hold no value twice", "[3, 3]"]),
    "config that is not there": (["search", "--config", "nowhere.yaml"], ["config", "nowhere.yaml"]),
    "config that is none": (["search", "--config", "broken.yaml"], ["broken.yaml", "YAML"]),
    "config with an unknown key": (["search", "--config", "unknown.yaml"], ["foo"]),
    "config that is no text": (["search", "--config", "binary.yaml"], ["binary.yaml", "is not valid YAML"]),
    "config that is no text, of fit": (["fit", "--config", "binary.yaml"], ["binary.yaml", "is not valid YAML"]),
    "config that is a list": (["search", "--config", "items.yaml"], ["items.yaml", "must be a mapping", "- 1"]),
    "config that is empty": (["search", "--config", "nothing.yaml"], ["nothing.yaml", "must be a mapping", "nothing"]),
    "config that is missing": (["search", "--config", "missing.yaml"], ["missing.yaml", "does not exist"]),
    "checkpoint that is none": (
        ["test", *MODEL, *DATA, "--ckpt_path", "binary.yaml"],
        ["ckpt_path", "binary.yaml", "cannot load a checkpoint from"],
    ),
    "checkpoint of another model": (
        ["validate", *MODEL, *DATA, "--ckpt_path", "other.ckpt"],
        ["ckpt_path", "other.ckpt", "belongs to another model"],
    ),
    "checkpoint that runs code": (
        ["fit", *MODEL, *DATA, "--ckpt_path", "code.ckpt"],
        ["ckpt_path 'code.ckpt' holds more than weights and plain data", "may run any code", "--weights_only false"],
    ),
    "batches to overfit": (
        ["fit", *MODEL, *DATA, "--trainer.overfit_batches", "2"],
        ["trainer.overfit_batches must be 0", "data.num_train_sequences makes a small one", "got 2"],
    ),
    "suite without a cell": (
        ["run", "small", "--axes.quantity", "sharing", "--axes.length_distribution", "fixed"],
        ["suite 'small': no combination of values can be measured: sharing needs others on the other axes"],
    ),
    "folder of fit": (
        ["fit", *MODEL, *DATA, "--trainer.default_root_dir", "broken.yaml/inside"],
        ["trainer.default_root_dir", "broken.yaml/inside", "a folder that can be written"],
    ),
    "model without validation": (
        ["search", "--model", "unvalidated.Unvalidated", *DATA],
        ["unvalidated.Unvalidated", "must define validation_step"],
    ),
    "project": (["search", *MODEL, *DATA, "--wandb.project", "a/b"], ["wandb.project", "without any of", "'a/b'"]),
    "tags": (["search", *MODEL, *DATA, "--wandb.tags", '[""]'], ["wandb.tags", "1 to 64 characters"]),
    "suite": (["run", "dmo"], ["unknown suite 'dmo'", "did you mean 'demo'"]),
    "suite that is none": (["run", "broken.yaml"], ["broken.yaml", "is not valid YAML"]),
    "suite without axes": (["run", "unknown.yaml"], ["unknown.yaml", "base and axes"]),
    "suite with a bad cell": (["run", "bad_suite.yaml"], ["modulus must be", "got 1"]),
    "suite with a bad axis": (["run", "bad_axis.yaml"], ["modulos", "did you mean 'modulus'"]),
    "workers": (["run", "demo", "--workers", "0"], ["workers must be", "got 0"]),
    "figures": (
        ["run", "demo", "--figures", "broken.yaml/figures"],
        ["figures must be a folder that can be written, got 'broken.yaml/figures'"],
    ),
    "no store": (["results", "--store", "nowhere.sqlite"], ["nowhere.sqlite", "does not exist"]),
    "store without its option": (
        ["store", "check", "own.sqlite"],
        ["unexpected argument own.sqlite; a store is named by --store own.sqlite"],
    ),
    "results of an archive": (
        ["results", "--store", str(SHIPPED / "study.jsonl.gz")],
        ["study.jsonl.gz' is named as an archive", "ib-bench store merge new.sqlite"],
    ),
    "store that is none": (["results", "--store", "broken.yaml"], ["broken.yaml", "not a database"]),
    "search into what is no store": (["search", *MODEL, *DATA, "--store", "broken.yaml"], ["not a database"]),
    "store of another version": (["search", *MODEL, *DATA, "--store", "old.sqlite"], ["schema version", "--store"]),
    "folder that cannot be written": (
        ["search", *MODEL, *DATA, "--store", "broken.yaml/store.sqlite"],
        ["broken.yaml/store.sqlite", "cannot be used"],
    ),
    "search of trials": (["trials", "--store", "empty.sqlite", "--search", "abc"], ["--search", "'abc'"]),
}


UNVALIDATED_MODEL = """
from ib_bench.models import LSTM
from lightning.pytorch import LightningModule


class Unvalidated(LightningModule):
    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3):
        super().__init__()

    def training_step(self, batch, batch_idx):
        return batch

    def configure_optimizers(self):
        return None
"""

RAISING_MODEL = """
from ib_bench.models import LSTM


class Raises(LSTM):
    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3):
        raise KeyError("boom")
"""


class MakesFolder:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("code was run",)


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "broken.yaml").write_text("a: [1, 2\nb: }")
    (tmp_path / "unknown.yaml").write_text("foo: 3\n")
    suite = "base:\n  data: {class_path: ModularAddition}\n  model: LSTM\naxes:\n  "
    (tmp_path / "bad_suite.yaml").write_text(suite + "modulus: [5, 1]\n")
    (tmp_path / "bad_axis.yaml").write_text(suite + "modulos: [5]\n")
    (tmp_path / "empty.yaml").write_text("model: LSTM\ndata: ModularAddition\nsearch:\n")
    (tmp_path / "twice.yaml").write_text(suite + "modulus: [3, 3]\n")
    spread = "base: {data: {class_path: ModularAddition}, model: LSTM, search: {spread: 4}}\naxes: {modulus: [3]}\n"
    (tmp_path / "spread.yaml").write_text(spread)
    trainer = (
        "base: {data: {class_path: ModularAddition}, model: LSTM, trainer: {callbacks: []}}\naxes: {modulus: [3]}\n"
    )
    (tmp_path / "callbacks.yaml").write_text(trainer)
    (tmp_path / "no_task.yaml").write_text("base: {model: LSTM}\naxes: {modulus: [3]}\n")
    (tmp_path / "list.yaml").write_text("base: {data: {class_path: ModularAddition, init_args: [1]}}\naxes: {}\n")
    (tmp_path / "raising.py").write_text(RAISING_MODEL)
    (tmp_path / "unvalidated.py").write_text(UNVALIDATED_MODEL)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "items.yaml").write_text("- 1\n")
    (tmp_path / "nothing.yaml").write_text("")
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, tmp_path / "other.ckpt")
    torch.save({"state_dict": {"weight": torch.zeros(2)}, "more": MakesFolder()}, tmp_path / "code.ckpt")
    Store(tmp_path / "empty.sqlite").close()
    Store(tmp_path / "old.sqlite").close()
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as connection, connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_one_sentence(name: str, working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments, expected = CASES[name]
    if arguments[0] in ("search", "run") and name != "workers":
        arguments = [*arguments, *QUIET[:2]] if arguments[0] == "run" else [arguments[0], *QUIET, *arguments[1:]]
    before = contents(working_folder)
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("ib-bench")
    for text in expected:
        assert text in err, err
    assert contents(working_folder) == before
    assert not Path("code was run").exists()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
