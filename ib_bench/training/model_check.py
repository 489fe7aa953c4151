"""The check that a model keeps the contract of :class:`~ib_bench.models.sequence_model.SequenceModel`, before training.

A few rows are enough to see most mistakes: a result that is no tensor of logits, a look at later tokens, parameters
that nothing depends on. A model that looks ahead has seen the answers of chain of thought before it gives them, so its
N* would mean nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from ib_bench.data.searchable_data import SearchableData
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.integrity import Finding
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch
from ib_bench.training.fitting import contained, quiet_trainer, silent
from ib_bench.training.threshold_stopping import VAL_LOSS, missing_loss

CAUSAL = "causal"
"""The check that :attr:`SearchSettings.allow_lookahead` overrules."""

_NUM_ROWS = 8
_TOLERANCE = 1e-4  # relative to the largest logit; kernels round differently for batches of different content
_NUM_NAMED = 4
_MAX_POSITIONS = 2_048  # reading more would take seconds
_SECONDS_OF_STEPS = 0.5


def few_rows(data: SearchableData) -> Batch | None:
    """Some validation sequences; None if the data's batches are of another kind."""
    batch = next(iter(data.val_dataloader()))
    if not isinstance(batch, Batch):
        return None
    return Batch(batch.tokens[:_NUM_ROWS], batch.targets[:_NUM_ROWS])


def model_findings(model: pl.LightningModule, data: SearchableData, num_positions: int = 0) -> list[Finding]:
    """Check a model on a few rows, with one forward and backward pass and some more forward passes.

    Args:
        model: newly built; its gradients are changed. Random numbers are drawn from torch's global generator.
        data: that it is meant for.
        num_positions: of a sequence that it must be able to read; the length of the data's own are always checked.

    Returns:
        A finding for each check, ``ok``, ``warning`` or ``failure``. After a result that is no tensor of logits,
        nothing else is checked. A LightningModule that is no SequenceModel is only checked for parameters, and for
        what it logs.
    """
    if not isinstance(model, SequenceModel):
        return [_parameters(model), _validation(model, data)]
    batch = few_rows(data)
    if batch is None:
        return [_parameters(model)]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            logits, output = _output(model, batch, data.num_classes)
            if logits is None:
                return [output]
            found = [output, _finite(logits), *_same(model, batch, logits)]
            found += [_rows(model, batch, logits), _causal(model, batch, logits, data.vocab_size)]
            found += _positions(model, batch, num_positions)
            found += _packed(model, batch)
        model.train()
        return [*found, _parameters(model), *_gradients(model, batch)]
    finally:
        model.train(was_training)


def state_size(model: SequenceModel, vocab_size: int) -> str:
    """The size of the state that a model carries from token to token, as text.

    Args:
        model: to be asked.
        vocab_size: number of different tokens.
    """
    sizes = state_sizes(model, vocab_size)
    if not sizes:
        return "unknown, as decode reads all tokens again"
    short, long = sizes
    if short == long:
        return f"{short:,} numbers"
    return f"{short:,} numbers after 4 tokens, {long:,} after 8: it grows"


def state_sizes(model: SequenceModel, vocab_size: int) -> list[int]:
    """The number of numbers that a model carries from token to token, by :meth:`SequenceModel.decode`.

    Args:
        model: to be asked.
        vocab_size: number of different tokens.

    Returns:
        After 4 and after 8 tokens; empty where ``decode`` reads all tokens again.
    """
    sizes = []
    with torch.no_grad():
        for length in (4, 8):
            tokens = torch.arange(2 * length, device=model.device).view(2, length) % vocab_size
            state = model.decode(tokens)[1]
            if isinstance(state, Tensor) and state.shape == tokens.shape and torch.equal(state, tokens):
                return []
            of_one = _num_elements(model.decode(tokens[:1])[1])
            sizes.append(_num_elements(state) - of_one)  # data shared by the rows are not part of the state
    return sizes


