"""A handful of validation curves, as they were: a change to what a trial computes fails here.

Processors of one architecture choose their kernels by what they can do, so the last digits of golden losses are not
held; those of a repetition in one process are. Under another version of torch the curves are others. To renew them:

    .venv/bin/python -m tests.training.test_golden_losses
"""

from __future__ import annotations

import json
import platform
from importlib.metadata import requires
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ib_bench.results.identity import PROTOCOL_VERSION, Json
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.trial import run_trial

GOLDEN = Path(__file__).with_name("golden_losses.json")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
MODELS = {
    "Transformer": {"hidden_size": 16, "num_heads": 2, "num_layers": 1},
    "LSTM": {"hidden_size": 16},
    "DenseSSM": {"hidden_size": 16},
}
SUPERVISIONS = ("outcome", "chain_of_thought", "aligned_chain_of_thought")
TRIALS = [f"{model}, {supervision}" for model in MODELS for supervision in SUPERVISIONS]


def belonging() -> Json:
    """What golden losses belong to."""
    torch_version = torch.__version__.partition("+")[0]
    return {"torch": torch_version, "processor": platform.machine(), "protocol": PROTOCOL_VERSION}


def losses(trial: str) -> list[float | None]:
    """Of a tiny trial, after 10, 20, 30 and 40 steps."""
    model, supervision = trial.split(", ")
    data = {"modulus": 3, "supervision": supervision, "length_distribution": "uniform", "max_length": 4}
    experiment = Experiment(
        model=ClassSpec(f"ib_bench.models.{model}", MODELS[model]),
        data=DataSpec("ib_bench.data.ModularAddition", {**data, "batch_size": 16}),
        trainer={"accelerator": "cpu"},
    )
    config = TrialConfig(experiment, 64, 3e-3, 10, 1e-4, max_steps=40, val_check_interval=10, num_threads=1)
    return [loss for _, loss in run_trial(config).val_curve]


def pins() -> dict[str, str]:
    """The version of every package that CI installs in this Python."""
    lines = [line for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    pinned = [pin for pin in map(Requirement, lines) if pin.marker is None or pin.marker.evaluate()]
    assert all(len(pin.specifier) == 1 for pin in pinned)
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in pinned}


def test_every_requirement_has_a_pin_that_it_allows() -> None:
    found, wanted = pins(), [Requirement(text) for text in requires("ib_bench") or []]
    assert [str(own) for own in wanted if not own.specifier.contains(found.get(canonicalize_name(own.name), "0"))] == []


def test_golden_losses_are_of_what_ci_installs() -> None:
    """Elsewhere the tests below are skipped, which must not happen everywhere."""
    of = json.loads(GOLDEN.read_text())["of"]
    assert (of["torch"], of["protocol"]) == (pins()["torch"], PROTOCOL_VERSION)


@pytest.mark.system
@pytest.mark.processor
@pytest.mark.parametrize("trial", TRIALS)
def test_golden_losses(trial: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    if golden["of"] != belonging():
        pytest.skip(f"golden losses are of {golden['of']}, this is {belonging()}; the module's docstring renews them")
    first = losses(trial)
    assert len(first) == 4
    assert first == pytest.approx(golden["losses"][trial], rel=1e-4)
    assert losses(trial) == first


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps({"of": belonging(), "losses": {trial: losses(trial) for trial in TRIALS}}, indent=1))
