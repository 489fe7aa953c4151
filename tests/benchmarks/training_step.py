"""A trial's training step against a bare PyTorch loop, and against Lightning used naively.

All three train the same model on the same sequences with the same optimizer, and validate as often. The bare loop and
Lightning compute on padding too, and at positions that are not supervised.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.measurement import Measurement, OnRound, timed_in_turns
from ib_bench import models
from ib_bench.data import ModularAddition
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import Batch
from ib_bench.training.fitting import silent, train
from ib_bench.training.global_state import one_thread

_NUM_SEQUENCES = 4096
_VAL_CHECK_INTERVAL = 157  # what a trial on these data would take


@dataclass(frozen=True)
class _Size:
    """Arguments of an architecture and of its data, and how the trial's step should compare with the bare loop's."""

    model: str
    sizes: dict[str, int]
    target: float
    share_of_steps: float = 1.0
    data: dict[str, Any] = field(default_factory=lambda: {"max_length": 10, "length_distribution": "fixed"})


_SIZES = [
    *(_Size("LSTM", {"hidden_size": width}, target) for width, target in ((32, 1.10), (64, 1.05), (128, 1.05))),
    *(_Size("DenseSSM", {"hidden_size": width}, target) for width, target in ((32, 1.10), (64, 1.05), (128, 1.05))),
    *(
        _Size("Transformer", {"hidden_size": width, "num_layers": 2, "num_heads": 2}, target)
        for width, target in ((32, 1.10), (64, 1.05), (128, 1.05))
    ),
    _Size("LSTM", {"hidden_size": 768}, 1.05, 0.05),
    _Size("DenseSSM", {"hidden_size": 256}, 1.05, 0.05),
    _Size("Transformer", {"hidden_size": 256, "num_layers": 6, "num_heads": 4}, 1.05, 0.05),
]
"""Small widths and the paper's."""

_SMALL = {"hidden_size": 64, "num_layers": 2, "num_heads": 2}
_PAPER = {"hidden_size": 256, "num_layers": 6, "num_heads": 4}
_UNEQUAL = [
    ("Transformer", _SMALL, "aligned_chain_of_thought", "uniform", 0.70),
    ("Transformer", _SMALL, "chain_of_thought", "uniform", 0.60),
    ("Transformer", _SMALL, "outcome", "uniform", 0.45),
    ("Transformer", _PAPER, "aligned_chain_of_thought", "uniform", 0.60),
    ("Transformer", _PAPER, "outcome", "uniform", 0.52),
    ("DenseSSM", {"hidden_size": 64}, "aligned_chain_of_thought", "uniform", 0.85),
    ("LSTM", {"hidden_size": 768}, "aligned_chain_of_thought", "uniform", 0.85),
    ("LSTM", {"hidden_size": 64}, "aligned_chain_of_thought", "uniform", 1.05),
    ("Transformer", _SMALL, "outcome", "fixed", 1.05),
    ("DenseSSM", {"hidden_size": 64}, "outcome", "fixed", 1.05),
    ("LSTM", {"hidden_size": 768}, "outcome", "fixed", 1.05),
]
"""Where there may be something to leave out: sequences of up to 20 symbols."""

_SIZES += [
    _Size(
        model,
        sizes,
        target,
        0.05 if sizes["hidden_size"] > 128 else 0.5,
        {"max_length": 20, "length_distribution": lengths, "supervision": supervision},
    )
    for model, sizes, supervision, lengths, target in _UNEQUAL
]


def training_steps(num_steps: int, num_rounds: int, on_round: OnRound) -> list[Measurement]:
    """Time the three ways of training for every architecture and size, on one CPU thread.

    Args:
        num_steps: optimizer steps in each timing; the paper's widths, which take longer, get a twentieth of them.
        num_rounds: timings of each, in turns.
        on_round: receives the model before each round.
    """
    with one_thread():
        return [measurement for size in _SIZES for measurement in _measure(size, num_steps, num_rounds, on_round)]


def _measure(size: _Size, num_steps: int, num_rounds: int, on_round: OnRound) -> Iterator[Measurement]:
    name = f"{size.model}, width {size.sizes['hidden_size']}"
    leaves_out = "supervision" in size.data
    if leaves_out:
        name += f", {size.data['supervision']}, {size.data['length_distribution']} lengths"
    data = ModularAddition(modulus=5, num_train_sequences=_NUM_SEQUENCES, **size.data)
    num = max(1, round(num_steps * size.share_of_steps))

    def contestant(loop: Callable[[SequenceModel, StateTrackingData, int], None]) -> Callable[[], None]:
        return lambda: loop(getattr(models, size.model)(data.vocab_size, data.num_classes, **size.sizes), data, num)

    loops = [_bare_loop, _trial_loop] if leaves_out else [_bare_loop, _trial_loop, _naive_loop]
    seconds = timed_in_turns([contestant(loop) for loop in loops], num_rounds, lambda: on_round(name))
    bare, trial, *naive = (1000 * time / num for time in seconds)
    note = f"{trial:.2f} against {bare:.2f} ms per step"
    yield Measurement("steps", f"{name}: trial against bare loop", trial / bare, "x", size.target, note=note)
    for step in naive:
        note = f"{step:.2f} against {bare:.2f} ms per step"
        yield Measurement("steps", f"{name}: Lightning's defaults against bare loop", step / bare, "x", note=note)


def _bare_loop(model: SequenceModel, data: StateTrackingData, num_steps: int) -> None:
    optimizer = model.configure_optimizers()
    for step, batch in zip(range(1, num_steps + 1), _endless(data), strict=False):
        optimizer.zero_grad()
        cross_entropy(model(batch.tokens), batch.targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % _VAL_CHECK_INTERVAL == 0:
            _validate(model, data)


@torch.no_grad()
def _validate(model: SequenceModel, data: StateTrackingData) -> None:
    model.eval()
    for batch in data.val_dataloader():
        cross_entropy(model(batch.tokens), batch.targets)
    model.train()


def _endless(data: StateTrackingData) -> Iterator[Batch]:
    batches = data.train_dataloader()
    while True:
        yield from batches


def _trial_loop(model: SequenceModel, data: StateTrackingData, num_steps: int) -> None:
    with unseen():
        train(model, data, num_steps, _VAL_CHECK_INTERVAL, [], accelerator="cpu")


def _naive_loop(model: SequenceModel, data: StateTrackingData, num_steps: int) -> None:
    loader = naive_loader(data.train_dataloader(), data.batch_size, shuffle=True)
    cadence = {"val_check_interval": _VAL_CHECK_INTERVAL, "check_val_every_n_epoch": None}
    with unseen(), tempfile.TemporaryDirectory() as folder:
        naive_trainer(folder, max_steps=num_steps, **cadence).fit(model, loader, data.val_dataloader())


def naive_trainer(folder: str, **arguments: Any) -> pl.Trainer:
    """Lightning's Trainer with its defaults on the CPU, which writes into a folder."""
    return pl.Trainer(accelerator="cpu", logger=CSVLogger(folder), default_root_dir=folder, **arguments)


def naive_loader(batches: Iterable[Batch], batch_size: int, shuffle: bool) -> DataLoader[Batch]:
    """A DataLoader that takes sample after sample and collates them."""
    tokens, targets = map(torch.cat, zip(*batches, strict=True))
    return DataLoader(_Samples(tokens, targets), batch_size=batch_size, shuffle=shuffle)  # type: ignore[arg-type]


class _Samples(TensorDataset):
    def __getitem__(self, index: int) -> Batch:
        return Batch(*(tensor[index] for tensor in self.tensors))


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """Without what Lightning prints."""
    with silent(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
