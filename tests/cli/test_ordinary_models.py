"""Models as people write them: on the command line, in suites, from Python; stored so that they are distinguished."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonargparse
import pytest

from ib_bench.cli import main
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

MODELS = """
from collections.abc import Callable
import torch
from lightning.pytorch import LightningModule
from torch import nn
from torch.nn import functional
from ib_bench.models import LSTM
from ib_bench.models.sequence_model import SequenceModel

class Plain(nn.Module):
    def __init__(self, vocab_size, num_classes, width=4, activation=nn.GELU, function=functional.silu, extra=nn.Tanh()):
        super().__init__()
        assert isinstance(extra, nn.Module)
        self.embedding = nn.Embedding(vocab_size, width)
        self.rnn = nn.RNN(width, width, batch_first=True)
        self.head = nn.Sequential(activation(), nn.Linear(width, num_classes))
        self.function = function

    def forward(self, tokens):
        return self.head(self.function(self.rnn(self.embedding(tokens))[0]))

class Passing(LSTM):
    def __init__(self, scale=1, **kwargs):
        super().__init__(**kwargs)

class Hinted(SequenceModel):
    def __init__(
        self, vocab_size: int, num_classes: int, depth: int, activation: Callable = nn.GELU,
        norm: type[nn.Module] = nn.LayerNorm, learning_rate: float = 1e-3,
    ):
        super().__init__(num_classes, learning_rate)
        self.layers = nn.Sequential(nn.Embedding(vocab_size, 4), norm(4), activation(), nn.Linear(4, num_classes))
        self.depth = depth

    def forward(self, tokens):
        return self.layers(tokens)

class Free(Plain):
    def __init__(self, vocab_size, num_classes, **options):
        self.options = dict(options)
        super().__init__(vocab_size, num_classes, options["width"])

class GRU(Plain):
    pass

class Exploding(Plain):
    def __init__(self, vocab_size, num_classes):
        super().__init__(vocab_size, num_classes)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, tokens):
        return super().forward(tokens) * (1 + self.gain / (1 - self.gain.abs().clamp(max=1)))

