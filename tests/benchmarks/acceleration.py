"""What compiling steps and stacking grids bring: :mod:`ib_bench.training.acceleration` picks by these measurements."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.measurement import Measurement, OnRound, one_thread, timed_in_turns
from benchmarks.training_step import unseen
from ib_bench import models
from ib_bench.data import ModularAddition
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.supervision.supervision import Batch
from ib_bench.training.trial import train_stack, train_trial

_SIZES: dict[str, dict[str, int]] = {
    "LSTM": {"hidden_size": 64},
    "DenseSSM": {"hidden_size": 64},
    "Transformer": {"hidden_size": 64, "num_layers": 2, "num_heads": 2},
}
_GRID = [(rate, seed) for rate in (1e-3, 1e-4, 1e-5) for seed in (10, 20, 30, 40, 50)]
_TARGETS = {"DenseSSM": 8.0, "Transformer": 8.0}


@dataclass(frozen=True)
class _Steps:
    """A model and its optimizer, which take a step for each of some batches."""

    model: SequenceModel
    optimizer: torch.optim.Optimizer

    def __call__(self, batches: list[Batch]) -> None:
        for batch in batches:
            self.optimizer.zero_grad()
            self.model.loss(batch).backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()


def compiled_steps(num_steps: int, num_rounds: int, on_round: OnRound) -> list[Measurement]:
    """Time optimizer steps, compiled and not, on one CPU thread: length 20, batch 64.

    Args:
        num_steps: optimizer steps in each timing.
        num_rounds: timings of each, in turns.
        on_round: receives the model before each round.
    """
    data = ModularAddition(
        modulus=5, max_length=10, length_distribution="fixed", supervision="chain_of_thought", num_train_sequences=4096
    )
    batches = [batch for _, batch in zip(range(num_steps), data.train_dataloader(), strict=False)]
    with one_thread():
        return [_measure_compiled(name, data, batches, num_rounds, on_round) for name in _SIZES]


def _measure_compiled(
    name: str, data: ModularAddition, batches: list[Batch], num_rounds: int, on_round: OnRound
) -> Measurement:
    plain, compiled = (_steps(name, _SIZES[name], data) for _ in range(2))
    compiled.model.compile_steps(data.batch_size)
    on_round(f"compiling {name}")
    start = time.perf_counter()
    compiled(batches[:1])
    compile_s = time.perf_counter() - start
    contestants = [partial(steps, batches) for steps in (plain, compiled)]
    plain_s, compiled_s = timed_in_turns(contestants, num_rounds, partial(on_round, name))
    plain_ms, compiled_ms = (1000 * seconds / len(batches) for seconds in (plain_s, compiled_s))
    saved_s = (plain_s - compiled_s) / len(batches)
    repaid = f"repaid after {compile_s / saved_s:,.0f} steps" if saved_s > 0 else "never repaid"
    note = f"{plain_ms:.2f} against {compiled_ms:.2f} ms; compiled in {compile_s:.0f} s, {repaid}"
    target = 1.3 if name == "Transformer" else None
    what = f"{name}, width 64: step against compiled step"
    return Measurement("compile", what, plain_s / compiled_s, "x", target, at_least=True, note=note)


def _steps(name: str, sizes: dict[str, int], data: ModularAddition) -> _Steps:
    model = getattr(models, name)(data.vocab_size, data.num_classes, **sizes)
    return _Steps(model, model.configure_optimizers())


def stacked_grids(
    num_steps: int, num_rounds: int, on_round: OnRound, names: Sequence[str] = tuple(_SIZES)
) -> list[Measurement]:
    """Operators and time of a grid of 15, stacked and one by one, per configuration and step, on one CPU thread.

    Args:
        num_steps: optimizer steps in each timing, at least 1.
        num_rounds: timings of each, in turns.
        on_round: receives the model before each round.
        names: of the architectures.
    """
    measurements = []
    for name in names:
        sizes = _SIZES[name]

        def train(stacked: bool, steps: int, name: str = name, sizes: dict[str, int] = sizes) -> Callable[[], Any]:
            grid = _grid(name, sizes, steps)
            return lambda: train_stack(grid, exhaustive=True) if stacked else train_trial(grid[0])

        with unseen():
            on_round(f"counting operators of {name}")
            few, many = 1, 3
            counts = [_num_operators(train(on, many)) - _num_operators(train(on, few)) for on in (True, False)]
            per_config = [counts[0] / (many - few) / len(_GRID), counts[1] / (many - few)]
            contestants = [train(on, steps) for on in (True, False) for steps in (1, 1 + num_steps)]
            times = timed_in_turns(contestants, num_rounds, partial(on_round, name))
            start_s, stack_s, start_one_s, one_s = times
        stack_ms = 1000 * (stack_s - start_s) / num_steps / len(_GRID)
        one_ms = 1000 * (one_s - start_one_s) / num_steps
        note = f"{per_config[1]:,.0f} against {per_config[0]:,.0f} per configuration and step"
        what = f"{name}, width 64, grid of {len(_GRID)}: operators one by one against stacked"
        ratio, target = per_config[1] / per_config[0], _TARGETS.get(name)
        measurements.append(Measurement("vectorize", what, ratio, "x", target, at_least=True, note=note))
        note = f"{one_ms:.2f} against {stack_ms:.2f} ms per configuration and step"
        what = f"{name}, width 64, grid of {len(_GRID)}: time one by one against stacked"
        measurements.append(Measurement("vectorize", what, one_ms / stack_ms, "x", note=note))
    return measurements


def _grid(name: str, sizes: dict[str, int], num_steps: int) -> list[TrialConfig]:
    init_args = {"modulus": 5, "max_length": 10, "length_distribution": "fixed"}
    experiment = Experiment(
        model=ClassSpec(f"ib_bench.models.{name}", sizes),
        data=DataSpec("ib_bench.data.ModularAddition", init_args),
    )
    first = TrialConfig(experiment, 4096, 1e-3, 10, 1e-9, num_steps, 10 * num_steps, 1)
    return [replace(first, learning_rate=rate, seed=seed) for rate, seed in _GRID]


def _num_operators(work: Callable[[], Any]) -> int:
    with profile(activities=[ProfilerActivity.CPU]) as profiler:
        work()
    return sum(event.name.startswith("aten::") for event in profiler.events() or [])
