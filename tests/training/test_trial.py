"""A trial trains, stops, and says what happened; the same config gives the same record."""

from __future__ import annotations

import random  # noqa: TID251 (to see that it is left alone)
from dataclasses import replace

import pytest
import torch

from ib_bench.errors import BenchError
from ib_bench.models.full_precision import has_bfloat16_lstm
from ib_bench.models.metrics import METRIC_DEFINITION, METRICS
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training.trial import run_trial

pytestmark = pytest.mark.system


@pytest.fixture
def config(experiment: Experiment) -> TrialConfig:
    return TrialConfig(
        experiment=experiment,
        num_train_sequences=64,
        learning_rate=1e-2,
        seed=10,
        threshold=1e-2,
        max_steps=600,
        val_check_interval=None,
        num_threads=1,
    )


def lasting(record: TrialRecord) -> Json:
    """What does not depend on the clock."""
    return {name: value for name, value in vars(record).items() if name not in PASSING}


PASSING = ("wall_time_s", "process_time_s", "finished_at")


def test_success_ends_at_the_first_loss_below_the_threshold(config: TrialConfig) -> None:
    seen: list[tuple[int, float]] = []
    record = run_trial(config, on_validation=lambda step, loss: seen.append((step, loss)))
    assert record.status == "succeeded" and record.succeeded
    *before, (last_step, last_loss) = record.val_curve
    assert last_loss is not None and last_loss < config.threshold
    assert all(loss is not None and loss >= config.threshold for _, loss in before)
    assert record.num_steps == record.best_step == last_step < config.max_steps
    assert record.best_val_loss == record.metrics["loss"] == last_loss
    assert seen == record.val_curve
    assert [step for step, _ in record.val_curve] == [
        record.val_check_interval * (i + 1) for i in range(len(record.val_curve))
    ]
    assert set(record.metrics) == set(METRICS)
    assert record.metrics["final_state_accuracy"] == 1
    assert record.metric_definition == METRIC_DEFINITION
    assert record.key == config.key
    assert record.config == config
    assert {"python", "torch", "lightning", "ib_bench"} <= set(record.versions)
    assert record.wall_time_s > 0 and record.process_time_s > 0


def test_failure_spends_the_budget_and_validates_at_its_end(config: TrialConfig) -> None:
    record = run_trial(replace(config, max_steps=25, val_check_interval=10))
    assert record.status == "failed"
    assert record.num_steps == 25
    assert [step for step, _ in record.val_curve] == [10, 20, 25]
    losses = [loss for _, loss in record.val_curve if loss is not None]
    assert record.best_val_loss == min(losses)
    assert record.metrics["loss"] == losses[-1]


def test_a_success_seen_only_at_the_end_of_the_budget_counts(config: TrialConfig) -> None:
    needed = run_trial(config).num_steps
    record = run_trial(replace(config, max_steps=needed, val_check_interval=needed + 1))
    assert record.status == "succeeded"
    assert record.num_steps == needed
    assert len(record.val_curve) == 1


def test_divergence_is_a_result(config: TrialConfig) -> None:
    record = run_trial(replace(config, learning_rate=1e30, val_check_interval=5))
    assert record.status == "diverged"
    assert record.val_curve[-1][1] is None
    assert record.metrics["loss"] is None
    assert record.num_steps < config.max_steps


def test_same_config_same_record_whatever_has_run_before(config: TrialConfig) -> None:
    config = replace(config, max_steps=60)
    first = run_trial(config)
    run_trial(replace(config, seed=20, num_train_sequences=13))
    torch.rand(100)
    assert lasting(run_trial(config)) == lasting(first)


def test_the_model_is_measured(config: TrialConfig) -> None:
    short = replace(config, max_steps=1)
    record = run_trial(short)
    assert record.num_parameters == 16 * 3 + 16 * 16 * 16 + 16 + 16 * 3 + 3
    assert record.state_sizes == [16, 16]
    transformer = ClassSpec("ib_bench.models.Transformer", {"num_layers": 1, "hidden_size": 8, "num_heads": 1})
    grows = run_trial(replace(short, experiment=replace(config.experiment, model=transformer)))
    assert grows.state_sizes == [4 * 2 * 8, 8 * 2 * 8]
    for name in ("PlainLSTM", "WithoutState"):
        own = ClassSpec(f"watchful_models.{name}", {})
        unknown = run_trial(replace(short, experiment=replace(config.experiment, model=own)))
        assert unknown.state_sizes == [] and unknown.num_parameters == 3 * 8 + 2 * 4 * 8 * (8 + 1) + 8 * 3 + 3


