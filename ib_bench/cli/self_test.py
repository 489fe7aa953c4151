"""A tiny search with a known bracket, run twice: checks that this installation computes the right and the same numbers.

DenseSSM learns sums modulo 3 with aligned supervision from 64 sequences and not from one, by a wide margin.
"""

from __future__ import annotations

import time

from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.results.integrity import Finding, State
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.trial_record import TrialRecord

_BRACKET = (1, 64)

_EXPERIMENT = Experiment(
    model=ClassSpec("ib_bench.models.DenseSSM", {"hidden_size": 16}),
    data=DataSpec("ib_bench.data.ModularAddition", {"modulus": 3, "max_length": 4, "batch_size": 16}),
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
    except Exception as error:  # any error is a finding of this command
        return Finding(check, "failure", f"the search fails: {type(error).__name__}: {' '.join(str(error).split())}")
    seconds = time.perf_counter() - start
    if record.bracket != _BRACKET:
        return Finding(check, "failure", f"N* must lie in {_BRACKET}, got {record.bracket}")
    if [(trial.val_curve, trial.metrics) for trial in trials] != [(trial.val_curve, trial.metrics) for trial in again]:
        state: State = "failure" if accelerator == "cpu" else "warning"
        return Finding(check, state, "a second run of the same search gives other losses")
    return Finding(
        check, "ok", f"N* is as expected, and a second run gives the same losses bit for bit ({seconds:.1f} s)"
    )


def _searched(accelerator: str) -> tuple[SearchRecord, list[TrialRecord]]:
    store = MemoryStore()
    job = SearchJob(_EXPERIMENT, _SETTINGS, _BRACKET[1], num_states=3, placement={"accelerator": accelerator})
    record = job.run(ProgressReporter(lambda event: None), store)
    return record, list(store.all(TrialRecord))
