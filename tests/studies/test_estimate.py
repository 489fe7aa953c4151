from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from ib_bench.quantities.job import Workload
from ib_bench.quantities.search.record import Evaluation, SearchConfig, SearchRecord, SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.trial_record import TrialRecord
from ib_bench.studies.estimate import TimeLeft, estimate, expected_costs

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
    assert result.max_time_s == pytest.approx(2 * BUDGET_STEPS * 0.02)  # a worker has two of the three
    assert result.likely_time_s == pytest.approx(2 * 200 * 0.02)  # two trials of 100 steps, as the search before
    largest = Workload(experiment, max_steps=100, max_trials=2, at_largest_size=True)
    result = estimate([largest], Records.of_all([finished(experiment), *trials]), num_workers=1)
    assert result.likely_time_s == result.max_time_s == pytest.approx(2 * 100 * 0.02)  # the search's only size


def test_nothing_is_made_up(experiment: Experiment) -> None:
    todo = [Workload(experiment, max_steps=100, max_trials=10)]
    assert asdict(estimate(todo, Records(), 1)) == {"max_trials": 10, "max_time_s": None, "likely_time_s": None}
    known = estimate(todo, Records.of_all([trial(experiment, 100, 2.0)]), 1)
    assert (known.max_time_s, known.likely_time_s) == (pytest.approx(20.0), None)
    assert estimate([], Records(), 1).max_time_s == 0


def test_costs_are_known_of_everything(experiment: Experiment) -> None:
    wider = replace(experiment, model=ClassSpec(experiment.model.class_path, {"hidden_size": 99}))
    other = replace(experiment, model=ClassSpec("LSTM"))
    works = [Workload(one, max_steps=100, max_trials=10) for one in (experiment, wider, other)]
    here = Records.of_all([finished(experiment), trial(experiment, num_steps=100, wall_time_s=2.0)])
    elsewhere = Records.of_all([trial(experiment, 100, 9.0), trial(other, num_steps=100, wall_time_s=50.0)])
    likely_s = 0.1 + 1000 * 0.02 * 200 / BUDGET_STEPS
    assert expected_costs(works, here, lambda: elsewhere) == pytest.approx([likely_s, likely_s, 0.1 + 1000 * 0.5])
    assert expected_costs(works, Records(), Records) == [expected_costs(works[:1], Records(), Records)[0]] * 3
    nothing = Workload(experiment, max_steps=100, max_trials=0)
    assert 0 < expected_costs([nothing], here, Records)[0] < 1


def test_what_is_known_here_needs_no_reference(experiment: Experiment) -> None:
    here = Records.of_all([trial(experiment, num_steps=100, wall_time_s=2.0)])
    expected_costs([Workload(experiment, 100, 10)], here, lambda: pytest.fail("the reference was read"))


def test_time_left_is_that_of_the_worker_that_ends_last() -> None:
    left = TimeLeft([60, 50, 40, 30], num_workers=2)
    assert left.seconds(0) == 90  # 60 and 30 on one worker, 50 and 40 on the other
    left.start(0, 0)
    left.start(1, 0)
    assert left.seconds(30) == 60
    assert TimeLeft([60, 50], num_workers=1).seconds(0) == 110


def test_finished_jobs_correct_the_scale() -> None:
    left = TimeLeft([60, 60, 60], num_workers=1)
    left.start(0, 100)
    left.end(0, 220)
    left.end(0, 300)  # news that comes twice
    assert left.seconds(220) == 240
    left.start(1, 220)
    assert left.seconds(280) == 60 + 120
    assert TimeLeft([60, 60], num_workers=1).seconds(0) == 120  # nothing has ended, nothing runs


def test_a_job_that_takes_longer_than_expected_corrects_it_too() -> None:
    left = TimeLeft([60, 60], num_workers=1)
    left.start(0, 0)
    assert left.seconds(180) == pytest.approx(0.25 * 180 + 180)


def test_a_job_that_takes_longer_corrects_it_after_others_have_ended() -> None:
    left = TimeLeft([1, 1, 1, 1, 1], num_workers=2)
    for index in (0, 1, 2):
        left.start(index, index)
        left.end(index, index + 1)
    left.start(3, 2)
    assert left.seconds(2) == 1
    for now_s in (10.0, 102.0):
        mean_s = (3 + now_s - 2) / 4  # of the three that have ended and of the one that runs
        assert left.seconds(now_s) == pytest.approx(max(mean_s, 0.25 * (now_s - 2)))


def test_a_lost_job_starts_again() -> None:
    left = TimeLeft([60, 60], num_workers=2)
    left.start(0, 0)
    left.start(1, 0)
    left.lose(1)
    assert left.seconds(50) == 60
    left.start(1, 50)
    assert left.seconds(58) == 52
    left.end(0, 60)
    left.end(1, 110)
    assert left.seconds(110) == 0
