"""A tiny search whose bracket is known, run twice: whether this installation computes what it should, and always alike.

DenseSSM learns sums modulo 3 with aligned supervision from 64 sequences and not from one, by a wide margin.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from ib_bench.results.integrity import Finding, State
from ib_bench.results.records import Experiment, SearchRecord, TrialRecord
from ib_bench.results.store import Store
from ib_bench.runner.job import run_job
from ib_bench.runner.search_job import SearchJob
from ib_bench.studies.search import SearchSettings
from ib_bench.tracking.settings import WandbSettings

_BRACKET = (1, 64)

_EXPERIMENT = Experiment(
    model={"class_path": "ib_bench.models.DenseSSM", "init_args": {"hidden_size": 16}},
    data={
        "class_path": "ib_bench.data.ModularAddition",
        "init_args": {
            "modulus": 3,
            "supervision": "aligned_chain_of_thought",
            "length_distribution": "uniform",
            "max_length": 4,
            "batch_size": 16,
            "separator": None,
        },
    },
)

_SETTINGS = SearchSettings(
    learning_rates=[0.01], seeds=[10], threshold=0.05, max_steps=400, max_size=64, multiplier=64, max_evaluations=2
)


def self_test(accelerator: str) -> Finding:
    """Search twice, keeping nothing.

    Args:
        accelerator: Lightning's name of the device; only a CPU must give the same numbers twice, bit for bit.
    """
    check, start = f"self-test ({accelerator})", time.perf_counter()
    try:
        (record, trials), (_, again) = _searched(accelerator), _searched(accelerator)
    except Exception as error:  # whatever is wrong here is what this command is asked for
        return Finding(check, "failure", f"the search fails: {type(error).__name__}: {' '.join(str(error).split())}")
    seconds = time.perf_counter() - start
    if record.bracket != _BRACKET:
        return Finding(check, "failure", f"N* must lie in {_BRACKET}, it lies in {record.bracket}")
    if [(trial.val_curve, trial.metrics) for trial in trials] != [(trial.val_curve, trial.metrics) for trial in again]:
        state: State = "failure" if accelerator == "cpu" else "warning"
        return Finding(check, state, "the same search gives other losses the second time")
    return Finding(check, "ok", f"N* is where it must be, and losses are the same bit for bit twice ({seconds:.1f} s)")


def _searched(accelerator: str) -> tuple[SearchRecord, list[TrialRecord]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        quiet, placement = WandbSettings(mode="disabled"), {"accelerator": accelerator}
        job = SearchJob(_EXPERIMENT, _SETTINGS, _BRACKET[1], path, quiet, placement=placement)
        record = run_job(job, lambda event: None)
        with Store(path) as store:
            return record, list(store.trials())
