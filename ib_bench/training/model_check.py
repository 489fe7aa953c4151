"""The check that a model keeps the contract of :class:`~ib_bench.models.sequence_model.SequenceModel`, before training.

A few rows are enough to see most mistakes: a result that is no tensor of logits, a look at later tokens, parameters
that nothing depends on. A model that looks ahead has seen the answers of chain of thought before it gives them, so its
N* would mean nothing. Everything is computed on copies, most of it also on copies with other weights
(:mod:`ib_bench.training.disturbed`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from time import perf_counter
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.seed import isolate_rng
from torch import Tensor
from torch.nn.parameter import UninitializedParameter

from ib_bench.data.batches import EvalBatches
from ib_bench.data.searchable_data import SearchableData
from ib_bench.errors import BenchError, reason_of
from ib_bench.models.packing import PackedBatch
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.integrity import Finding
from ib_bench.supervision.supervision import IGNORE_INDEX, Batch
from ib_bench.training.disturbed import Probe, copied, disturbed, dtype_of, probes_of, trainable_copies
from ib_bench.training.fitting import contained, quiet_trainer, silent
from ib_bench.training.gradient_check import gradient_findings, own_names, parameters_finding
from ib_bench.training.threshold_stopping import VAL_LOSS, missing_loss

CAUSAL = "causal"
"""The check that :attr:`SearchSettings.allow_lookahead` overrules."""

_NUM_ROWS = 8
_MAX_BATCHES = 64  # among which the widest is looked for
_NUM_TOKENS = 16  # of a row, after each of which it is looked whether a later one matters
_MAX_POSITIONS_TWICE = 512  # that a copy with other weights reads too
_MAX_POSITIONS = 2_048  # reading more would take seconds
_SECONDS_OF_STEPS = 0.5


def few_rows(data: SearchableData) -> Batch | None:
    """A copy of some validation sequences, as wide as any; None if the data's batches are of another kind."""
    widest: Batch | None = None
    loader = data.val_dataloader()
    for batch in [loader.last()] if isinstance(loader, EvalBatches) else islice(loader, _MAX_BATCHES):
        if not isinstance(batch, Batch):
            return None
        if widest is None or batch.tokens.shape[1] >= widest.tokens.shape[1]:
            widest = batch
    if widest is None:
        return None
    rows = torch.linspace(0, len(widest.tokens) - 1, min(_NUM_ROWS, len(widest.tokens))).long()
    return Batch(widest.tokens[rows], widest.targets[rows])


def model_findings(model: pl.LightningModule, data: SearchableData, num_positions: int = 0) -> list[Finding]:
    """Check a model on a few rows, with some forward and backward passes.

    Args:
        model: newly built; if it can be copied and is a SequenceModel, it is left as it is. So are all global random
            number generators.
        data: that it is meant for.
        num_positions: of a sequence that it must be able to read; the length of the data's own are always checked.

    Returns:
        A finding for each check, ``ok``, ``warning`` or ``failure``. After a result that is no tensor of logits,
        nothing else is checked; after another failure, what means nothing any more is not, and says so. A
        LightningModule that is no SequenceModel is only checked for parameters, and for what it logs.
    """
    with isolate_rng(include_cuda=False):
        if (lazy := _without_size(model)) is not None:
            return [lazy]
        if not isinstance(model, SequenceModel):
            return [parameters_finding(model), _validation(model, data)]
        batch = few_rows(data)
        if batch is None:
            return [parameters_finding(model)]
        was_training = model.training
        try:
            return _contract(model, batch, data, num_positions)
        finally:
            model.train(was_training)


def _contract(model: SequenceModel, batch: Batch, data: SearchableData, num_positions: int) -> list[Finding]:
    another = copied(model)
    own = model if another is None else another
    own.eval()
    with torch.no_grad():
        logits, output = _output(own, batch, data.num_classes, data.vocab_size)
        if logits is None:
            return [output]
        found = [output, _finite(logits)]
        is_finite = found[-1].state == "ok"
        found += _comparisons(model, batch, data.vocab_size, is_finite)
        found += _positions(own, batch, data, num_positions)
    found.append(parameters_finding(own))
    if not is_finite:
        return [*found, _not_checked("gradients", _INFINITE)]
    return [*found, *gradient_findings(own, trainable_copies(model), batch)]


