"""``ib-bench check``, and what a search refuses before it trains."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ib_bench
from ib_bench.cli import main
from ib_bench.data import ModularAddition
from ib_bench.errors import BenchError
from ib_bench.results.records import ClassSpec
from ib_bench.runner.desk import _check_model

MODELS = """
import torch
from lightning.pytorch import LightningModule
from torch import nn
from ib_bench.models.sequence_model import SequenceModel

class GRU(SequenceModel):
    both = False

    def __init__(self, vocab_size: int, num_classes: int, hidden_size: int = 8, learning_rate: float = 1e-3):
        super().__init__(num_classes, learning_rate)
        self.embedding = nn.Embedding(vocab_size, hidden_size)
        self.gru = nn.GRU(hidden_size, hidden_size, batch_first=True, bidirectional=self.both)
        self.head = nn.Linear(hidden_size * (1 + self.both), num_classes)

    def forward(self, tokens):
        return self.head(self.gru(self.embedding(tokens))[0])

class Bidirectional(GRU):
    both = True

class Positional(GRU):
    def __init__(self, vocab_size, num_classes, /, learning_rate=1e-3):
        super().__init__(vocab_size, num_classes)

class Names(nn.Module):
    def __init__(self, num_tokens, num_outputs):
        super().__init__()

class Untuned(LightningModule):
    def __init__(self, vocab_size: int, num_classes: int):
        super().__init__()
        self.layer = nn.Linear(vocab_size, num_classes)

    def training_step(self, batch, batch_idx):
        return self.layer.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.layer.weight.sum())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

class Tuned(Untuned):
    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3):
        super().__init__(vocab_size, num_classes)

class Wide(GRU):
    def forward(self, tokens):
        logits = super().forward(tokens)
        return logits.flip(1) if tokens.shape[1] > 16 else logits

class Reading(GRU):
    def __init__(self, vocab_size: int, num_classes: int, file: str = "gain.txt", learning_rate: float = 1e-3):
        super().__init__(vocab_size, num_classes, 8, learning_rate)
        self.files = [file]

class Scheduled(GRU):
    def configure_optimizers(self):
        optimizer = super().configure_optimizers()
        return [optimizer], [torch.optim.lr_scheduler.ConstantLR(optimizer)]

class Planned(GRU):
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=1 / self.trainer.max_steps)

    def decode(self, tokens, state=None):
        if tokens.shape[1] < 6:
            raise ValueError("it reads at least 6 tokens")
        return super().decode(tokens, state)

class OnGPU(GRU):
    def forward(self, tokens):
        raise AssertionError("its kernel needs CUDA")

class Pair(GRU):
    def forward(self, tokens):
        return super().forward(tokens), None
