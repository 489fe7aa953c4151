"""Whether training can move a model's parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import lightning.pytorch as pl
from torch import Tensor

from ib_bench.models.plain_module import TrainableModule
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.integrity import Finding
from ib_bench.supervision.supervision import Batch
from ib_bench.training.disturbed import default_dtype, dtype_of

_NUM_NAMED = 4


def num_parameters(model: pl.LightningModule) -> int:
    """The number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def parameters_finding(model: pl.LightningModule) -> Finding:
    """Whether there is something to train."""
    num = num_parameters(model)
    if num == 0:
        return Finding("parameters", "failure", "there is no parameter to train")
    return Finding("parameters", "ok", f"{num:,} to train")


def gradient_findings(model: SequenceModel, others: Iterable[SequenceModel], batch: Batch) -> Iterator[Finding]:
    """Whether each parameter gets a gradient that is not zero, on the model or on a copy with other weights.

    Args:
        model: its gradients are changed.
        others: copies with other weights, read as far as needed; what fails on these only is no fault.
        batch: to be learned.
    """
    model.train()
    given = Batch(batch.tokens.clone(), batch.targets.clone())
    try:
        loss = model.loss(given)
    except Exception as error:
        text = f"the loss in training mode raises {type(error).__name__}: {' '.join(str(error).split())}"
        yield Finding("gradients", "failure", text)
        return
    if not (given.tokens.equal(batch.tokens) and given.targets.equal(batch.targets)):
        yield Finding("gradients", "failure", "the loss changes its input in training mode")
        return
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if not loss.requires_grad:
        if trained:
            yield Finding("gradients", "failure", "the loss depends on no parameter")
        return
    gradients = _gradients(model, loss)
    bad = [name for name, gradient in gradients.items() if not gradient.isfinite().all()]
    if bad:
        yield Finding("gradients", "failure", f"not finite: {own_names(model, bad)}")
        return
    moved = {name for name, gradient in gradients.items() if gradient.any()}
    remaining = iter(others)
    while len(moved) < len(trained) and (other := next(remaining, None)) is not None:
        moved |= _moved(other, batch)
    without = [name for name in trained if name not in moved]
    if len(without) == len(trained):
        yield Finding("gradients", "failure", "no parameter gets a gradient other than zero")
    elif without:
        yield Finding("gradients", "warning", f"none but zero for {own_names(model, without)}, which are never trained")
    else:
        yield Finding("gradients", "ok", "every parameter gets one")


def _gradients(model: SequenceModel, loss: Tensor) -> dict[str, Tensor]:
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    found = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
    model.zero_grad()
    return found


def _moved(model: SequenceModel, batch: Batch) -> set[str]:
    model.train()
    try:
        with default_dtype(dtype_of(model)):
            loss = model.loss(Batch(batch.tokens.clone(), batch.targets.clone()))
            gradients = _gradients(model, loss)
    except Exception:  # disturbed weights may be ones that training never reaches
        return set()
    return {name for name, gradient in gradients.items() if gradient.isfinite().all() and gradient.any()}


def own_names(model: pl.LightningModule, names: list[str]) -> str:
    """Some names of parameters, as the user's own class has them."""
    wrapper = "module." if isinstance(model, TrainableModule) else ""
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(name.removeprefix(wrapper) for name in names[:_NUM_NAMED]) + more
