"""``results`` and ``report`` on a store as a long study leaves it; searches and trials are made up."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import Any

from benchmarks.commands import run_command
from benchmarks.measurement import Measurement, OnRound, timed_in_turns
from ib_bench.quantities.search.record import Evaluation, SearchConfig, SearchRecord, SearchSettings
from ib_bench.results.records import ClassSpec, DataSpec, Experiment, Record
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord

_SETTINGS = SearchSettings(learning_rates=[1e-3, 1e-4], seeds=[10, 20], max_size=4096, max_evaluations=5)
_SIZES = [4096, 2048, 1024, 512, 256]
_CURVE_LENGTH = 30
_TARGETS_S = {"results": 2.0, "report": 30.0}
_ROUNDS = {"results": 5, "report": 1}

TRIALS_PER_SEARCH = len(_SIZES) * len(_SETTINGS.grid())


def large_store(on_round: OnRound, num_searches: int = 10_000) -> list[Measurement]:
    """Time both commands on a store of searches with 20 trials each.

    Args:
        on_round: receives what is timed.
        num_searches: of 10,000 at most.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        on_round(f"nothing yet; a store of {num_searches:,} searches is being made up")
        write_made_up_store(folder / "store.sqlite", num_searches)
        commands = {"results": ["--store", "store.sqlite"], "report": ["--store", "store.sqlite", "--out", "report"]}
        what = f"{num_searches:,} searches, {num_searches * TRIALS_PER_SEARCH:,} trials"
        measurements = []
        for verb, arguments in commands.items():
            run = partial(run_command, folder, verb, *arguments)
            (seconds,) = timed_in_turns([run], _ROUNDS[verb], partial(on_round, f"{verb}, {what}"))
            measurements.append(Measurement("store", f"{verb}, {what}", seconds, "s", _TARGETS_S[verb]))
        return measurements


def write_made_up_store(path: Path, num_searches: int) -> None:
    """Write searches of every architecture, regime, distribution, modulus and length in turn, with their trials.

    Args:
        path: of the store; there must be none yet.
        num_searches: of 10,260 at most, which is as many as there are combinations.
    """
    with Store(path) as store:
        store.add_all(_records(num_searches))


def _records(num_searches: int) -> Iterator[Record]:
    for index, experiment in enumerate(islice(_experiments(), num_searches)):
        search = _search(experiment, index)
        yield search
        yield from _trials(experiment, search)


def _experiments() -> Iterator[Experiment]:
    models: dict[str, dict[str, Any]] = {
        "LSTM": {"hidden_size": 64, "num_layers": 1},
        "DenseSSM": {"hidden_size": 64},
        "Transformer": {"hidden_size": 64, "num_layers": 2, "num_heads": 2, "dropout": 0.0},
    }
    regimes = ("outcome", "chain_of_thought", "aligned_chain_of_thought")
    distributions = ("fixed", "uniform", "short_to_long")
    for modulus, length, regime, distribution, model in product(
        range(2, 21), range(2, 22), regimes, distributions, models
    ):
        yield Experiment(
            model=ClassSpec(f"ib_bench.models.{model}", models[model]),
            data=DataSpec(
                "ib_bench.data.ModularAddition",
                {
                    "modulus": modulus,
                    "supervision": regime,
                    "length_distribution": distribution,
                    "max_length": length,
                    "batch_size": 64,
                    "separator": None,
                },
            ),
        )


def _search(experiment: Experiment, index: int) -> SearchRecord:
    """One that stops at a size of its own: none succeeds for one in six, all for another."""
    config = SearchConfig(experiment, _SETTINGS)
    num_succeeding = index % (len(_SIZES) + 1)
    evaluations = []
    failing, succeeding = 0, None
    for place, size in enumerate(_SIZES):
        succeeded = place < num_succeeding
        failing, succeeding = (failing, size) if succeeded else (max(failing, size), succeeding)
        keys = [trial.key for trial in _SETTINGS.grid_configs(experiment, size)]
        evaluations.append(Evaluation(size, succeeded, 0.5**place, (failing, succeeding), keys))
    return SearchRecord(
        key=config.key,
        config=config,
        status="finished",
        max_size=_SIZES[0],
        evaluations=evaluations,
        wall_time_s=60.0 + index,
        updated_at="2026-01-01T00:00:00+00:00",
        num_states=experiment.data.init_args["modulus"],
    )


def _trials(experiment: Experiment, search: SearchRecord) -> Iterator[TrialRecord]:
    for evaluation in search.evaluations:
        for key, config in zip(evaluation.trials, _SETTINGS.grid_configs(experiment, evaluation.size), strict=True):
            lowest = 5e-5 if evaluation.succeeded else 0.02
            curve = [(157 * step, lowest + 1.6094379 * 0.7**step) for step in range(1, _CURVE_LENGTH)]
            curve.append((157 * _CURVE_LENGTH, lowest))
            yield TrialRecord(
                key=key,
                config=config,
                status="succeeded" if evaluation.succeeded else "failed",
                num_steps=curve[-1][0],
                best_val_loss=curve[-1][1],
                best_step=curve[-1][0],
                val_check_interval=157,
                val_curve=list(curve),
                metrics={"loss": lowest, "final_state_accuracy": 0.99, "token_accuracy": 0.98},
                metric_definition="1",
                wall_time_s=12.5,
                process_time_s=12.4,
                versions={"python": "3.11.7", "ib_bench": "0.1.0", "torch": "2.9.0", "lightning": "2.5.5"},
                environment={"device": "cpu", "platform": "Linux-6.1-x86_64-with-glibc2.36"},
                finished_at="2026-01-01T00:00:00+00:00",
            )
