"""``ib-bench check``, and what a search refuses before it trains."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ib_bench
from ib_bench.cli import main
from ib_bench.errors import BenchError

MODELS = """
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


def test_a_failure_is_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--model", "checked_models.Bidirectional"]) == 1
    assert "it looks ahead" in capsys.readouterr().out


def test_bad_input_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "checked_models.Missing"]) == 2
    assert "checked_models" in capsys.readouterr().err


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
