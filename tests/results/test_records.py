from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from ib_bench.quantities.search.record import Evaluation, SearchRecord
from ib_bench.results.records import Experiment, search_record
from ib_bench.results.trial_record import TrialConfig


@pytest.fixture
def config(experiment: Experiment) -> TrialConfig:
    return TrialConfig(experiment, 64, 1e-2, 10, 1e-2, 600, None, 1)


def test_equal_configs_have_equal_keys(config: TrialConfig) -> None:
    assert replace(config).key == config.key
    assert len(config.key) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"num_train_sequences": 65},
        {"learning_rate": 1e-3},
        {"seed": 11},
        {"threshold": 1e-3},
        {"max_steps": 601},
        {"val_check_interval": 5},
        {"num_threads": 2},
    ],
)
def test_whatever_changes_a_result_changes_the_key(config: TrialConfig, change: dict[str, float]) -> None:
    assert replace(config, **change).key != config.key


def test_the_experiment_is_part_of_the_key(config: TrialConfig) -> None:
    experiment = config.experiment
    model = {**experiment.model, "init_args": {"hidden_size": 17}}
    for other in (
        replace(experiment, model=model),
        replace(experiment, trainer={"precision": "bf16-mixed"}),
        replace(experiment, source_digests={"my.Model": "0"}),
    ):
        assert replace(config, experiment=other).key != config.key


def search(*evaluations: Evaluation, status: str = "finished") -> SearchRecord:
    return SearchRecord("k", {}, {}, status, 1000, list(evaluations), 1.0, "2026-01-01T00:00:00+00:00")


def test_verdicts() -> None:
    failed = Evaluation(1000, False, 0.5, (1000, None), ["a", "b"])
    found = Evaluation(100, True, 0.1, (50, 100), ["c"])
    censored, success, running = search(failed), search(found), search(found, status="running")
    assert (censored.verdict, censored.censored, censored.min_train_size) == ("> 1,000", True, None)
    assert (success.verdict, success.censored, success.min_train_size) == ("100", False, 100)
    assert (running.verdict, running.censored, running.min_train_size) == ("unfinished", False, None)
    assert search(failed, found).num_trials == 3


def test_round_trip() -> None:
    record = search(Evaluation(100, True, 0.1, (50, 100), ["c"]))
    assert search_record(asdict(record)) == record


def test_labels(experiment: Experiment) -> None:
    assert experiment.labels() == {
        "model": "DenseSSM",
        "task": "ModularAddition",
        "task_args": {"modulus": 3},
        "supervision": "aligned_chain_of_thought",
        "length_distribution": "uniform",
        "max_length": 4,
    }