def _without_size(model: pl.LightningModule) -> Finding | None:
    """What is wrong with a model some of whose parameters get their size from the first batch."""
    names = [name for name, one in model.named_parameters() if isinstance(one, UninitializedParameter)]
    if not names:
        return None
    text = f"no size before the first batch: {own_names(model, names)}; use no lazy layers such as nn.LazyLinear"
    return Finding("parameters", "failure", text)


_INFINITE = "logits are not finite"


def _comparisons(model: SequenceModel, batch: Batch, vocab_size: int, is_finite: bool) -> Iterator[Finding]:
    """What is said by comparing logits; one after the other, as each relies on those before."""
    full, batch = batch, Batch(batch.tokens[:, :_NUM_TOKENS], batch.targets[:, :_NUM_TOKENS])
    probes = probes_of(model, batch.tokens) if is_finite else []
    cause = None if is_finite else _INFINITE
    is_packed = bool(vars(type(model)).get("packable", False) and model.packable)
    checks: dict[str, Callable[[], Finding]] = {
        "repeatable": lambda: _same(probes, batch),
        "rows": lambda: _rows(probes, batch),
        CAUSAL: lambda: _causal(probes, full.tokens[-1:, :_MAX_POSITIONS], vocab_size),
    }
    if is_packed:
        checks["packed"] = lambda: _packed(probes, batch)
    for check, examine in checks.items():
        try:
            finding = examine() if cause is None else _not_checked(check, cause)
        except Exception as error:  # of the user's forward, on tokens that it has not seen before
            finding = Finding(check, "failure", f"forward raises {type(error).__name__}: {reason_of(error)}")
        yield finding
        if finding.state == "failure" and check in _RELIED_ON:
            cause = _RELIED_ON[check]


_RELIED_ON = {
    "repeatable": "the same tokens give other logits",
    "rows": "logits depend on the other sequences of a batch",
}
"""Checks without whose success the following ones mean nothing, and how their failure is called there."""


def _not_checked(check: str, cause: str) -> Finding:
    return Finding(check, "warning", f"not checked, as {cause}")


def state_size(model: SequenceModel, vocab_size: int) -> str:
    """The size of the state that a model carries from token to token, as text.

    Args:
        model: to be asked.
        vocab_size: number of different tokens.
    """
    sizes = state_sizes(model, vocab_size)
    if not sizes:
        return "unknown, as the model does not define decode(tokens, state), which reads on from a state"
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


def why_unreadable(model: SequenceModel, tokens: Tensor, num_classes: int, must_be_finite: bool = False) -> str | None:
    """Why a model cannot read tokens ``(batch, length)``; None if it can.

    Args:
        model: in eval mode.
        tokens: int64 ``(batch, length)``.
        num_classes: number of different answers.
        must_be_finite: whether logits have to be; training may change that.
    """
    try:
        with torch.no_grad():
            logits: Any = model(tokens.clone())
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    expected = (*tokens.shape, num_classes)
    if not isinstance(logits, Tensor) or logits.shape != expected:
        found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        return f"forward returns {found}, which must be a tensor of shape {expected}"
    finite = _finite(logits)
    return finite.text if must_be_finite and finite.state != "ok" else None


def looks_ahead_at(model: SequenceModel, tokens: Tensor, vocab_size: int) -> bool:
    """Whether logits of a long sequence change with its later tokens; it is read by two copies with other weights.

    Args:
        model: left as it is, in eval mode.
        tokens: int64 ``(1, length)``, which it can read.
        vocab_size: number of different tokens.
    """
    end = tokens.shape[1] // 2
    changed = torch.cat([tokens[:, :end], (tokens[:, end:] + 1) % vocab_size], dim=1)
    with torch.no_grad():
        for one in (copied(model) or model, *(disturbed(model)[:1] if tokens.numel() <= _MAX_POSITIONS_TWICE else ())):
            probe = Probe(one, dtype_of(one), tokens)
            if probe.logits.isfinite().all() and probe.differ(probe.logits[:, :end], probe(changed)[:, :end]):
                return True
    return False


