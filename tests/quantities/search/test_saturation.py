"""Saturated evaluations: when they are made, on what, and how they are found again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError
from ib_bench.execution.inline import Inline
from ib_bench.quantities.curve.job import CurveJob
from ib_bench.quantities.curve.record import CurveSettings
from ib_bench.quantities.progress import Progress, ProgressReporter
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.quantities.search.saturation import SaturationRecord
from ib_bench.quantities.search.saturation_job import SaturationJob
from ib_bench.quantities.sharing.jobs import sharing_jobs
from ib_bench.quantities.sharing.record import SharingSettings, sharing_of
from ib_bench.results.archive import Records, read_archive, write_archive
from ib_bench.results.records import Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.runner.jobs import Output, run_jobs
from ib_bench.tracking.settings import WandbSettings
from ib_bench.training.instantiation import instantiate_data, instantiate_trial_data
from ib_bench.training.trial import TrainedTrial, train_trial

Rule = Callable[[TrialConfig], bool]
SETTINGS = SearchSettings(learning_rates=[0.1, 0.01], seeds=[1, 2], max_size=1000, multiplier=4)
QUIET = ProgressReporter(lambda event: None)


class FakeTraining:
    """Trials that succeed by a rule; remembers which were trained."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.trained: list[TrialConfig] = []

    def __call__(self, config: TrialConfig, placement: Any, on_validation: Any) -> TrainedTrial:
        self.trained.append(config)
        succeeded = self.rule(config)
        loss = config.threshold * (0.5 if succeeded else 2)
        status = "succeeded" if succeeded else "failed"
        record = TrialRecord(config.key, config, status, 1, loss, 1, 1, [(1, loss)], {}, "1", 2.0, 1.0, {}, {}, "now")
        return TrainedTrial(record, torch.nn.Linear(1, 1), None, torch.device("cpu"))  # type: ignore[arg-type]


def job(experiment: Experiment, training: FakeTraining, settings: SearchSettings = SETTINGS) -> SaturationJob:
    return SaturationJob(SearchJob(experiment, settings, 96, 3, train=training), 117)


def only_saturated(config: TrialConfig) -> bool:
    return config.saturated and config.seed == 2


def test_all_sequences_are_trained_on_up_to_the_first_success(experiment: Experiment, store: Store) -> None:
    training = FakeTraining(only_saturated)
    one = job(experiment, training)
    assert one.search.run(QUIET, store).is_pool_exhausted
    heard: list[Progress] = []
    record = one.run(ProgressReporter(heard.append), store)
    assert (record.succeeded, record.size, record.best_val_loss) == (True, 117, SETTINGS.threshold * 0.5)
    asked = training.trained[4:]
    assert [(config.num_train_sequences, config.seed, config.saturated) for config in asked] == [
        *((117, 1, True), (117, 2, True))
    ]
    assert record.trials == [config.key for config in asked]
    assert (heard[-1].num_evaluations, heard[-1].verdict) == (1, "all 117 saturated")
    assert store.get(SaturationRecord, one.key) == record
    assert one.run(QUIET, store) == record and len(training.trained) == 6


def test_failing_means_that_the_budget_is_missing(experiment: Experiment, store: Store) -> None:
    one = job(experiment, FakeTraining(lambda config: False))
    one.search.run(QUIET, store)
    record = one.run(QUIET, store)
    assert (record.succeeded, len(record.trials)) == (False, 4)
    assert record.verdict == "all 117 saturated: budget missing"


def test_nothing_is_trained_where_the_pool_sufficed(experiment: Experiment, store: Store) -> None:
    training = FakeTraining(lambda config: config.num_train_sequences > 50)
    one = job(experiment, training)
    assert one.stored(store) is None  # the search may yet fail
    one.search.run(QUIET, store)
    num_trained = len(training.trained)
    assert one.stored(store) is not None
    record = one.run(QUIET, store)
    assert (record.succeeded, record.verdict, len(training.trained)) == (None, "not needed", num_trained)
    assert list(store.all(SaturationRecord)) == []


def test_nor_where_the_settings_capped_the_size(experiment: Experiment, store: Store) -> None:
    one = job(experiment, FakeTraining(lambda config: False), SearchSettings(learning_rates=[0.1], max_size=64))
    assert one.search.run(QUIET, store).verdict == "> 64"
    assert one.run(QUIET, store).succeeded is None


def test_an_interrupted_one_goes_on_where_it_was(experiment: Experiment, store: Store) -> None:
    def interrupted(config: TrialConfig) -> bool:
        if config.saturated and config.seed == 2:
            raise KeyboardInterrupt
        return False

    one = job(experiment, FakeTraining(interrupted))
    one.search.run(QUIET, store)
    with pytest.raises(KeyboardInterrupt):
        one.run(QUIET, store)
    training = FakeTraining(only_saturated)
    assert job(experiment, training).run(QUIET, store).succeeded
    assert [(config.learning_rate, config.seed) for config in training.trained] == [(0.1, 2)]


def test_a_trial_that_was_lost_is_trained_again(experiment: Experiment, store: Store) -> None:
    one = job(experiment, FakeTraining(only_saturated))
    one.search.run(QUIET, store)
    lost = one.run(QUIET, store).trials[0]
    store.database.execute("DELETE FROM trials WHERE key = ?", (lost,))
    training = FakeTraining(only_saturated)
    job(experiment, training).run(QUIET, store)
    assert [config.key for config in training.trained] == [lost]


def test_it_waits_for_its_search_and_takes_it_along(experiment: Experiment, store: Store) -> None:
    one = job(experiment, FakeTraining(only_saturated))
    assert one.stage > one.search.stage
    assert one.needed(store) == []
    with pytest.raises(BenchError, match="its search is not finished"):
        one.run(QUIET, store)
    search = one.search.run(QUIET, store)
    assert one.needed(store) == [search]


