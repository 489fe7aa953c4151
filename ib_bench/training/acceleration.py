"""Whether a grid is trained as one, and whether steps are compiled: what ``auto`` picks, and why.

The factors were measured on CPUs (``ib-bench bench compile vectorize``); no GPU has been measured.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ib_bench.training.fitting import has_plain_steps, is_stackable

_WORTH_COMPILING = ("DenseSSM",)
"""On CPUs these take half the time compiled; the others' time is spent in matrix products, which stay as they are."""

_MIN_COMPILED_STEPS = 20_000
"""Optimizer steps of a size at most, from which on compiling, which takes half a minute, repays itself."""


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
    model: type,
    trainer_arguments: dict[str, Any],
    on_gpu: bool,
    num_steps: int,
    vectorize: bool | str,
    compiles: bool | str,
) -> Acceleration:
    """Decide.

    Args:
        model: class of the architecture.
        trainer_arguments: of the Trainer, those that change results.
        on_gpu: whether trials run on a GPU.
        num_steps: optimizer steps at one size at most: budget times configurations.
        vectorize: the user's choice, true, false or ``auto``.
        compiles: the user's choice, true, false or ``auto``.
    """
    reasons = []
    stackable = is_stackable(model, trainer_arguments)
    stacked = stackable and (on_gpu if vectorize == "auto" else vectorize is True)
    if vectorize == "auto":
        why = "a GPU has room for the whole grid" if stacked else _why_separate(stackable)
        reasons.append(f"search.vectorize auto: {'one stacked training' if stacked else 'separate trials'}, {why}")
    elif vectorize and not stackable:
        reasons.append(f"search.vectorize: separate trials, {_why_separate(stackable)}")
    compilable = has_plain_steps(model, trainer_arguments) and not stacked
    repaid = num_steps >= _MIN_COMPILED_STEPS and (on_gpu or model.__name__ in _WORTH_COMPILING)
    compiled = compilable and (repaid if compiles == "auto" else compiles is True)
    if compiles == "auto":
        reasons.append(f"search.compile auto: {'compiled' if compiled else 'not compiled'}")
    elif compiles and not compiled:
        why = "a stack is not" if stacked else "the model or the Trainer wants to see single steps"
        reasons.append(f"search.compile: not compiled, {why}")
    return Acceleration(stacked, compiled, tuple(reasons))


def _why_separate(stackable: bool) -> str:
    if stackable:
        return "on a CPU a stack trains many configurations where one may do"
    return "the model is not stackable, or the Trainer wants to see single steps"