def may_need_gpu(finding: Finding) -> bool:
    """Whether a failure may be due to the check's device, a CPU, as some kernels run on a GPU alone."""
    if finding.state != "failure" or finding.check not in {"output", "validation"}:
        return False
    raised = re.search(r" raises (\w+)", finding.text)
    return raised is not None and raised[1] not in _MISTAKES


_MISTAKES = {"AttributeError", "ImportError", "IndexError", "KeyError", "ModuleNotFoundError", "NameError", "TypeError"}
"""Errors that no missing device causes."""


def milliseconds_per_step(model: SequenceModel, batch: Batch) -> float:
    """Median time of a training step with a batch, on the model's device and on the threads that torch uses."""
    configured: Any = model.configure_optimizers()
    if isinstance(configured, Mapping):
        configured = configured["optimizer"]
    while isinstance(configured, list | tuple):  # ([optimizer], [scheduler])
        configured = configured[0]
    optimizer: torch.optim.Optimizer = configured
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


def _output(model: SequenceModel, batch: Batch, num_classes: int, vocab_size: int) -> tuple[Tensor | None, Finding]:
    expected = (*batch.tokens.shape, num_classes)
    wanted = f"a real tensor (batch, length, num_classes), here {expected}"
    every = torch.arange(batch.tokens.numel()).view_as(batch.tokens) % vocab_size
    try:
        for tokens in (every, batch.tokens):
            given = tokens.clone()
            logits: Any = model(given)
            if not given.equal(tokens):
                return None, Finding(
                    "output", "failure", "forward changes its input: it must leave the tokens as they are"
                )
    except BenchError as error:
        return None, Finding("output", "failure", str(error))
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


def _same(probes: list[Probe], batch: Batch) -> Finding:
    if any(probe.differ(probe.logits, probe(batch.tokens)) for probe in probes):
        text = "the same tokens give other logits in eval mode; what is random must depend on self.training"
        return Finding("repeatable", "failure", text)
    return Finding("repeatable", "ok", "the same tokens give the same logits in eval mode")


def _rows(probes: list[Probe], batch: Batch) -> Finding:
    alone = [(probe.logits[row], probe(batch.tokens[row])) for probe in probes for row in (slice(1), slice(-1, None))]
    if any(probes[0].differ(together, by_itself) for together, by_itself in alone):
        return Finding("rows", "failure", "a sequence's logits depend on the other sequences of its batch")
    return Finding("rows", "ok", "each sequence is read independently")


def _causal(probes: list[Probe], tokens: Tensor, vocab_size: int) -> Finding:
    """Whether logits stay where they are if what comes later changes, padding included.

    Args:
        probes: of the first tokens of some rows, which are changed after each of them.
        tokens: of one row in full, which is changed and cut off in its middle and before its end.
        vocab_size: number of different tokens.
    """
    tried = [(probe, [*range(1, probe.tokens.shape[1])]) for probe in probes]
    tried += [(probe.on(tokens), _ends(tokens)) for probe in probes[:2]]
    depends = False
    for probe, ends in tried:
        if not probe.logits.isfinite().all():
            continue  # of a disturbed copy, on more tokens than those that it has been tried with
        for end, moved in zip(ends, _moved(probe, ends, vocab_size), strict=True):
            if probe.differ(probe.logits[:, :end], moved[:, :end]):
                text = f"it looks ahead: logits up to token {end} change if a later token or the padding does"
                return Finding(CAUSAL, "failure", text)
            depends = depends or probe.differ(probe.logits, moved)
        for end in _ends(probe.tokens):
            if probe.differ(probe.logits[:, :end], _shorter(probe, end)):
                text = f"it looks ahead: logits up to token {end} change with the number of tokens or padding after it"
                return Finding(CAUSAL, "failure", text)
    if not depends:
        return _not_checked(CAUSAL, "no logit depends on any token but the first")
    return Finding(CAUSAL, "ok", "no logit depends on a later token, or on the padding")


