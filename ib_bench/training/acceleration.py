"""How training steps are taken, compiled or replayed as a CUDA graph: what ``auto`` picks, and why.

What was measured (``make bench NAMES=compile`` on two cores, ``make gpu`` on an H200, see ``tests/benchmarks``):

- On a GPU the same step as a CUDA graph is 9 to 11 times as fast at width 64, and 1.4 to 7 times at the paper's widths.
  So ``cuda_graph: auto`` replays steps wherever that is possible.
- Compiling repays itself for ``DenseSSM``: 3,840 steps at width 64 on the GPU, 3,120 at the paper's. ``LSTM`` is slower
  compiled, and ``Transformer`` is as fast at width 64. So ``compile: auto`` compiles ``DenseSSM`` alone, and
  nothing that is replayed.
"""

from __future__ import annotations

import os
import shutil
from typing import Any, NamedTuple

import lightning.pytorch as pl

from ib_bench.models.plain_module import TrainableModule
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.training.fitting import has_own_batches, takes_many_steps_at_once

_WORTH_COMPILING = ("DenseSSM",)
"""These take half to three quarters of the time compiled; the others' time is spent elsewhere."""

MIN_COMPILED_STEPS = 20_000
"""Optimizer steps of a size at most, from which on compiling, which takes half a minute, repays itself."""

_TEAM = "as processes may train one model together (trainer.strategy)"
_NOT_OURS = "as the model has a loss, or the data have batches, of their own, or the Trainer acts on single steps"
_GRAPHED = "as steps are replayed as a CUDA graph"


class Acceleration(NamedTuple):
    """The chosen way to take steps.

    Attributes:
        compile: whether steps are compiled.
        cuda_graph: whether steps are replayed as a CUDA graph.
        reasons: what there is to tell the user.
    """

    compile: bool
    cuda_graph: bool
    reasons: tuple[str, ...]


def accelerated(
    model: pl.LightningModule,
    data: object,
    trainer_arguments: dict[str, Any],
    on_gpu: bool,
    num_steps: int,
    compiles: bool | str,
    graphs: bool | str,
    is_team: bool = False,
) -> Acceleration:
    """Decide.

    Args:
        model: one of those that will be trained.
        data: of the kind that it will be trained on.
        trainer_arguments: of the Trainer, those that change results.
        on_gpu: whether trials run on a GPU.
        num_steps: optimizer steps at one size at most: budget times configurations.
        compiles: the user's choice, true, false or ``auto``.
        graphs: the user's choice, true, false or ``auto``.
        is_team: whether processes may train a model together; their steps are taken as they are.
    """
    name = type(model.module if isinstance(model, TrainableModule) else model).__name__
    reasons = []
    unreplayed = _unreplayed(model, data, trainer_arguments, on_gpu, is_team)
    replayable = bool(graphs) and unreplayed is None
    obstacle = _TEAM if is_team else _obstacle(model, data, trainer_arguments, on_gpu)
    if compiles == "auto" and replayable:
        obstacle = obstacle or _GRAPHED
    repaid = num_steps >= MIN_COMPILED_STEPS and name in _WORTH_COMPILING
    compiled = obstacle is None and (repaid if compiles == "auto" else compiles is True)
    if compiles and (compiles == "auto" or not compiled):
        why = obstacle or ("which repays itself" if compiled else "which would not repay itself")
        picked = "compiled" if compiled else "not compiled"
        reasons.append(f"search.compile {_text(compiles)}, {name}: {picked}, {why}")
    replayed = replayable and not compiled
    if graphs and (on_gpu or graphs is True):
        why = unreplayed or ("as steps are compiled" if compiled else "which changes no number")
        picked = "replayed" if replayed else "not replayed"
        reasons.append(f"search.cuda_graph {_text(graphs)}, {name}: {picked}, {why}")
    return Acceleration(compiled, replayed, tuple(reasons))


def graph_obstacle(model: pl.LightningModule, data: object, trainer_arguments: dict[str, Any]) -> str | None:
    """Why no GPU can replay steps as a CUDA graph; None if one can.

    Args:
        model: to be trained.
        data: that it is trained on.
        trainer_arguments: of the Trainer, those that change results.
    """
    if not has_own_batches(data) or not takes_many_steps_at_once(model, trainer_arguments):
        return _NOT_OURS
    if not vars(type(model)).get("capturable", False):
        return "as its class does not say that it is capturable"
    if any(parameter.is_complex() for parameter in model.parameters()):
        return "as it has complex parameters, for which torch's Adam is not capturable"
    watching = sorted(set(trainer_arguments) - {"precision"})
    return f"as trainer.{watching[0]} is set" if watching else None


def _unreplayed(
    model: pl.LightningModule, data: object, trainer_arguments: dict[str, Any], on_gpu: bool, is_team: bool
) -> str | None:
    """Why steps are not replayed; None if they can be."""
    if is_team:
        return _TEAM
    return graph_obstacle(model, data, trainer_arguments) if on_gpu else "as trials do not run on a GPU"


def _obstacle(model: pl.LightningModule, data: object, trainer_arguments: dict[str, Any], on_gpu: bool) -> str | None:
    """Why steps cannot be compiled; None if they can."""
    usual_loss = isinstance(model, SequenceModel) and type(model).loss is SequenceModel.loss
    if not usual_loss or not has_own_batches(data) or not takes_many_steps_at_once(model, trainer_arguments):
        return _NOT_OURS
    if on_gpu and c_compiler() is None:
        return "as there is no C compiler (gcc or clang, or what CC names)"
    if not on_gpu and cpp_compiler() is None:
        return "as there is no C++ compiler (g++ or clang++, or what CXX names)"
    return None


def cpp_compiler() -> str | None:
    """Path of the C++ compiler that compiled steps need on a CPU; None if there is none."""
    return _first_program(os.environ.get("CXX"), "g++", "clang++")


def c_compiler() -> str | None:
    """Path of the C compiler with which Triton builds the launchers of kernels on a GPU; None if there is none."""
    return _first_program(os.environ.get("CC"), "gcc", "clang")


def _first_program(*names: str | None) -> str | None:
    return next(filter(None, map(shutil.which, filter(None, names))), None)


def _text(choice: bool | str) -> str:
    return str(choice).lower()
