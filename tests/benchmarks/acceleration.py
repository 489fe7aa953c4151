"""What compiling steps brings: :mod:`ib_bench.training.acceleration` picks by these measurements."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import torch

from benchmarks.measurement import Measurement, OnRound, timed_in_turns
from ib_bench import models
from ib_bench.data import ModularAddition
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.supervision.supervision import Batch
from ib_bench.training.global_state import one_thread

_SIZES: dict[str, dict[str, int]] = {
    "LSTM": {"hidden_size": 64},
    "DenseSSM": {"hidden_size": 64},
    "Transformer": {"hidden_size": 64, "num_layers": 2, "num_heads": 2},
}


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