class Turning(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.factor = nn.Parameter(torch.polar(torch.full((width,), 0.5), torch.arange(width) / width))

    def forward(self, hidden):
        return (hidden * self.factor).real

class Backwards(nn.Linear):
    def __init__(self, width):
        super().__init__(width, width)

    def forward(self, hidden):
        return super().forward(hidden.flip(1))

class Short(Plain):
    def forward(self, tokens):
        if tokens.shape[1] > 8:
            raise ValueError("too long")
        return super().forward(tokens)

class Silent(LightningModule):
    def __init__(self, vocab_size: int, num_classes: int, learning_rate: float = 1e-3):
        super().__init__()
        self.net = Plain(vocab_size, num_classes)

    def training_step(self, batch, batch_idx):
        return functional.cross_entropy(self.net(batch.tokens).mT, batch.targets)

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", self.training_step(batch, batch_idx))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

class Telling(Silent):
    def validation_step(self, batch, batch_idx):
        self.log("val/loss", self.training_step(batch, batch_idx))
"""

OWN_DATA = """
from ib_bench.data import ModularAddition
from ib_bench.data.searchable_data import SearchableData

class Own(SearchableData):
    def __init__(self, num_train_sequences=None, seed=10):
        super().__init__()
        self.inner = ModularAddition(modulus=3, max_length=4, num_train_sequences=num_train_sequences, seed=seed)
        self.vocab_size = self.num_classes = 3
        self.num_positions, self.max_train_sequences = 4, self.inner.max_train_sequences

    def train_dataloader(self):
        return self.inner.train_dataloader()

    def val_dataloader(self):
        return self.inner.val_dataloader()
"""

DATA = ["--data", "ModularAddition", "--data.modulus", "3", "--data.max_length", "4"]
GRID = ["--search.learning_rates", "[0.01]", "--search.seeds", "[10]", "--search.max_steps", "2"]
SEARCH = [*DATA, *GRID, "--search.max_evaluations", "1", "--search.max_size", "8", "--wandb.mode", "disabled"]

OWN = ["--model", "LSTM", "--model.hidden_size", "4", "--data", "own_data.Own", *SEARCH[len(DATA) :]]


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    for name in ("ordinary_models", "others"):
        (tmp_path / f"{name}.py").write_text(MODELS)
    (tmp_path / "own_data.py").write_text(OWN_DATA)
    yield tmp_path
    for name in ("ordinary_models", "others", "own_data"):
        sys.modules.pop(name, None)


def stored_models() -> list[dict[str, object]]:
    with Store(Path("ib_bench.sqlite")) as store:
        return [trial.config.experiment.model.init_args for trial in store.all(TrialRecord)]


@pytest.mark.parametrize(
    ("model", "stored"),
    [
        (["Plain"], {"width": 4, "activation": "torch.nn.GELU", "function": "torch.nn.functional.silu"}),
        (["Plain", "--model.activation", "torch.nn.ReLU"], {"activation": "torch.nn.ReLU"}),
        (["Plain", "--model.function", "torch.tanh"], {"function": "torch.tanh"}),
        (["Passing", "--model.hidden_size", "4"], {"hidden_size": 4, "scale": 1}),
        (
            ["Hinted", "--model.depth", "2", "--model.norm", "torch.nn.RMSNorm"],
            {"norm": "torch.nn.RMSNorm", "depth": 2},
        ),
        (["Hinted", "--model.depth", "2", "--model.activation", "torch.nn.ReLU"], {"activation": "torch.nn.ReLU"}),
        (["Free", "--model.width", "4", "--model.deep.er", "[1]"], {"width": 4, "deep": {"er": [1]}}),
        (["Telling"], {}),
    ],
)
def test_a_search_builds_them_and_stores_what_they_are(model: list[str], stored: dict[str, object]) -> None:
    assert main(["search", "--model", f"ordinary_models.{model[0]}", *model[1:], *SEARCH]) == 0
    (init_args,) = stored_models()
    assert init_args.items() >= stored.items()
    json.dumps(init_args)


def test_other_arguments_are_other_results() -> None:
    for activation in ("torch.nn.GELU", "torch.nn.ReLU", "torch.nn.GELU"):
        assert main(["search", "--model", "ordinary_models.Plain", "--model.activation", activation, *SEARCH]) == 0
    assert len(stored_models()) == 2


def test_complex_parameters_are_trained(capsys: pytest.CaptureFixture[str]) -> None:
    mixer = ["--model", "MixerModel", "--model.mixer", "ordinary_models.Turning", "--model.hidden_size", "4"]
    assert main(["search", *mixer, *SEARCH]) == 0
    assert main(["check", *mixer[1:]]) == 0
    assert "unknown, as the model does not define decode(tokens, state)" in capsys.readouterr().out


def test_plain_modules_fit_and_are_read_again() -> None:
    steps = ["--trainer.max_steps", "2", "--trainer.logger", "false", "--data.num_train_sequences", "8"]
    arguments = ["--model", "ordinary_models.Plain", "--model.width", "3", *DATA, *steps]
    assert main(["fit", *arguments]) == 0
    (checkpoint,) = Path("checkpoints").iterdir()
    assert main(["validate", *arguments, "--ckpt_path", str(checkpoint)]) == 0


def test_the_config_of_a_user_is_never_overwritten() -> None:
    text = "model: {class_path: LSTM, init_args: {hidden_size: 3}}\ndata: {class_path: ModularAddition}\n"
    Path("config.yaml").write_text(text)
    command = ["fit", "-c", "config.yaml", "--trainer.logger", "false", "--trainer.max_steps", "1"]
    for number in (1, 2):
        assert main([*command, "--trainer.enable_checkpointing", "false"]) == 0
        assert Path("config.yaml").read_text() == text
        assert "hidden_size: 3" in Path(f"config_{number}.yaml").read_text()


@pytest.mark.parametrize("command", ["search", "curve", "run"])
def test_all_commands_take_them(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    if command == "run":
        experiment = "data: {class_path: ModularAddition, init_args: {modulus: 3, max_length: 4}}"
        grid = "search: {learning_rates: [0.01], seeds: [1], max_steps: 2, max_size: 8, max_evaluations: 1}"
        models = "[ordinary_models.GRU, GRU, others.GRU]"
        Path("suite.yaml").write_text(f"base:\n  {experiment}\n  {grid}\naxes:\n  model: {models}\n")
        arguments = ["suite.yaml", "--executor", "inline", "--wandb.mode", "disabled"]
        assert main(["run", *arguments, "--axes.model", "[others.GRU,GRU]"]) == 0
        out = capsys.readouterr().out
        assert "others.GRU" in out and "ordinary_models.GRU" not in out
        assert main(["run", *arguments]) == 0
        assert main(["results", "--format", "csv"]) == 0
        lines = capsys.readouterr().out.splitlines()[-3:]
        assert {line.split(",")[1] for line in lines} == {"GRU", "others.GRU", "ordinary_models.GRU"}
        return
    trials = ["--curve.max_trials", "1"] if command == "curve" else []
    assert main([command, "--model", "ordinary_models.Plain", *SEARCH, *trials]) == 0


def test_a_name_that_is_shipped_means_the_shipped_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--model", "ordinary_models.GRU", *SEARCH]) == 0
    assert main(["search", "--model", "GRU", "--model.hidden_size", "4", *SEARCH]) == 0
    assert {len(arguments) for arguments in stored_models()} == {1, 3}
    with pytest.raises(SystemExit):
        main(["search", "--help"])
    listed = capsys.readouterr().out
    assert "ib_bench.models.GRU" in listed and "ResidualModel" not in listed and "TorchRecurrence" not in listed


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["search", "--model", "ordinary_models.Hinted", *SEARCH], ["model Hinted needs --model.depth"]),
        (["search", "--model", "MixerModel", *SEARCH], ["model MixerModel needs --model.mixer"]),
        (["search", "--model", "ordinary_models.Passing", "--model.width", "3", *SEARCH], ["Passing has no 'width'"]),
        (["search", "--model", "ordinary_models.Silent", *SEARCH], ["must log val/loss", "it logs val_loss"]),
        (["search", "--model", "MixerModel", "--model.mixer", "ordinary_models.Backwards", *SEARCH], ["looks ahead"]),
        (["sharing", *OWN], ["sharing sets lengths", "max_length", "own_data.Own"]),
        (["extrapolate", *OWN], ["extrapolation needs a task's data", "own_data.Own"]),
        (["search", "--optimizer", "SGD", *SEARCH], ["--optimizer", "configure_optimizers", "search.learning_rates"]),
        (["fit", "--lr_scheduler.gamma", "1"], ["--lr_scheduler.gamma", "configure_optimizers"]),
        (
            ["extrapolate", "--model", "ordinary_models.Telling", *SEARCH],
            ["asks for logits", "models.Telling"],
        ),
        (
            ["extrapolate", "--model", "ordinary_models.Short", *SEARCH],
            ["cannot read the 64 tokens of sequences of length 64", "ValueError: too long"],
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(
    arguments: list[str], texts: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert all(text in line for text in texts), line
    assert not Path("ib_bench.sqlite").exists()


def test_help_after_the_class_is_that_of_the_class(capsys: pytest.CaptureFixture[str]) -> None:
    helps = []
    for arguments in (["--model", "LSTM", "--model.help"], ["--model=LSTM", "--model.help"], ["--model.help", "LSTM"]):
        with pytest.raises(SystemExit):
            main(["search", *arguments])
        helps.append(capsys.readouterr().out)
    assert helps[0] == helps[1] == helps[2] and "--model.num_layers" in helps[0]


def test_help_says_any_type_where_there_is_no_type_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["search", "--model.help", "ordinary_models.Plain"])
    text = " ".join(capsys.readouterr().out.split())
    assert "Untyped" not in text
    assert "--model.vocab_size VOCAB_SIZE (type: Any" in text
    guessed = "Any" if jsonargparse.__version__.startswith("4.51.") else "int"  # from the default
    assert f"--model.width WIDTH (type: {guessed}, default: 4)" in text


def test_diverged_trials_and_stored_answers_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    search = ["search", "--model", "ordinary_models.Exploding", *SEARCH, "--search.learning_rates", "[10.0, 20.0]"]
    for number in (1, 2):
        assert main(search) == 0
        captured = capsys.readouterr()
        assert "all 2 trials at 8 diverged: try smaller learning rates" in captured.out
        assert ("the result comes from the store" in captured.err) is (number == 2)
    assert main(["results"]) == 0
    assert "all 2 trials at 8 diverged" in capsys.readouterr().out
    curve = ["--curve.max_trials", "1", "--curve.pilot_trials", "1"]
    assert main(["curve", *search[1:], *curve]) == 0
    assert "diverged: try smaller learning rates" in capsys.readouterr().out


@pytest.mark.parametrize("rest", [["-3"], ["--nope"], ["--model.hidden_size", "4"], ["--data", "ModularAddition"]])
def test_help_of_a_class_ends_the_command_line(rest: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    for asked in (["--model.help", "LSTM"], ["--model.help=LSTM"], ["--model", "LSTM", "--model.help"]):
        with pytest.raises(SystemExit) as end:
            main(["search", *asked, *rest])
        assert not end.value.code
        assert "--model.num_layers" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["search", "--model.help", "LSTN"], "unknown model 'LSTN', did you mean 'LSTM'?"),
        (["search", "--model.help", "os.path.join"], "'os.path.join'"),
        (["fit", "--trainer.logger.help", "nope"], "trainer.logger must be the dotted path of a class, got 'nope'"),
    ],
)
def test_help_of_no_class_is_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(arguments)
    err = capsys.readouterr().err
    assert status == 2 and sentence in err and len(err.splitlines()) == 1, err
