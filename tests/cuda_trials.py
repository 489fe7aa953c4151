"""Small trials for the tests marked ``gpu``, and what their worker processes do."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import distributed

from ib_bench.execution.devices import visible_gpus
from ib_bench.execution.executor import Emit
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.trial import run_trial

SIZES: dict[str, Json] = {
    "LSTM": {"hidden_size": 32},
    "DenseSSM": {"hidden_size": 16},
    "Transformer": {"hidden_size": 32, "num_layers": 2, "num_heads": 2, "dropout": 0.0},
}
"""Of the paper's architectures, which are trained."""

SHELF: dict[str, Json] = {
    name: {"hidden_size": 16}
    for name in ("DeltaNet", "GRU", "Hybrid", "Mamba2", "MinGRU", "PDSSM", "RNN", "RWKV7", "SDSSM", "SLiCE", "SLSTM")
}
"""Of the others, of which loss and gradients are compared; a test sees to it that none is missing."""

NOT_COMPARED = {"MixerModel", "Majority", "Oracle", "TabularLearner"}
"""What needs a mixer of one's own, and yardsticks that are not trained by gradients of a network."""

WEIGHTS_IN_PIECES = "error:RNN module weights are not part of single contiguous chunk"
"""For pytest: of all warnings of libraries on an unknown machine, this one shows a fault of this package."""

PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")

Curve = list[tuple[int, float | None]]


def small_trial(
    model: str,
    precision: str = "32-true",
    num_steps: int = 60,
    data: Json | None = None,
    sizes: Json | None = None,
    **settings: Any,
) -> TrialConfig:
    """A trial that validates three times.

    Args:
        model: name of a shipped class.
        precision: of the Trainer.
        num_steps: optimizer steps, a multiple of 3.
        data: init arguments that replace those of the data.
        sizes: init arguments that replace those of the model.
        settings: further fields of the config.
    """
    arguments = {"modulus": 3, "max_length": 5, "batch_size": 16, **(data or {})}
    trainer = {} if precision == "32-true" else {"precision": precision}
    experiment = Experiment(
        ClassSpec(f"ib_bench.models.{model}", {**{**SIZES, **SHELF}[model], **(sizes or {})}),
        DataSpec("ib_bench.data.ModularAddition", arguments),
        trainer,
    )
    fields = {"num_train_sequences": 100, "threshold": 1e-9, "val_check_interval": num_steps // 3, **settings}
    return TrialConfig(experiment, learning_rate=3e-3, seed=10, max_steps=num_steps, num_threads=1, **fields)


def curve_of(item: tuple[TrialConfig, str], emit: Emit) -> Curve:
    """Train; what a worker is asked to do."""
    config, accelerator = item
    return run_trial(config, {"accelerator": accelerator}).val_curve


def curve_in_a_group(item: tuple[TrialConfig, str], emit: Emit) -> tuple[Curve, str]:
    """Train as a group of one process; also the name of what connects it."""
    config, accelerator = item
    placement = {"accelerator": accelerator, "strategy": "ddp", "devices": 1}
    curve = run_trial(config, placement).val_curve
    backend: str = distributed.get_backend()
    return curve, backend


def what_is_visible(_: int, emit: Emit) -> tuple[str | None, int, list[str]]:
    """The variable, how many GPUs torch counts, and how this package names them."""
    return os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count(), visible_gpus()
