from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from ib_bench.quantities.job import Workload
from ib_bench.quantities.search.record import Evaluation, SearchConfig, SearchRecord, SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.trial_record import TrialRecord
from ib_bench.studies.estimate import estimate

SETTINGS = SearchSettings(learning_rates=[0.1], seeds=[1, 2], max_steps=100, max_evaluations=5)
BUDGET_STEPS = 2 * 5 * 100


def trial(experiment: Experiment, num_steps: int, wall_time_s: float) -> TrialRecord:
    config = SETTINGS.trial_config(experiment, 64, 0.1, 1)
    return TrialRecord(
        config.key, config, "failed", num_steps, 1.0, 1, 1, [(1, 1.0)], {}, "1", wall_time_s, wall_time_s, {}, {}, "now"
    )


def finished(experiment: Experiment) -> SearchRecord:
    config = SearchConfig(experiment, SETTINGS)
    key = trial(experiment, 1, 1.0).key
    evaluation = Evaluation(64, False, 1.0, (64, None), [key, key])
    return SearchRecord(config.key, config, "finished", 64, [evaluation], 1.0, "now")


def test_times_come_from_trials_like_it(experiment: Experiment) -> None:
    other = replace(experiment, model=ClassSpec("LSTM"))
    trials = [trial(experiment, num_steps=100, wall_time_s=2.0), trial(other, num_steps=100, wall_time_s=50.0)]
    todo = [Workload(experiment, max_steps=100, max_trials=10)] * 3
    result = estimate(todo, Records.of_all([finished(experiment), *trials]), num_workers=2)
    assert result.max_trials == 3 * 10
    assert result.max_time_s == pytest.approx(3 * BUDGET_STEPS * 0.02 / 2)
    assert result.likely_time_s == pytest.approx(3 * 200 * 0.02 / 2)  # two trials of 100 steps, as the search before
    largest = Workload(experiment, max_steps=100, max_trials=2, at_largest_size=True)
    result = estimate([largest], Records.of_all([finished(experiment), *trials]), num_workers=1)
    assert result.likely_time_s == result.max_time_s == pytest.approx(2 * 100 * 0.02)  # the search's only size


def test_nothing_is_made_up(experiment: Experiment) -> None:
    todo = [Workload(experiment, max_steps=100, max_trials=10)]
    assert asdict(estimate(todo, Records(), 1)) == {"max_trials": 10, "max_time_s": None, "likely_time_s": None}
    known = estimate(todo, Records.of_all([trial(experiment, 100, 2.0)]), 1)
    assert (known.max_time_s, known.likely_time_s) == (pytest.approx(20.0), None)
    assert estimate([], Records(), 1).max_time_s == 0
