from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from ib_bench.errors import InvalidOptionError
from ib_bench.quantities.extrapolation.extrapolation import chosen_trial, extrapolate
from ib_bench.quantities.extrapolation.job import ExtrapolationJob
from ib_bench.quantities.extrapolation.record import (
    ExtrapolationConfig,
    ExtrapolationRecord,
    ExtrapolationSettings,
    LengthAccuracy,
)
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialConfig, TrialRecord

GRID = SearchSettings(learning_rates=[0.1, 0.01], seeds=[1, 2], max_size=100)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"final_state_accuracy": 2.0}, r"outside 0\.\.1"),
        ({"final_state_accuracy": 1e308}, r"outside 0\.\.1"),
        ({"token_accuracy": -0.1}, r"outside 0\.\.1"),
        ({"position_accuracy": [0.5, float("nan")]}, r"outside 0\.\.1"),
        ({"normalized_final_state_accuracy": -1e308}, r"outside -1\.\.1"),
        ({"normalized_token_accuracy": 1.1}, r"outside -1\.\.1"),
    ],
)
def test_a_share_has_a_range(change: dict[str, Any], said: str) -> None:
    lowest = LengthAccuracy("teacher_forced", 8, 5, 0.0, 0.0, -1.0, -1.0, [0.0])
    with pytest.raises(ValueError, match=said):
        replace(lowest, **change)


def test_the_choice_is_that_of_the_measurement_as_far_as_trials_are_there(experiment: Experiment, store: Store) -> None:
    config = ExtrapolationConfig(experiment, GRID, ExtrapolationSettings())

    def chosen(trials: dict[str, TrialRecord]) -> str | None:
        found = chosen_trial(config, 70, lambda one: trials.get(one.key))
        return None if found is None else found.key

    for losses in ([0.5, 1e-5, 1e-6, 0.1], [0.5, 0.4, 0.2, 0.3]):
        fakes = Fakes(dict(zip(GRID.grid(), losses, strict=True)))
        with Store(store.path.with_name(f"{losses[1]}.sqlite")) as own:
            record = fakes.run(experiment, own)
            trials = {trial.key: trial for trial in own.all(TrialRecord)}
        for left_out in [None, *(key for key in trials if key != record.trial)]:
            assert chosen({key: trial for key, trial in trials.items() if key != left_out}) == record.trial
    assert chosen({}) is None


@dataclass
class FakeTrained:
    record: TrialRecord


class Fakes:
    """Training runs whose loss is given for each configuration; remembers what was asked for."""

    def __init__(self, losses: dict[tuple[float, int], float], threshold: float = 1e-4) -> None:
        self.losses = losses
        self.threshold = threshold
        self.trained: list[tuple[float, int]] = []
        self.evaluated: list[str] = []

    def train(self, config: TrialConfig) -> FakeTrained:
        self.trained.append((config.learning_rate, config.seed))
        assert config.num_train_sequences == 70
        loss = self.losses[config.learning_rate, config.seed]
        status = "succeeded" if loss < self.threshold else "failed"
        curve: list[tuple[int, float | None]] = [(1, loss)]
        record = TrialRecord(config.key, config, status, 1, loss, 1, 1, curve, {}, "1", 1.0, 1.0, {}, {}, "now")
        return FakeTrained(record)

    def evaluate(self, trained: FakeTrained) -> list[LengthAccuracy]:
        self.evaluated.append(trained.record.key)
        return [LengthAccuracy("teacher_forced", 8, 5, 1.0, 1.0, 1.0, 1.0, [1.0])]

    def run(self, experiment: Experiment, store: Store) -> ExtrapolationRecord:
        config = ExtrapolationConfig(experiment, GRID, ExtrapolationSettings())
        return extrapolate(config, 70, 3, store, self.train, self.evaluate)


def test_with_nothing_held_out_there_is_nothing_to_train(experiment: Experiment, store: Store) -> None:
    fakes = Fakes({})
    config = ExtrapolationConfig(experiment, GRID, ExtrapolationSettings())
    for _ in range(2):
        record = extrapolate(config, 0, None, store, fakes.train, fakes.evaluate)
        assert (record.num_train_sequences, record.trial, record.accuracies) == (0, None, [])


def test_the_first_success_is_evaluated_and_nothing_trained_twice(experiment: Experiment, store: Store) -> None:
    fakes = Fakes({(0.1, 1): 0.5, (0.1, 2): 1e-5, (0.01, 1): 1e-6, (0.01, 2): 0.1})
    record = fakes.run(experiment, store)
    assert fakes.trained == [(0.1, 1), (0.1, 2)]
    assert fakes.evaluated == [record.trial]
    assert record.trial_succeeded
    assert record.num_train_sequences == 70
    assert len(list(store.all(TrialRecord))) == 2


def test_without_success_the_lowest_loss_is(experiment: Experiment, store: Store) -> None:
    fakes = Fakes({(0.1, 1): 0.5, (0.1, 2): 0.4, (0.01, 1): 0.2, (0.01, 2): 0.3})
    record = fakes.run(experiment, store)
    assert not record.trial_succeeded
    trial = store.get(TrialRecord, record.trial)
    assert trial is not None and trial.best_val_loss == 0.2
    assert len(fakes.trained) == 4


def test_only_the_chosen_trial_is_trained_again_if_the_store_has_them_all(experiment: Experiment, store: Store) -> None:
    losses = {(0.1, 1): 0.5, (0.1, 2): 0.4, (0.01, 1): 0.2, (0.01, 2): 0.3}
    first = Fakes(losses)
    for rate, seed in GRID.grid():
        config = TrialConfig(experiment, 70, rate, seed, GRID.threshold, GRID.max_steps, None, 1)
        store.add(first.train(config).record)
    again = Fakes(losses)
    again.run(experiment, store)
    assert again.trained == [(0.01, 1)]


def test_a_stored_result_is_returned_if_its_trial_is_there(experiment: Experiment, store: Store) -> None:
    record = Fakes(dict.fromkeys(GRID.grid(), 1e-5)).run(experiment, store)
    job = ExtrapolationJob(SearchJob(experiment, GRID, 70, 3), ExtrapolationSettings())
    assert job.stored(store) == record
    assert job.run(ProgressReporter(lambda event: None), store) == record
    store.database.execute("DELETE FROM trials")
    assert job.stored(store) is None


def test_lengths() -> None:
    assert ExtrapolationSettings().lengths(30) == [30, 45, 60, 120, 240, 480]
    assert ExtrapolationSettings(multiples=[1, 1.1, 2]).lengths(3) == [3, 6]


@pytest.mark.parametrize("multiples", [[], [0.5], [17]])
def test_multiples_out_of_range(multiples: list[float]) -> None:
    with pytest.raises(InvalidOptionError, match=r"extrapolation\.multiples"):
        ExtrapolationSettings(multiples=multiples)


def test_a_record_of_a_model_that_is_not_here_is_shown(experiment: Experiment, store: Store) -> None:
    elsewhere = replace(experiment, model=ClassSpec("their_models.Own", {"num_layers": 3}))
    fakes = Fakes({(0.1, 1): 1e-5, (0.1, 2): 1.0, (0.01, 1): 1.0, (0.01, 2): 1.0})
    assert "their_models.Own" in str(fakes.run(elsewhere, store))
