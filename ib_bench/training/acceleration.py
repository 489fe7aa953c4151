"""Whether a grid is trained as one, and whether steps are compiled: what ``auto`` picks, and why.

The factors were measured on CPUs (``make bench NAMES="compile vectorize"``); no GPU has been measured. ``make gpu`` is
to decide there:

- ``vectorize`` stays for an architecture if, at width 64, its row "15 configurations one by one against stacked" is at
  least 8x, and the row "processes against stacked" at least 1x. An architecture that misses either is no longer
  ``stackable``. If all miss, the option goes.
- ``compile: auto`` compiles on a GPU those architectures whose row "steps after which compiling has repaid itself" is
  at most :data:`MIN_COMPILED_STEPS`.
"""

from __future__ import annotations

import os
import shutil
from typing import Any, NamedTuple

import lightning.pytorch as pl

from ib_bench.models.sequence_model import SequenceModel
from ib_bench.training.fitting import has_own_batches, is_stackable, takes_many_steps_at_once

_WORTH_COMPILING = ("DenseSSM",)
"""On CPUs these take half the time compiled; the others' time is spent in matrix products, which stay as they are."""

MIN_COMPILED_STEPS = 20_000
"""Optimizer steps of a size at most, from which on compiling, which takes half a minute, repays itself."""

_TEAM = "as several processes train one model"


class Acceleration(NamedTuple):
    """What was picked.

    Attributes:
        vectorize: whether the grid of a size is trained as one.
        compile: whether steps are compiled.
        reasons: what there is to tell the user.
    """

    vectorize: bool
    compile: bool
    reasons: tuple[str, ...]


def accelerated(
    model: pl.LightningModule,
    data: object,
    trainer_arguments: dict[str, Any],
    on_gpu: bool,
    num_steps: int,
    vectorize: bool | str,
    compiles: bool | str,
    is_team: bool = False,
) -> Acceleration:
    """Decide.

    Args:
        model: one of those that will be trained.
        data: of the kind that it will be trained on.
        trainer_arguments: of the Trainer, those that change results.
        on_gpu: whether trials run on a GPU.
        num_steps: optimizer steps at one size at most: budget times configurations.
        vectorize: the user's choice, true, false or ``auto``.
        compiles: the user's choice, true, false or ``auto``.
        is_team: whether several processes train one model; they train configurations apart and uncompiled.
    """
    name, reasons = type(model).__name__, []
    stackable = bool(vectorize) and not is_team and has_own_batches(data) and is_stackable(model, trainer_arguments)
    stacked = stackable and (on_gpu if vectorize == "auto" else vectorize is True)
    if vectorize == "auto" or (vectorize and not stackable):
        picked = "one stacked training" if stacked else "separate trials"
        reasons.append(f"search.vectorize {_text(vectorize)}, {name}: {picked}, {_why(stacked, stackable, is_team)}")
    obstacle = _TEAM if is_team else _obstacle(model, data, trainer_arguments, stacked, on_gpu)
    repaid = num_steps >= MIN_COMPILED_STEPS and (on_gpu or name in _WORTH_COMPILING)
    compiled = obstacle is None and (repaid if compiles == "auto" else compiles is True)
    if compiles and (compiles == "auto" or not compiled):
        why = obstacle or ("which repays itself" if compiled else "which would not repay itself")
        picked = "compiled" if compiled else "not compiled"
        reasons.append(f"search.compile {_text(compiles)}, {name}: {picked}, {why}")
    return Acceleration(stacked, compiled, tuple(reasons))


def _why(stacked: bool, stackable: bool, is_team: bool) -> str:
    if is_team:
        return _TEAM
    if stacked:
        return "as a GPU has room for the whole grid"
    if stackable:
        return "as on a CPU a stack trains many configurations where one may do"
    return "as the model is not stackable, the data are not ours, or the Trainer wants to see single steps"


def _obstacle(
    model: pl.LightningModule, data: object, trainer_arguments: dict[str, Any], stacked: bool, on_gpu: bool
) -> str | None:
    """Why steps cannot be compiled; None if they can."""
    if stacked:
        return "as a stack is not"
    usual_loss = isinstance(model, SequenceModel) and type(model).loss is SequenceModel.loss
    if not usual_loss or not has_own_batches(data) or not takes_many_steps_at_once(model, trainer_arguments):
        return "as the model or the data are not of our kind, or the Trainer wants to see single steps"
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
