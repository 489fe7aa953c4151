"""A trial's training step against a bare PyTorch loop, and against Lightning used naively.

All three train the same model on the same sequences with the same optimizer. They take turns, and each figure is a
median over the rounds, so that what else the machine does disturbs the ratios little.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger
from torch.utils.data import DataLoader, TensorDataset

from ib_bench import models
from ib_bench.data import ModularAddition
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.models.metrics import cross_entropy
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import Batch
from ib_bench.training.fitting import silent, train

MODELS = {
    "LSTM": {"hidden_size": 64},
    "DenseSSM": {"hidden_size": 64},
    "Transformer": {"hidden_size": 64, "num_layers": 2, "num_heads": 2},
}
"""The architectures that are timed, and their sizes."""

_NUM_SEQUENCES = 4096


@dataclass(frozen=True)
class StepCost:
    """Milliseconds per optimizer step, medians over rounds.

    Attributes:
        model: name of the architecture.
        bare_ms: a loop of forward, backward and step.
        trial_ms: the same through the Trainer as a trial sets it up.
        naive_ms: the same through a Trainer with its defaults and a DataLoader that collates samples.
    """

    model: str
    bare_ms: float
    trial_ms: float
    naive_ms: float

    @property
    def trial_ratio(self) -> float:
        """How much longer a trial's step takes than the bare loop's."""
        return self.trial_ms / self.bare_ms

    @property
    def naive_ratio(self) -> float:
        """How much longer the naive step takes than the bare loop's."""
        return self.naive_ms / self.bare_ms


def measure_step_costs(
    num_steps: int, num_rounds: int, on_round: Callable[[str], None] = lambda model: None
) -> list[StepCost]:
    """Time the three ways of training for every architecture of :data:`MODELS`, on one CPU thread.

    Args:
        num_steps: optimizer steps in each timing.
        num_rounds: timings of each, in turns.
        on_round: is told the model's name before each round.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [_measure(name, num_steps, num_rounds, on_round) for name in MODELS]
    finally:
        torch.set_num_threads(threads)


def _measure(name: str, num_steps: int, num_rounds: int, on_round: Callable[[str], None]) -> StepCost:
    data = ModularAddition(modulus=5, max_length=10, length_distribution="fixed", num_train_sequences=_NUM_SEQUENCES)
    loops = (_bare_loop, _trial_loop, _naive_loop)
    timings: list[list[float]] = [[] for _ in loops]
    for _ in range(num_rounds):
        on_round(name)
        for loop, seconds in zip(loops, timings, strict=True):
            model = getattr(models, name)(data.vocab_size, data.num_classes, **MODELS[name])
            start = time.perf_counter()
            loop(model, data, num_steps)
            seconds.append(time.perf_counter() - start)
    return StepCost(name, *(1000 * statistics.median(seconds) / num_steps for seconds in timings))


def _bare_loop(model: SequenceModel, data: StateTrackingData, num_steps: int) -> None:
    optimizer = model.configure_optimizers()
    for batch in _endless(data):
        if num_steps == 0:
            return
        optimizer.zero_grad()
        cross_entropy(model(batch.tokens), batch.targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        num_steps -= 1


def _endless(data: StateTrackingData) -> Iterator[Batch]:
    batches = data.train_dataloader()
    while True:
        yield from batches


def _trial_loop(model: SequenceModel, data: StateTrackingData, num_steps: int) -> None:
    with _unseen():
        train(model, data, num_steps, num_steps + 1, [], accelerator="cpu")


def _naive_loop(model: SequenceModel, data: StateTrackingData, num_steps: int) -> None:
    tokens, targets = map(torch.cat, zip(*data.train_dataloader(), strict=True))
    loader = DataLoader(_Samples(tokens, targets), batch_size=data.batch_size, shuffle=True)
    with _unseen(), tempfile.TemporaryDirectory() as folder:
        trainer = pl.Trainer(max_steps=num_steps, accelerator="cpu", logger=CSVLogger(folder), default_root_dir=folder)
        trainer.fit(model, loader)


class _Samples(TensorDataset):
    def __getitem__(self, index: int) -> Batch:
        return Batch(*(tensor[index] for tensor in self.tensors))


@contextlib.contextmanager
def _unseen() -> Iterator[None]:
    with silent(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