class Elsewhere(Inline):
    """Calls functions as a machine would that cannot reach the store."""

    is_local = False


def test_a_machine_without_the_store_gets_what_it_needs(experiment: Experiment, store: Store) -> None:
    training = FakeTraining(only_saturated)
    one = job(experiment, training)
    output = Output(store.path, WandbSettings(mode="disabled"))
    for each in (one.search, one, one):
        (ended,) = run_jobs([each], Elsewhere(), output)
        assert ended.error is None
    assert store.get(SaturationRecord, one.key) == ended.result
    assert len(training.trained) == 4 + 2


def test_keys_of_its_trials_are_its_own(experiment: Experiment) -> None:
    plain = SETTINGS.trial_config(experiment, 117, 0.1, 1)
    saturated = plain.on_all_sequences(117)
    assert saturated.key != plain.key and "options" not in plain.to_json()
    assert saturated.experiment == plain.experiment


def test_a_record_that_contradicts_itself_is_refused(experiment: Experiment) -> None:
    config = job(experiment, FakeTraining(only_saturated)).config
    with pytest.raises(ValueError, match="has 0 trials and the answer True"):
        SaturationRecord(config.key, config, 117, True, 0.0, [], 0.0, "now")


def test_an_archive_keeps_it(experiment: Experiment, store: Store, tmp_path: Any) -> None:
    one = job(experiment, FakeTraining(only_saturated))
    one.search.run(QUIET, store)
    record = one.run(QUIET, store)
    write_archive(Records.of_all([record]), tmp_path / "records.jsonl.gz")
    assert list(read_archive(tmp_path / "records.jsonl.gz").of(SaturationRecord)) == [record]


def request(experiment: Experiment, settings: SearchSettings = SETTINGS, **sharing: Any) -> Request:
    sections = {"search": settings, "sharing": SharingSettings(**sharing), "curve": CurveSettings()}
    return Request(experiment, sections, instantiate_data(experiment.data).max_train_sequences, 3)


class TestJobsOfKappa:
    def test_every_pool_that_may_be_exhausted_has_one(self, experiment: Experiment) -> None:
        jobs = sharing_jobs(request(experiment))
        sizes = {job.search.key: job.size for job in jobs if isinstance(job, SaturationJob)}
        searches = [job for job in jobs if isinstance(job, SearchJob)]
        assert [sizes[job.key] for job in searches] == [9 + 27 + 81, 9, 27, 81]
        assert len(jobs) == 8

    def test_the_whole_space_is_that_of_the_lengths(self, experiment: Experiment) -> None:
        jobs = sharing_jobs(request(experiment.with_data(modulus=2), min_length=3))
        assert [job.size for job in jobs if isinstance(job, SaturationJob)] == [8 + 16, 8, 16]
        assert [job.pool_size for job in jobs if isinstance(job, SearchJob)][1:] == [7, 13]
        assert jobs[0].config.experiment.data.presentation.min_length == 3

    def test_one_that_is_capped_has_none(self, experiment: Experiment) -> None:
        capped = SearchSettings(max_size=30)
        sizes = [job.size for job in sharing_jobs(request(experiment, capped)) if isinstance(job, SaturationJob)]
        assert sizes == [9, 27]
        assert not [job for job in sharing_jobs(request(experiment, saturate=False)) if not isinstance(job, SearchJob)]

    def test_curves_of_the_same_experiments(self, experiment: Experiment) -> None:
        jobs = sharing_jobs(request(experiment, saturate=False, curves=True))
        curves = [job for job in jobs if isinstance(job, CurveJob)]
        searches = [job for job in jobs if isinstance(job, SearchJob)]
        assert [job.config.experiment for job in curves] == [job.config.experiment for job in searches]
        assert [job.pool_size for job in curves] == [job.pool_size for job in searches]

    def test_a_shortest_length_beyond_the_longest_is_refused(self, experiment: Experiment) -> None:
        with pytest.raises(BenchError, match=r"sharing.min_length must be at most data.max_length, 4, got 5"):
            sharing_jobs(request(experiment, min_length=5))

    def test_kappa_of_what_the_jobs_found(self, experiment: Experiment, store: Store) -> None:
        training = FakeTraining(lambda config: config.saturated or config.num_train_sequences > 30)
        one = request(experiment)
        jobs = sharing_jobs(Request(**{**vars(one), "train": training}))
        records = [job.run(QUIET, store) for job in jobs]
        sharing = sharing_of(records)
        assert {length: str(need) for length, need in sharing.needs.items()} == {
            **{2: "9 (saturated)", 3: "23 to 27 (saturated)"},
            4: "31",
        }
        assert (sharing.exhausted, str(sharing.joint_need)) == ([2, 3], "31")
        assert (sharing.low, sharing.high) == ((9 + 23 + 31) / 31, (9 + 27 + 31) / 31)


@pytest.mark.system
def test_real_training(experiment: Experiment) -> None:
    """The training set is everything, and so is what training is judged by."""
    easy = SearchSettings(learning_rates=[0.01], seeds=[10, 20], threshold=0.05, max_steps=300)
    config = easy.grid_configs(experiment.with_data(length_distribution="fixed", max_length=2), 9)[0]
    data = instantiate_trial_data(config.on_all_sequences(9))
    assert isinstance(data, StateTrackingData)
    assert sum(len(batch.tokens) for batch in data.val_dataloader()) == 9
    trial = train_trial(config.on_all_sequences(9)).record
    assert trial.succeeded and trial.config.saturated
