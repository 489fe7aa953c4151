"""A user's mixer, from the command line's string to a trained model."""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from own_mixers import RunningMean
from torch import Tensor, nn

from ib_bench.cli import main
from ib_bench.data import ModularAddition
from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.models import MixerModel, mixer_model
from ib_bench.models.min_gru import MinGRUMixer
from ib_bench.models.mixer import StepMixer
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.instantiation import identifying_spec, instantiate_model
from ib_bench.training.model_check import model_findings
from ib_bench.training.sources import source_digests
from ib_bench.training.trial import train_trial

SPEC = ClassSpec(
    "ib_bench.models.MixerModel",
    {"mixer": "own_mixers.RunningMean", "mixer_arguments": {"num_powers": 2}, "hidden_size": 8, "num_layers": 3},
)
TOKENS = torch.randint(5, (2, 6), generator=torch.Generator().manual_seed(0))


def test_a_class_is_named_by_its_path() -> None:
    model = instantiate_model(SPEC, ModularAddition(modulus=5, max_length=4))
    assert [type(block.mixer) for block in model.blocks] == [RunningMean] * 3
    assert len(model.blocks[0].mixer.layers) == 2
    assert "mixer" not in model.hparams and model.hparams["num_layers"] == 3
    copy = pickle.loads(pickle.dumps(model))
    assert torch.equal(copy(TOKENS), model(TOKENS))


def test_the_key_covers_the_mixer_and_its_code() -> None:
    assert source_digests(SPEC).keys() == {"own_mixers.RunningMean"}
    arguments = {**SPEC.init_args, "mixer_arguments": None, "num_layers": 2}
    kept = identifying_spec(ClassSpec(SPEC.class_path, arguments)).init_args
    assert kept == {"mixer": "own_mixers.RunningMean", "hidden_size": 8}


def test_the_scaffold_of_the_docstring() -> None:
    model = MixerModel(5, 3, RunningMean, hidden_size=8, num_layers=2)
    hidden = model.embedding(TOKENS)
    for block in model.blocks:
        hidden = hidden + block.mixer(block.mixer_norm(hidden))
        hidden = hidden + block.mlp(hidden)
    torch.testing.assert_close(model(TOKENS), model.head(model.norm(hidden)))
    assert MixerModel(5, 3, RunningMean, mlp_factor=0).blocks[0].mlp is None


def test_only_mixers_of_the_suite_are_read_on_from_a_state() -> None:
    carrying, rereading = (MixerModel(5, 3, mixer, hidden_size=8) for mixer in (MinGRUMixer, RunningMean))
    (state, _), tokens = carrying.decode(TOKENS)[1], rereading.decode(TOKENS)[1]
    assert isinstance(state, Tensor) and state.shape == (2, 8)
    assert torch.equal(tokens, TOKENS)
    assert "packable" not in vars(MixerModel)  # a mixer that looks ahead would see another thing than in forward


def test_the_example_of_the_readme_passes_all_checks() -> None:
    readme = Path(mixer_model.__file__).with_name("README.md").read_text(encoding="utf-8")
    example: dict[str, Any] = {}
    exec(readme.partition("# my_mixers.py\n")[2].partition("```")[0], example)
    data = ModularAddition(modulus=5, max_length=4)
    model = MixerModel(data.vocab_size, data.num_classes, example["Mine"], {"num_groups": 4}, hidden_size=8)
    assert {finding.state for finding in model_findings(model, data, data.num_positions)} == {"ok"}


def test_bad_sizes() -> None:
    for option in ("hidden_size", "num_layers"):
        with pytest.raises(InvalidOptionError, match=f"{option} must be an integer of at least 1, got -2"):
            MixerModel(5, 3, RunningMean, **{option: -2})


class Changed(nn.Module):
    """Returns something else than what it is given."""

    def __init__(self, width: int, change: Callable[[Tensor], Any] = lambda hidden: hidden) -> None:
        super().__init__()
        self.change = change

    def forward(self, hidden: Tensor) -> Any:
        return self.change(hidden)


class Widthless(nn.Module):
    def __init__(self) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda hidden: (hidden, None), "a tuple"),
        (lambda hidden: hidden[..., :1], r"shape \(8, \d, 1\)"),  # which would be broadcast
        (lambda hidden: torch.cat([hidden, hidden], dim=-1), r"shape \(8, \d, 16\)"),
        (lambda hidden: hidden[:, -1], r"shape \(8, 8\)"),
    ],
)
def test_what_a_mixer_must_return_is_one_sentence(change: Callable[[Tensor], Any], text: str) -> None:
    data = ModularAddition(modulus=5, max_length=4)
    model = MixerModel(data.vocab_size, data.num_classes, Changed, {"change": change}, hidden_size=8)
    (finding,) = model_findings(model, data)
    sentence = rf"mixer Changed returns {text} instead of a tensor of shape \(8, \d, 8\): a mixer is built as .*"
    assert re.fullmatch(sentence + r"maps \(batch, length, width\) -> same", finding.text), finding.text


@pytest.mark.parametrize(("mixer", "arguments"), [(Widthless, {}), (RunningMean, {"powers": 2}), (Widthless, {"a": 1})])
def test_what_a_mixer_is_built_with_is_one_sentence(mixer: type[nn.Module], arguments: dict[str, int]) -> None:
    with pytest.raises(
        BenchError, match=rf"{mixer.__name__}\(8.*\) cannot be built .*\(batch, length, width\) -> same"
    ):
        MixerModel(5, 3, mixer, arguments, hidden_size=8)


def test_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    named = ["MixerModel", "--model.mixer", "own_mixers.RunningMean", "--model.mixer_arguments.num_powers", "3"]
    assert main(["check", *named, "--model.hidden_size", "8", "--format", "json"]) == 0
    assert {finding["state"] for finding in json.loads(capsys.readouterr().out)} == {"ok"}
    assert main(["check", "MixerModel", "--model.mixer", "own_mixers.Missing"]) == 2
    assert "Missing" in capsys.readouterr().err


@pytest.mark.system
def test_it_is_trained_as_any_model() -> None:
    data = DataSpec("ib_bench.data.ModularAddition", {"modulus": 2, "max_length": 3, "supervision": "outcome"})
    record = train_trial(TrialConfig(Experiment(SPEC, data), 8, 0.01, 1, 1e-9, 20, 10, 1)).record
    assert record.num_steps == 20


class Narrow(StepMixer):
    """Returns one channel, which would be broadcast."""

    projects_words = True

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def project(self, hidden: Tensor) -> tuple[Tensor, ...]:
        return (hidden * self.weight,)

    def initial_state(self, num_rows: int, like: Tensor) -> tuple[Tensor, ...]:
        return (like.new_zeros(num_rows, 1),)

    def step(self, inputs: tuple[Tensor, ...], state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        return state[0] + inputs[0][:, :1], state


@pytest.mark.parametrize("read", [lambda model: model(TOKENS), lambda model: model.decode(TOKENS)])
def test_a_mixer_is_held_to_the_shape_however_it_is_called(read: Callable[[MixerModel], Any]) -> None:
    with pytest.raises(BenchError, match=r"mixer Narrow returns shape \(2, 6, 1\) instead of"):
        read(MixerModel(5, 3, Narrow, hidden_size=8, num_layers=1))
