"""Configs, their keys, and what a record says of itself."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest
from made_up_records import ACOT, Point, search

from ib_bench.quantities.search.record import Evaluation, SearchRecord, SearchStatus
from ib_bench.results.records import ClassSpec, DataSpec, Experiment, Labels, experiment_text
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
        {"options": {"compile": True}},
    ],
)
def test_everything_that_changes_a_result_changes_the_key(config: TrialConfig, change: dict[str, float]) -> None:
    assert replace(config, **change).key != config.key


def test_the_experiment_is_part_of_the_key(config: TrialConfig) -> None:
    experiment = config.experiment
    for other in (
        replace(experiment, model=experiment.model.with_arguments(hidden_size=17)),
        experiment.with_data(max_length=5),
        replace(experiment, trainer={"precision": "bf16-mixed"}),
        replace(experiment, source_digests={"my.Model": "0"}),
    ):
        assert replace(config, experiment=other).key != config.key


def judged(*evaluations: Evaluation, status: SearchStatus = "finished") -> SearchRecord:
    return replace(search(Point("LSTM", ACOT), 100, 1000), evaluations=list(evaluations), status=status)


def test_verdicts() -> None:
    one, two, three = (f"{number:032x}" for number in range(3))
    failed = Evaluation(1000, False, 0.5, (1000, None), [one, two])
    found = Evaluation(100, True, 0.1, (50, 100), [three])
    censored, success, running = judged(failed), judged(found), judged(found, status="running")
    assert (censored.verdict, censored.censored, censored.min_train_size) == ("> all 1,000 that exist", True, None)
    spent = replace(censored, max_size=4096)
    assert (spent.verdict, spent.is_pool_exhausted, censored.is_pool_exhausted) == ("> 4,096", False, True)
    assert (success.verdict, success.censored, success.min_train_size) == ("100", False, 100)
    assert (running.verdict, running.censored, running.min_train_size) == ("unfinished", False, None)
    assert judged(failed, found).num_trials == 3


def test_a_verdict_needs_trials() -> None:
    with pytest.raises(ValueError, match="has no trials"):
        Evaluation(100, True, 0.1, (50, 100), [])
    with pytest.raises(ValueError, match="has 0 evaluations"):
        judged()


def test_a_bracket_holds_a_size() -> None:
    with pytest.raises(ValueError, match=r"bracket .* is empty"):
        Evaluation(4, True, 0.1, (4, 4), ["0" * 32])


@pytest.mark.parametrize("value", ["x", [1], True, None, {}])
def test_arguments_of_another_type_are_no_presentation(value: object) -> None:
    spec = DataSpec("my_data.Own", {"max_length": value, "supervision": [value]})
    assert spec.presentation.max_length is None and spec.presentation.supervision is None


def test_labels(experiment: Experiment) -> None:
    regime = "aligned_chain_of_thought"
    assert experiment.labels == Labels("DenseSSM", "ModularAddition", {"modulus": 3}, regime, "uniform", 4)
    text = f"DenseSSM · ModularAddition(modulus=3) · {regime} · uniform · L="
    assert experiment_text(experiment.labels) == experiment.title == f"{text}4"
    assert experiment.with_data(min_length=2).title == f"{text}4"
    assert experiment.with_data(min_length=3).title == f"{text}3..4"


def test_own_data_need_neither_regime_nor_lengths() -> None:
    labels = Experiment(ClassSpec("my.Model"), DataSpec("my.Data", {"path": "x"})).labels
    assert labels == Labels("my.Model", "Data", {"path": "x"}, None, None, None)
    assert experiment_text(labels) == "my.Model · Data(path=x)"


def test_a_spec_is_a_value_that_resolves_its_class_once(experiment: Experiment) -> None:
    spec = experiment.model
    assert spec.cls is spec.cls and list(spec.parameters)[:2] == ["vocab_size", "num_classes"]
    again: ClassSpec = pickle.loads(pickle.dumps(spec))
    assert again == spec and hash(again) == hash(spec) and type(again) is type(spec)
    assert len({spec, again, spec.with_arguments(hidden_size=99)}) == 2


def test_what_is_asked_for_otherwise_is_named_with_the_task() -> None:
    data = DataSpec("ib_bench.data.ModularAddition", {"modulus": 5, "max_length": 4})
    plain = Experiment(ClassSpec("ib_bench.models.LSTM"), data)
    held_out = plain.with_data(held_out_transitions=[[0, 1]], revealed=0.5)
    assert plain.labels.task_arguments == {"modulus": 5}
    assert held_out.labels.task_arguments == {"modulus": 5, "held_out_transitions": [[0, 1]], "revealed": 0.5}
    assert held_out.data.task_arguments == {"modulus": 5}
