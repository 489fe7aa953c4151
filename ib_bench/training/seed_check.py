"""Whether a model's randomness comes from the generators that a trial seeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.integrity import Finding
from ib_bench.supervision.supervision import Batch
from ib_bench.training.global_state import fresh_global_state

_CHECK = "seeds"

_SEEDS = (0, 0, 1)

_TOLERANCE = 1e-5  # of a loss: sums over threads may be taken in another order


def seeding_finding(build: Callable[[], pl.LightningModule], batch: Batch | None) -> Finding:
    """Whether a seed decides how a model is initialised, and what it draws in training; it is built three times.

    Args:
        build: makes a model; global random number generators are as in a trial.
        batch: on which the loss of a SequenceModel is computed in training mode; None for no loss.
    """
    contents: list[dict[str, Any]] = []
    generators: list[Tensor] = []
    for seed in _SEEDS:
        with fresh_global_state(seed, torch.get_num_threads()):
            model = build()
            generators.append(torch.get_rng_state())
            contents.append({**model.state_dict(), **_loss(model, batch)})
    if generators[0].equal(generators[2]):
        text = "the constructor seeds torch's generator, so that every trial draws the same; leave that to the trial"
        return Finding(_CHECK, "warning", text)
    one, other = contents[:2]
    differing = [name for name in one if name not in other or not _equal(one[name], other[name])]
    if differing:
        name = differing[0].removeprefix("module.")  # of what a plain nn.Module is wrapped in
        text = (
            f"built twice with one seed, {name} differs: draw only from torch's global generator, which a trial seeds"
        )
        return Finding(_CHECK, "failure", text)
    return Finding(_CHECK, "ok", "the same seed gives the same model")


def _loss(model: pl.LightningModule, batch: Batch | None) -> dict[str, Tensor]:
    if batch is None or not isinstance(model, SequenceModel):
        return {}
    try:
        with torch.no_grad():
            loss = model.train().loss(Batch(batch.tokens.clone(), batch.targets.clone()))
    except Exception:  # which the check of gradients speaks of
        return {}
    return {"the loss in training mode": loss}


def _equal(one: Any, other: Any) -> bool:
    if not (isinstance(one, Tensor) and isinstance(other, Tensor)):
        return True  # what a model adds to its state by itself
    close = one.shape == other.shape and one.dtype == other.dtype
    return close and torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
