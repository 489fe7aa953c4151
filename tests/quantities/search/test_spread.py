"""A size whose configurations are trained side by side."""

from __future__ import annotations

from pathlib import Path

import pytest

from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.results.memory_store import MemoryStore
from ib_bench.results.records import Experiment
from ib_bench.results.trial_record import TrialRecord

pytestmark = pytest.mark.system


def searched(
    experiment: Experiment, folder: Path, spread: int, **settings: object
) -> tuple[SearchRecord, dict[str, TrialRecord]]:
    """The record of a search with four configurations a size, of which the first can learn nothing, and its trials."""
    folder.mkdir()
    given = {
        "learning_rates": [1e-9, 0.01],
        "seeds": [1, 2],
        "threshold": 0.05,
        "max_steps": 200,
        "max_evaluations": 2,
        "multiplier": 100,
        **settings,
    }
    search = SearchSettings(spread=spread, **given)  # type: ignore[arg-type]
    store = MemoryStore()
    job = SearchJob(experiment, search, 95, 3, weights=folder / "weights")
    record = job.run(ProgressReporter(lambda event: None), store)
    return record, {trial.key: trial for trial in store.all(TrialRecord)}


def test_spread_reaches_the_same_verdict_and_ends_with_the_first_success(
    experiment: Experiment, tmp_path: Path
) -> None:
    alone, trials_alone = searched(experiment, tmp_path / "alone", spread=1)
    spread, trials = searched(experiment, tmp_path / "spread", spread=2)
    assert spread.key == alone.key and spread.bracket == alone.bracket
    assert [e.succeeded for e in spread.evaluations] == [e.succeeded for e in alone.evaluations]
    curves = {key: trial.val_curve for key, trial in trials_alone.items()}
    assert all(trial.val_curve == curves[key] for key, trial in trials.items() if key in curves)
    (kept,) = {path.stem for path in (tmp_path / "spread" / "weights").iterdir()}
    assert trials[kept].succeeded


def test_an_exhaustive_size_trains_all(experiment: Experiment, tmp_path: Path) -> None:
    record, trials = searched(experiment, tmp_path / "all", spread=3, exhaustive=True, max_evaluations=1, max_steps=100)
    assert len(trials) == 4
    assert record.evaluations[0].trials == list(dict.fromkeys(record.evaluations[0].trials))
    assert set(record.evaluations[0].trials) == set(trials)
