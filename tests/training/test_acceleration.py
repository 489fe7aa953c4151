"""What ``auto`` picks, and that options change what a training costs but not what it learns."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import pytest
import torch

from ib_bench import models
from ib_bench.data import ModularAddition
from ib_bench.data.batches import TrainBatches
from ib_bench.models import sequence_model
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.acceleration import accelerated
from ib_bench.training.trial import run_trial


class Derived(models.LSTM):
    """A user's own, which does not say that it is capturable."""


class OwnLoader(ModularAddition):
    """Data with loaders of their own."""

    def train_dataloader(self) -> TrainBatches:
        return super().train_dataloader()


@pytest.mark.parametrize(
    ("model", "on_gpu", "num_steps", "choices", "picked"),
    [
        (models.LSTM, False, 10**6, (False, False), (False, False)),
        (models.LSTM, False, 10**6, ("auto", "auto"), (False, False)),
        (models.LSTM, False, 10**6, (True, True), (True, False)),
        (models.LSTM, True, 10**6, (False, False), (False, False)),
        (models.LSTM, True, 10**6, (False, "auto"), (False, True)),
        (models.LSTM, True, 10**6, ("auto", False), (False, False)),
        (models.Transformer, True, 10**6, ("auto", False), (False, False)),
        (models.DenseSSM, True, 10**6, ("auto", False), (True, False)),
        (models.DenseSSM, True, 10**6, ("auto", "auto"), (False, True)),
        (models.DenseSSM, True, 10**6, (True, "auto"), (True, False)),
        (models.DenseSSM, True, 10**6, (True, True), (True, False)),
        (models.DenseSSM, True, 1000, ("auto", False), (False, False)),
        (models.DenseSSM, False, 10**6, ("auto", "auto"), (True, False)),
        (models.DenseSSM, False, 1000, ("auto", "auto"), (False, False)),
        (models.DenseSSM, False, 1000, (True, "auto"), (True, False)),
        (Derived, True, 10**6, (False, True), (False, False)),
    ],
)
def test_what_is_picked(
    model: type,
    on_gpu: bool,
    num_steps: int,
    choices: tuple[bool | str, bool | str],
    picked: tuple[bool, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("c_compiler", "cpp_compiler"):  # which this machine may lack
        monkeypatch.setattr(f"ib_bench.training.acceleration.{name}", lambda: "/usr/bin/compiler")
    data = ModularAddition(modulus=3, max_length=4)
    built = model(data.vocab_size, data.num_classes, hidden_size=8)
    acceleration = accelerated(built, data, {}, on_gpu, num_steps, *choices)
    assert acceleration[:2] == picked
    compiles, graphs = choices
    told = [compiles == "auto" or (compiles is True and not picked[0]), bool(graphs) and (on_gpu or graphs is True)]
    assert len(acceleration.reasons) == sum(told)
    clipping = accelerated(built, data, {"gradient_clip_val": 1.0}, on_gpu, num_steps, *choices)
    assert clipping[:2] == (False, False)
    in_a_team = accelerated(built, data, {}, on_gpu, num_steps, *choices, is_team=True)
    assert in_a_team[:2] == (False, False)
    assert all("train one model together" in reason for reason in in_a_team.reasons)
    elsewhere = accelerated(built, OwnLoader(modulus=3, max_length=4), {}, on_gpu, num_steps, *choices)
    assert elsewhere[:2] == (False, False)


def test_it_says_why_steps_are_not_replayed() -> None:
    data = ModularAddition(modulus=3, max_length=4)
    model = models.LSTM(data.vocab_size, data.num_classes, hidden_size=8)
    derived = Derived(data.vocab_size, data.num_classes, hidden_size=8)

    def reason(model: models.LSTM, trainer: dict[str, object], on_gpu: bool = True) -> str:
        return accelerated(model, data, trainer, on_gpu, 10, False, True).reasons[0].partition(": ")[2]

    assert reason(model, {"precision": "16-mixed"}) == "replayed, which changes no number"
    assert reason(derived, {}) == "not replayed, as its class does not say that it is capturable"
    assert reason(model, {"deterministic": True}) == "not replayed, as trainer.deterministic is set"
    assert reason(model, {"accumulate_grad_batches": 2}).endswith("the Trainer acts on single steps")
    assert reason(model, {}, on_gpu=False) == "not replayed, as trials do not run on a GPU"


def test_without_a_compiler_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ModularAddition(modulus=3, max_length=4)
    model = models.DenseSSM(data.vocab_size, data.num_classes, hidden_size=8)
    monkeypatch.setenv("PATH", "")
    for variable in ("CC", "CXX"):
        monkeypatch.delenv(variable, raising=False)
    for choice in ("auto", True):
        for on_gpu, compiler in ((False, "C++"), (True, "C")):
            picked = accelerated(model, data, {}, on_gpu, 10**6, choice, False)
            assert not picked.compile and f"there is no {compiler} compiler" in picked.reasons[0]


@pytest.fixture
def config(experiment: Experiment) -> TrialConfig:
    model = ClassSpec("ib_bench.models.DenseSSM", {"hidden_size": 8})
    return TrialConfig(replace(experiment, model=model), 70, 1e-2, 10, 1e-9, 60, 20, 1)


@pytest.mark.system
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # torch's own, while it compiles
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_steps_give_the_same_curve(backend: str, config: TrialConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    monkeypatch.setattr(sequence_model, "_compiled_loss", cache(sequence_model._compiled_loss.__wrapped__))
    plain = run_trial(config)
    compiled = run_trial(replace(config, options={"compile": True}))
    assert compiled.key != plain.key
    assert [step for step, _ in compiled.val_curve] == [20, 40, 60]
    for (_, own), (_, other) in zip(compiled.val_curve, plain.val_curve, strict=True):
        assert own == pytest.approx(other, rel=1e-4)


@pytest.mark.system
def test_the_futility_rule_ends_a_trial_that_stands_still(config: TrialConfig) -> None:
    still = replace(config, learning_rate=1e-12, max_steps=200)
    assert (run_trial(still).status, run_trial(still).num_steps) == ("failed", 200)
    ended = run_trial(replace(still, options={"futility": 0.5}))
    assert (ended.status, ended.num_steps) == ("futile", 100)
