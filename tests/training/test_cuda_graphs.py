"""Steps that are replayed: the machinery, with a recorder for CPUs. What a GPU records is tested in ``tests/gpu``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from ib_bench.errors import BenchError
from ib_bench.models.cuda_graphs import StepGraphs
from ib_bench.results.records import ClassSpec, Experiment
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training import trial as trials
from ib_bench.training.trial import run_trial

pytestmark = pytest.mark.system


class Repeating:
    """Remembers the call, and repeats it: it reads the recorded batch at every replay, as a graph does."""

    made: int = 0
    recorded: int = 0
    inside: bool = False

    def __init__(self) -> None:
        Repeating.made += 1

    @contextmanager
    def stream(self) -> Iterator[None]:
        assert not Repeating.inside
        Repeating.inside = True
        try:
            yield
        finally:
            Repeating.inside = False

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        assert Repeating.inside
        Repeating.recorded += 1
        return call


class Failing(Repeating):
    """Does what torch does where a step waits for the GPU, or where memory runs out."""

    error: Exception = RuntimeError("operation not permitted when stream is capturing\nand more")

    def record(self, call: Callable[[], None]) -> Callable[[], None]:
        raise self.error


@pytest.fixture
def config(experiment: Experiment) -> TrialConfig:
    model = ClassSpec("ib_bench.models.LSTM", {"hidden_size": 8})
    return TrialConfig(replace(experiment, model=model), 40, 1e-2, 10, 1e-9, 60, 20, 1)


@pytest.fixture
def on_cpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[type[Repeating]], list[StepGraphs]]:
    """Replay on a CPU too; returns the graphs that trials make."""
    Repeating.made = Repeating.recorded = 0
    Repeating.inside = False

    def use(recorder: type[Repeating]) -> list[StepGraphs]:
        made: list[StepGraphs] = []

        def make() -> StepGraphs:
            graphs = StepGraphs(recorder)
            graphs.device_type = "cpu"
            made.append(graphs)
            return graphs

        monkeypatch.setattr(trials, "StepGraphs", make)
        return made

    return use


def outcome(record: TrialRecord) -> tuple[Any, ...]:
    return record.key, record.val_curve, record.metrics, record.num_steps, record.status


@pytest.mark.parametrize(
    ("model", "trainer"),
    [
        (("LSTM", {"hidden_size": 8}), {}),
        (("DenseSSM", {"hidden_size": 8}), {"precision": "bf16-mixed"}),
        (("Transformer", {"hidden_size": 8, "num_heads": 2, "num_layers": 1, "dropout": 0.3}), {}),
    ],
)
def test_a_replayed_trial_is_the_same_bit_for_bit(
    config: TrialConfig,
    on_cpu: Callable[[type[Repeating]], list[StepGraphs]],
    model: tuple[str, dict[str, Any]],
    trainer: dict[str, Any],
) -> None:
    spec = ClassSpec(f"ib_bench.models.{model[0]}", model[1])
    config = replace(config, experiment=replace(config.experiment, model=spec, trainer=trainer))
    made = on_cpu(Repeating)
    plain = run_trial(replace(config, cuda_graph=False))
    assert not made and "replayed_steps" not in plain.environment
    replayed = run_trial(config)
    (graphs,) = made
    assert outcome(replayed) == outcome(plain)
    assert Repeating.made == 1
    assert Repeating.recorded >= 2  # the last batch of an epoch is smaller
    assert 0 < graphs.num_replayed <= 60 - 3 * Repeating.recorded
    assert replayed.environment["replayed_steps"] == str(graphs.num_replayed)


def test_a_trial_on_a_cpu_is_not_replayed(config: TrialConfig) -> None:
    assert "replayed_steps" not in run_trial(config).environment


@pytest.mark.parametrize("trainer", [{"gradient_clip_val": 1.0}, {"accumulate_grad_batches": 2}, {"benchmark": True}])
def test_what_cannot_be_replayed_is_trained_as_usual(
    config: TrialConfig, on_cpu: Callable[[type[Repeating]], list[StepGraphs]], trainer: dict[str, Any]
) -> None:
    made = on_cpu(Failing)
    assert run_trial(replace(config, experiment=replace(config.experiment, trainer=trainer))).num_steps == 60
    assert not made


def test_graphs_are_given_up_at_the_end(
    config: TrialConfig, on_cpu: Callable[[type[Repeating]], list[StepGraphs]]
) -> None:
    made = on_cpu(Repeating)
    trained = trials.train_trial(config)
    assert trained.model._graphs is None
    assert not made[0]._graphs and made[0]._recorder is None


def test_a_step_that_cannot_be_recorded_is_one_sentence(
    config: TrialConfig, on_cpu: Callable[[type[Repeating]], list[StepGraphs]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = on_cpu(Failing)
    sentence = r"cannot be recorded as a CUDA graph \(operation not .* capturing\); use search.cuda_graph false$"
    with pytest.raises(BenchError, match=sentence):
        run_trial(config)
    monkeypatch.setattr(Failing, "error", torch.cuda.OutOfMemoryError("CUDA out of memory"))
    with pytest.raises(BenchError, match=r"try a data\.batch_size below"):
        run_trial(config)
    assert all(graphs._recorder is None for graphs in made)


def test_rare_shapes_stay_as_they_are_where_there_are_many(
    config: TrialConfig, on_cpu: Callable[[type[Repeating]], list[StepGraphs]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ib_bench.models.cuda_graphs._MAX_GRAPHS", 1)
    made = on_cpu(Repeating)
    plain = run_trial(replace(config, cuda_graph=False))
    assert outcome(run_trial(config)) == outcome(plain)
    assert Repeating.recorded == 1 and 0 < made[0].num_replayed < 57
