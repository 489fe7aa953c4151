"""A whole search for N* against the same search done naively.

Naively is: one process, a DataLoader that collates samples, Lightning's Trainer with its defaults (validation after
every epoch, a logger, checkpoints), the whole grid at every size, and every training to the end of its budget.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl

from benchmarks.measurement import Measurement, OnRound
from benchmarks.training_step import naive_loader, naive_trainer, unseen
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.store import Store
from ib_bench.training.global_state import one_thread
from ib_bench.training.instantiation import instantiate_data, instantiate_model

_DATA = {"modulus": 4, "max_length": 6, "length_distribution": "uniform", "supervision": "aligned_chain_of_thought"}
_BATCH_SIZE = 64  # of all shipped data, unless set otherwise
_MODELS = {"DenseSSM": {"hidden_size": 32}, "LSTM": {"hidden_size": 64}}
"""Recurrent models with aligned chain of thought; with other models or supervision the naive search takes hours."""

_SETTINGS = SearchSettings(
    learning_rates=[0.002],
    seeds=[10, 20],
    threshold=0.01,
    max_steps=3000,
    max_size=4096,
    multiplier=4,
    midpoint="geometric",
    relative_tolerance=0.5,
)


def searches(max_steps: int, on_round: OnRound) -> list[Measurement]:
    """Search both ways, once each.

    Args:
        max_steps: budget of a training; the suite allows 3000.
        on_round: receives what is being timed.
    """
    with one_thread():
        return [_measure(model, replace(_SETTINGS, max_steps=max_steps), on_round) for model in _MODELS]


def _measure(model: str, settings: SearchSettings, on_round: OnRound) -> Measurement:
    experiment = Experiment(
        model=ClassSpec(f"ib_bench.models.{model}", _MODELS[model]),
        data=DataSpec("ib_bench.data.ModularAddition", _DATA),
    )
    data = instantiate_data(experiment.data)
    pool_size = data.max_train_sequences
    job = SearchJob(experiment, settings, pool_size, data.num_classes)
    on_round(f"{model}: search")
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        record = job.run(ProgressReporter(lambda progress: None), store)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    verdict = _naive_search(experiment, settings, pool_size, on_round)
    naive = time.perf_counter() - start
    same = "same verdict" if verdict == record.bracket else f"verdicts differ: {verdict} and {record.bracket}"
    note = f"{naive:.0f} against {ours:.0f} s, {same}"
    what = f"{model}, aligned chain of thought: naive search against ib_bench"
    return Measurement(
        "search", what, naive / ours, "x", target=8.0, at_least=True, note=note, same=verdict == record.bracket
    )


def _naive_search(
    experiment: Experiment, settings: SearchSettings, pool_size: int, on_round: OnRound
) -> tuple[int, int | None]:
    bracket: tuple[int, int | None] = (0, None)

    def succeeds(size: int) -> bool:
        losses = []
        for rate, seed in settings.grid():
            on_round(f"naive search, {size} sequences, {settings.max_steps} steps")
            losses.append(_naive_training(experiment, size, rate, seed, settings.max_steps))
        return min(losses) < settings.threshold

    for _, _, found in settings.bisection(min(settings.max_size, pool_size)).run(succeeds):
        bracket = found.as_tuple()
    return bracket


def _naive_training(experiment: Experiment, size: int, rate: float, seed: int, max_steps: int) -> float:
    """The lowest validation loss."""
    losses: list[float] = []

    class Losses(pl.Callback):
        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            losses.append(float(trainer.callback_metrics["val/loss"]))

    with unseen(), tempfile.TemporaryDirectory() as folder:
        pl.seed_everything(seed)
        data = instantiate_data(experiment.data, num_train_sequences=size, seed=seed)
        model = instantiate_model(experiment.model, data, learning_rate=rate)
        trainer = naive_trainer(folder, max_steps=max_steps, callbacks=[Losses()])
        held_out = naive_loader(data.val_dataloader(), _BATCH_SIZE, shuffle=False)
        trainer.fit(model, naive_loader(data.train_dataloader(), _BATCH_SIZE, shuffle=True), held_out)
        return min(losses)