def test_a_model_that_ends_the_process_fails(config: TrialConfig) -> None:
    own = replace(config.experiment, model=ClassSpec("watchful_models.Leaves", {}))
    with pytest.raises(BenchError, match=r"the model or its data called sys\.exit\(3\)"):
        run_trial(replace(config, experiment=own))


def test_the_seed_changes_the_curve(config: TrialConfig) -> None:
    config = replace(config, max_steps=60)
    assert run_trial(config).val_curve != run_trial(replace(config, seed=20)).val_curve


def test_the_callers_randomness_and_threads_are_left_alone(config: TrialConfig) -> None:
    num_threads = torch.get_num_threads()
    torch.set_num_threads(config.num_threads + 1)
    try:
        states = torch.get_rng_state(), random.getstate()
        run_trial(replace(config, max_steps=2))
        assert torch.equal(torch.get_rng_state(), states[0])
        assert random.getstate() == states[1]
        assert torch.get_num_threads() == config.num_threads + 1
    finally:
        torch.set_num_threads(num_threads)


def test_nothing_is_printed_or_written(
    config: TrialConfig, tmp_path: object, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(str(tmp_path))
    run_trial(replace(config, max_steps=3))
    assert capfd.readouterr() == ("", "")
    assert not list(__import__("pathlib").Path(str(tmp_path)).iterdir())


@pytest.mark.parametrize("size", [1, 15, 16, 17])
def test_sizes_around_a_batch(config: TrialConfig, size: int) -> None:
    assert run_trial(replace(config, num_train_sequences=size, max_steps=5)).num_steps == 5


def test_precision_passes_through(config: TrialConfig) -> None:
    mixed = replace(config.experiment, trainer={"precision": "bf16-mixed"})
    one, other = (run_trial(replace(config, experiment=e, max_steps=10)) for e in (config.experiment, mixed))
    assert one.val_curve != other.val_curve
    assert one.best_val_loss == pytest.approx(other.best_val_loss, rel=0.1)
    assert one.key != other.key


def test_a_model_larger_than_its_data_needs_is_built_by_class_path(config: TrialConfig) -> None:
    model = ClassSpec("ib_bench.models.Transformer", {"hidden_size": 16, "num_heads": 2})
    record = run_trial(replace(config, experiment=replace(config.experiment, model=model), max_steps=3))
    assert record.num_steps == 3


@pytest.mark.processor
@pytest.mark.parametrize("precision", ["bf16-mixed", "16-mixed"])
def test_mixed_precision_is_for_training_and_validation_is_in_float32(config: TrialConfig, precision: str) -> None:
    model = ClassSpec("watchful_models.Exact", {"hidden_size": 16})
    experiment = replace(config.experiment, model=model, trainer={"precision": precision})
    assert run_trial(replace(config, experiment=experiment, max_steps=5)).num_steps == 5


@pytest.mark.processor
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "bf16-true"])
@pytest.mark.parametrize("model", ["DenseSSM", "LSTM"])
def test_precision_and_clipping_pass_through(config: TrialConfig, model: str, precision: str) -> None:
    experiment = Experiment(
        model=ClassSpec(f"ib_bench.models.{model}", {"hidden_size": 16}),
        data=config.experiment.data,
        trainer={"precision": precision, "gradient_clip_val": 1.0},
    )
    record = run_trial(replace(config, max_steps=3, experiment=experiment))
    assert record.num_steps == 3 and record.status == "failed"


@pytest.mark.processor
@pytest.mark.parametrize("precision", [None, "bf16-mixed", "bf16-true"])
def test_a_users_lstm_trains_or_one_sentence_says_what_to_do(config: TrialConfig, precision: str | None) -> None:
    model = ClassSpec("watchful_models.PlainLSTM", {})
    trainer = {} if precision is None else {"precision": precision}
    config = replace(config, experiment=Experiment(model, config.experiment.data, trainer), max_steps=3)
    if precision == "bf16-mixed" and not has_bfloat16_lstm():
        words = "^trainer.precision bf16-mixed needs a bfloat16 kernel .*PortableLSTM in place of torch.nn.LSTM$"
        with pytest.raises(BenchError, match=words):
            run_trial(config)
    else:
        assert run_trial(config).num_steps == 3