def num_parameters(model: pl.LightningModule) -> int:
    """The number of trained parameters."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def why_unreadable(model: SequenceModel, tokens: Tensor) -> str | None:
    """The error of a model that cannot read tokens ``(batch, length)``; None if it can."""
    try:
        with torch.no_grad():
            model(tokens)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def milliseconds_per_step(model: SequenceModel, batch: Batch) -> float:
    """Median time of a training step with a batch, on the model's device and on the threads that torch uses."""
    optimizer = model.configure_optimizers()
    model.train()
    times: list[float] = []
    start = perf_counter()
    while len(times) < 3 or perf_counter() - start < _SECONDS_OF_STEPS:
        before = perf_counter()
        optimizer.zero_grad()
        model.loss(batch).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        times.append(perf_counter() - before)
    return 1000 * sorted(times)[len(times) // 2]


def _output(model: SequenceModel, batch: Batch, num_classes: int) -> tuple[Tensor | None, Finding]:
    expected = (*batch.tokens.shape, num_classes)
    wanted = f"a real tensor (batch, length, num_classes), here {expected}"
    try:
        logits: Any = model(batch.tokens)
    except Exception as error:
        text = f"forward raises {type(error).__name__}: {' '.join(str(error).split())}"
        return None, Finding("output", "failure", text)
    if not isinstance(logits, Tensor):
        kind = type(logits).__name__
        return None, Finding("output", "failure", f"forward returns a {kind}, which must be {wanted}")
    if not logits.is_floating_point():
        kind = str(logits.dtype).removeprefix("torch.")
        return None, Finding("output", "failure", f"forward returns numbers of type {kind}, which must be {wanted}")
    if logits.shape != expected:
        shape = tuple(logits.shape)
        return None, Finding("output", "failure", f"forward returns a tensor of shape {shape}, which must be {wanted}")
    return logits, Finding("output", "ok", f"a tensor (batch, length, {num_classes})")


def _finite(logits: Tensor) -> Finding:
    num_bad = int((~logits.isfinite()).sum())
    if num_bad:
        return Finding("finite", "failure", f"{num_bad} of {logits.numel()} logits are not finite")
    return Finding("finite", "ok", "all logits are")


def _differ(one: Tensor, other: Tensor) -> bool:
    return bool(((one - other).abs() > _TOLERANCE * one.abs().max().clamp(min=1)).any())


def _same(model: SequenceModel, batch: Batch, logits: Tensor) -> Iterator[Finding]:
    if _differ(logits, model(batch.tokens)):
        text = "the same tokens give other logits in eval mode; what is random must depend on self.training"
        yield Finding("repeatable", "failure", text)
    else:
        yield Finding("repeatable", "ok", "the same tokens give the same logits in eval mode")


def _rows(model: SequenceModel, batch: Batch, logits: Tensor) -> Finding:
    if _differ(logits[:1], model(batch.tokens[:1])):
        return Finding("rows", "failure", "a sequence's logits depend on the other sequences of its batch")
    return Finding("rows", "ok", "each sequence is read independently")


def _causal(model: SequenceModel, batch: Batch, logits: Tensor, vocab_size: int) -> Finding:
    """Whether logits stay where they are if what comes later changes, padding included."""
    length = batch.tokens.shape[1]
    for end in range(1, length):
        changed = batch.tokens.clone()
        changed[:, end:] = (changed[:, end:] + 1) % vocab_size
        moved = model(changed)[:, :end]
        if _differ(logits[:, :end], moved):
            text = f"it looks ahead: logits up to token {end} change if a later token or the padding does"
            return Finding(CAUSAL, "failure", text)
    return Finding(CAUSAL, "ok", "no logit depends on a later token, or on the padding")


def _positions(model: SequenceModel, batch: Batch, num_positions: int) -> Iterator[Finding]:
    if num_positions <= batch.tokens.shape[1]:
        return
    num = min(num_positions, _MAX_POSITIONS)
    reason = why_unreadable(model, batch.tokens[:1, torch.arange(num) % batch.tokens.shape[1]])
    if reason is not None:
        text = f"a sequence of {num:,} tokens cannot be read, which extrapolation to {num_positions:,} needs ({reason})"
        yield Finding("positions", "warning", text)
    else:
        yield Finding("positions", "ok", f"reads {num:,} tokens")


def _packed(model: SequenceModel, batch: Batch) -> Iterator[Finding]:
    """Whether :meth:`SequenceModel.packed_forward`, where a model offers it, agrees with its ``forward``."""
    if not (vars(type(model)).get("packable", False) and model.packable):
        return
    lengths = 1 + torch.arange(len(batch.tokens)) % batch.tokens.shape[1]  # all different, for any data
    position = torch.arange(batch.tokens.shape[1])
    targets = torch.where(position < lengths[:, None], torch.zeros_like(batch.tokens), IGNORE_INDEX)
    packed = PackedBatch(Batch(batch.tokens, targets))
    expected = model(batch.tokens)[targets != IGNORE_INDEX]
    try:
        logits: Any = model.packed_forward(packed)
    except Exception as error:
        text = f"packed_forward raises {type(error).__name__}: {' '.join(str(error).split())}"
        yield Finding("packed", "failure", text)
        return
    if not isinstance(logits, Tensor) or logits.shape != expected.shape:
        found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        text = f"packed_forward returns {found}, which must be a tensor of shape {tuple(expected.shape)}"
        yield Finding("packed", "failure", text)
    elif _differ(expected, packed.scatter(logits)[targets != IGNORE_INDEX]):
        yield Finding("packed", "failure", "packed_forward and forward give other logits at the same positions")
    else:
        yield Finding("packed", "ok", "packed_forward agrees with forward")


def _parameters(model: pl.LightningModule) -> Finding:
    num = num_parameters(model)
    if num == 0:
        return Finding("parameters", "failure", "there is no parameter to train")
    return Finding("parameters", "ok", f"{num:,} to train")


def _validation(model: pl.LightningModule, data: SearchableData) -> Finding:
    """Whether a LightningModule logs what a trial is judged by; one batch of the validation set shows it."""
    trainer = quiet_trainer(accelerator="cpu", devices=1, limit_val_batches=1)
    try:
        with silent(), contained(trainer):
            trainer.validate(model, datamodule=data, verbose=False)
    except Exception as error:
        text = f"validation raises {type(error).__name__}: {' '.join(str(error).split())}"
        return Finding("validation", "failure", text)
    if VAL_LOSS not in trainer.callback_metrics:
        return Finding("validation", "failure", missing_loss(trainer.callback_metrics))
    return Finding("validation", "ok", f"logs {', '.join(sorted(trainer.callback_metrics))}")


def _gradients(model: SequenceModel, batch: Batch) -> Iterator[Finding]:
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    try:
        loss = model.loss(batch)
    except Exception as error:
        text = f"the loss in training mode raises {type(error).__name__}: {' '.join(str(error).split())}"
        yield Finding("gradients", "failure", text)
        return
    if not loss.requires_grad:
        if trained:
            yield Finding("gradients", "failure", "the loss depends on no parameter")
        return
    model.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    without = [name for name, parameter in trained.items() if parameter.grad is None]
    bad = [name for name, one in trained.items() if one.grad is not None and not one.grad.isfinite().all()]
    model.zero_grad()
    if bad:
        yield Finding("gradients", "failure", f"not finite: {_some(bad)}")
    elif len(without) == len(trained):
        yield Finding("gradients", "failure", "no parameter gets a gradient")
    elif without:
        yield Finding("gradients", "warning", f"none for {_some(without)}, which are never trained")
    else:
        yield Finding("gradients", "ok", "every parameter gets one")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NUM_NAMED} more" if len(names) > _NUM_NAMED else ""
    return ", ".join(names[:_NUM_NAMED]) + more


def _num_elements(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.numel()
    if isinstance(state, dict):
        return sum(map(_num_elements, state.values()))
    if isinstance(state, list | tuple):
        return sum(map(_num_elements, state))
    return 0