def _ends(tokens: Tensor) -> list[int]:
    """Where rows are cut: in their middle, and before their last token."""
    length = tokens.shape[1]
    return sorted({length // 2, length - 1} - {0})


def _moved(probe: Probe, ends: Sequence[int], vocab_size: int) -> list[Tensor]:
    """Logits with other tokens from each of the ends on; no sequence of one token has an end."""
    if not ends:
        return []
    is_later = torch.arange(probe.tokens.shape[1]) >= torch.tensor(list(ends))[:, None, None]  # (ends, 1, length)
    changed = torch.where(is_later, (probe.tokens + 1) % vocab_size, probe.tokens)
    logits = torch.cat([probe(rows) for rows in torch.split(changed.flatten(0, 1), _NUM_ROWS)])
    return list(logits.view(*changed.shape, -1))


def _shorter(probe: Probe, length: int) -> Tensor:
    """Logits of the first tokens alone; those among all tokens where a model insists on the number of tokens."""
    among_all = probe.logits[:, :length]
    try:
        logits = probe(probe.tokens[:, :length])
    except Exception:
        return among_all
    return logits if logits.shape == among_all.shape else torch.full_like(among_all, torch.nan)


def _positions(model: SequenceModel, batch: Batch, data: SearchableData, num_positions: int) -> Iterator[Finding]:
    if num_positions <= batch.tokens.shape[1]:
        return
    num = min(num_positions, _MAX_POSITIONS)
    tokens = batch.tokens[-1:, torch.arange(num) % batch.tokens.shape[1]]
    reason = why_unreadable(model, tokens, data.num_classes, must_be_finite=True)
    if reason is not None:
        text = f"a sequence of {num:,} tokens cannot be read, which extrapolation to {num_positions:,} needs ({reason})"
        yield Finding("positions", "warning", text)
    elif looks_ahead_at(model, tokens, data.vocab_size):
        yield Finding("positions", "warning", f"it looks ahead in a sequence of {num:,} tokens")
    else:
        yield Finding("positions", "ok", f"reads {num:,} tokens")


def _packed(probes: list[Probe], batch: Batch) -> Finding:
    """Whether :meth:`SequenceModel.packed_forward`, where a model offers it, agrees with its ``forward``."""
    lengths = 1 + torch.arange(len(batch.tokens)) % batch.tokens.shape[1]  # all different, for any data
    position = torch.arange(batch.tokens.shape[1])
    targets = torch.where(position < lengths[:, None], torch.zeros_like(batch.tokens), IGNORE_INDEX)
    packed = PackedBatch(Batch(batch.tokens, targets))
    for probe in probes:
        expected = probe.logits[targets != IGNORE_INDEX]
        try:
            logits = probe.packed(packed)
        except Exception as error:
            text = f"packed_forward raises {type(error).__name__}: {' '.join(str(error).split())}"
            return Finding("packed", "failure", text)
        if not isinstance(logits, Tensor) or logits.shape != expected.shape:
            found = f"shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
            text = f"packed_forward returns {found}, which must be a tensor of shape {tuple(expected.shape)}"
            return Finding("packed", "failure", text)
        if probe.differ(expected, packed.scatter(logits)[targets != IGNORE_INDEX]):
            return Finding("packed", "failure", "packed_forward and forward give other logits at the same positions")
    return Finding("packed", "ok", "packed_forward agrees with forward")


def _validation(model: pl.LightningModule, data: SearchableData) -> Finding:
    """Whether a LightningModule logs what a trial is judged by; one batch of the validation set shows it."""
    with silent():
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


def _num_elements(state: Any) -> int:
    if isinstance(state, Tensor):
        return state.numel()
    if isinstance(state, dict):
        return sum(map(_num_elements, state.values()))
    if isinstance(state, list | tuple):
        return sum(map(_num_elements, state))
    return 0
