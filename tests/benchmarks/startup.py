"""How long a user waits for the first answer: of the commands that need no torch, and of a training."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.commands import run_command
from benchmarks.measurement import Measurement, OnRound, timed_in_turns
from ib_bench.results.store import Store

_STORE = "store.sqlite"

_ONE_STEP = (
    *("search", "--model", "DenseSSM", "--data", "ModularAddition", "--data.max_length", "4"),
    *("--search.learning_rates", "[0.001]", "--search.seeds", "[10]", "--search.max_steps", "1"),
    *("--search.max_size", "64", "--search.max_evaluations", "1", "--trainer.accelerator", "cpu"),
    *("--wandb.mode", "disabled"),
)
"""A search that is over after a single optimizer step."""


def startup(num_rounds: int, on_round: OnRound) -> list[Measurement]:
    """Time four commands, each as a process from its start to its end.

    Args:
        num_rounds: timings of each, in turns.
        on_round: receives what is timed, before each round.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Store(folder / _STORE).close()
        commands: list[tuple[str, Callable[[], None], float | None]] = [
            ("--help", partial(run_command, folder, "--help"), 0.3),
            ("ls", partial(run_command, folder, "ls"), 0.3),
            ("results of an empty store", partial(run_command, folder, "results", "--store", _STORE), None),
            ("search, with its first training step", _train_one_step, 6.0),
        ]
        contestants = [run for _, run, _ in commands]
        seconds = timed_in_turns(contestants, num_rounds, partial(on_round, "the start of commands"))
    timed = zip(commands, seconds, strict=True)
    return [Measurement("startup", what, time, "s", target) for (what, _, target), time in timed]


def _train_one_step() -> None:
    with tempfile.TemporaryDirectory() as folder:  # a store of its own, which has no answer yet
        run_command(Path(folder), *_ONE_STEP)