"""

SEARCH = [
    *("--data", "ModularAddition", "--data.modulus", "3", "--data.max_length", "4"),
    *("--search.learning_rates", "[0.01]", "--search.seeds", "[10]", "--search.max_steps", "2"),
    *("--search.max_evaluations", "1", "--search.max_size", "64", "--wandb.mode", "disabled"),
]


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    (tmp_path / "checked_models.py").write_text(MODELS)
    yield tmp_path
    sys.modules.pop("checked_models", None)


def test_a_list_of_checks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "checked_models.GRU", "--model.hidden_size", "4", "--format", "json"]) == 0
    findings = {finding["check"]: finding for finding in json.loads(capsys.readouterr().out)}
    assert {finding["state"] for finding in findings.values()} == {"ok"}
    assert findings["parameters"]["text"] == "165 to train"
    assert {"output", "causal", "gradients", "positions", "state", "step"} <= findings.keys()


def test_what_only_a_trainer_has_is_not_measured() -> None:
    """An optimizer with a schedule is one like others; what asks for more costs that line, and no traceback."""
    assert {finding.state for finding in ib_bench.check("checked_models.Scheduled")} == {"ok"}
    found = {finding.check: finding for finding in ib_bench.check("checked_models.Planned")}
    assert {name for name, finding in found.items() if finding.state != "ok"} == {"state", "step"}
    assert found["state"].text == "not measured, ValueError: it reads at least 6 tokens"
    assert found["step"].text.startswith("not measured, RuntimeError: ")


def test_what_a_cpu_cannot_run_is_measured_unchecked_on_a_gpu() -> None:
    model, data = ClassSpec("checked_models.OnGPU"), ModularAddition(modulus=3, max_length=4)
    with pytest.raises(BenchError, match="output: forward raises AssertionError: its kernel needs CUDA"):
        _check_model(model, data, allow_lookahead=False, on_gpu=False)
    assert not _check_model(model, data, allow_lookahead=False, on_gpu=True).looks_ahead
    with pytest.raises(BenchError, match="forward returns a tuple"):
        _check_model(ClassSpec("checked_models.Pair"), data, allow_lookahead=False, on_gpu=True)


def test_a_failure_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--model", "checked_models.Bidirectional"]) == 1
    assert "it looks ahead" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("Missing", "checked_models"),
        ("Positional", "must take vocab_size, num_classes by name: remove the / from its __init__"),
        (
            "Names",
            "needs --model.num_tokens and --model.num_outputs, which have no default; what is filled in from the",
        ),
        ("Untuned", "must take the parameters learning_rate in its __init__"),
    ],
)
def test_bad_input_is_a_sentence(model: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", f"checked_models.{model}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert text in line


@pytest.mark.parametrize(
    ("model", "status", "err"),
    [
        ("checked_models.Tuned", 0, ""),  # Lightning prints nothing
        ("nested_models.Outer.Inner", 2, "a class must be defined at the top level of its module\n"),
    ],
)
def test_in_a_process_of_its_own(model: str, status: int, err: str, own_models: Path) -> None:
    nested = "from ib_bench.models import LSTM\nclass Outer:\n    class Inner(LSTM): pass\n"
    (own_models / "nested_models.py").write_text(nested)
    script = "import sys; sys.path.append('.'); from ib_bench.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", script, "check", model], capture_output=True, text=True, check=False)
    assert done.returncode == status and done.stderr.endswith(err) and len(done.stderr.splitlines()) == bool(err)


def test_extrapolation_looks_for_a_look_ahead_at_its_longest_length(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extrapolate", "--model", "checked_models.Wide", *SEARCH]) == 2
    assert "looks ahead in sequences of length 64, which extrapolation.multiples asks for" in capsys.readouterr().err


@pytest.mark.system
def test_the_files_of_a_model_are_part_of_its_key(own_models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("1", "2", "2"):
        (own_models / "gain.txt").write_text(text)
        assert main(["search", "--model", "checked_models.Reading", *SEARCH]) == 0
    capsys.readouterr()
    assert main(["results", "--format", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2


def test_from_python() -> None:
    assert {finding.state for finding in ib_bench.check("checked_models.GRU")} == {"ok"}
    data = {"class_path": "ModularAddition", "init_args": {"modulus": 2, "max_length": 3}}
    (finding,) = ib_bench.check({"class_path": "checked_models.Pair"}, data)
    assert finding.text.startswith("forward returns a tuple")
    with pytest.raises(BenchError, match="Nothing"):
        ib_bench.check("Nothing")


@pytest.mark.parametrize(
    ("model", "text"),
    [("Pair", "model checked_models.Pair: output: forward returns a tuple"), ("Bidirectional", "looks ahead")],
)
def test_a_search_refuses_it_and_writes_nothing(
    model: str, text: str, own_models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["search", "--model", f"checked_models.{model}", *SEARCH]) == 2
    error = capsys.readouterr().err
    assert text in error and "Traceback" not in error
    assert not list(own_models.glob("*.sqlite*"))


@pytest.mark.system
def test_a_look_ahead_is_measured_where_it_is_asked_for_and_named(capsys: pytest.CaptureFixture[str]) -> None:
    search = ["search", "--model", "checked_models.Bidirectional", *SEARCH, "--search.allow_lookahead", "true"]
    assert main([*search, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "checked_models.Bidirectional (looks ahead)"
    assert main(["results", "--format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["model"] == "checked_models.Bidirectional (looks ahead)"
