"""Steps replayed as CUDA graphs: the same numbers, bit for bit, and what happens where one cannot be recorded."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import torch
from cuda_trials import PRECISIONS, SHELF, SIZES, WEIGHTS_IN_PIECES, small_trial
from torch import Tensor

from ib_bench.errors import BenchError, OutOfMemoryError
from ib_bench.models import LSTM, cuda_graphs
from ib_bench.models.cuda_graphs import CudaRecorder
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.training.trial import run_trial

pytestmark = [pytest.mark.gpu, pytest.mark.system, pytest.mark.filterwarnings("default", WEIGHTS_IN_PIECES)]

PAPER: dict[str, Json] = {
    "LSTM": {"hidden_size": 768},
    "DenseSSM": {"hidden_size": 256},
    "Transformer": {"hidden_size": 256, "num_layers": 6, "num_heads": 4, "dropout": 0.1},
}
OPTIONS: list[tuple[str, Json]] = [
    ("Transformer", {"positions": "rotary", "num_loops": 2}),
    ("Transformer", {"positions": "alibi"}),
    ("DenseSSM", {"write_term": True}),
    ("DeltaNet", {"num_householders": 2, "negative_eigenvalues": True, "gate": True}),
    ("Mamba2", {"negative_eigenvalues": True}),
    ("Mamba2", {"rotation": True}),
    ("SLiCE", {"write_term": True}),
]
LONG = {"modulus": 5, "max_length": 20, "batch_size": 64}
MEGABYTE = 2**20


def is_replayed(record: TrialRecord) -> bool:
    """Whether most of the steps were."""
    return int(record.environment.get("replayed_steps", 0)) > record.num_steps / 2


def assert_same_as_usual(config: TrialConfig, accelerator: str) -> None:
    """Replayed twice and not replayed, all bits are the same."""
    usual, once, twice = (
        run_trial(replace(config, cuda_graph=graph), {"accelerator": accelerator}) for graph in (False, True, True)
    )
    assert "replayed_steps" not in usual.environment
    assert is_replayed(once) and is_replayed(twice)
    assert once.val_curve == twice.val_curve
    assert once.val_curve == usual.val_curve
    assert once.metrics == usual.metrics and once.key == usual.key


@pytest.mark.parametrize("precision", [*PRECISIONS, "64-true"])
@pytest.mark.parametrize("name", SIZES)
def test_a_replayed_trial_is_the_same_bit_for_bit(accelerator: str, name: str, precision: str) -> None:
    assert_same_as_usual(small_trial(name, precision), accelerator)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_so_is_one_with_dropout(accelerator: str, precision: str) -> None:
    assert_same_as_usual(small_trial("Transformer", precision, sizes={"dropout": 0.3}), accelerator)


@pytest.mark.parametrize("name", SHELF)
def test_so_are_those_of_the_shelf(accelerator: str, name: str) -> None:
    assert_same_as_usual(small_trial(name), accelerator)


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=lambda value: value if isinstance(value, str) else "")
def test_so_are_those_with_other_options(accelerator: str, name: str, options: Json) -> None:
    assert_same_as_usual(small_trial(name, sizes=options), accelerator)


@pytest.mark.parametrize("name", PAPER)
def test_so_are_those_of_the_papers_widths(accelerator: str, name: str) -> None:
    config = small_trial(name, num_steps=90, data=LONG, sizes=PAPER[name], num_train_sequences=1000)
    assert_same_as_usual(config, accelerator)


@pytest.fixture
def empty_memory() -> Iterator[None]:
    """Without what earlier tests have left."""
    gc.collect()
    torch.cuda.empty_cache()
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_many_trials_in_one_process_leave_no_memory_behind(accelerator: str, empty_memory: None) -> None:
    configs = [replace(small_trial(name), seed=seed) for seed in (10, 20, 30) for name in SIZES]
    taken = []
    for config in configs:
        assert is_replayed(run_trial(config, {"accelerator": accelerator}))
        gc.collect()
        torch.cuda.empty_cache()
        taken.append(torch.cuda.memory_reserved())
    assert max(taken[-3:]) <= max(taken[:3]) + MEGABYTE, taken
    again = run_trial(configs[0], {"accelerator": accelerator})
    assert again.val_curve == run_trial(replace(configs[0], cuda_graph=False), {"accelerator": accelerator}).val_curve


def test_out_of_memory_while_recording_is_one_sentence(
    accelerator: str, empty_memory: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_trial("Transformer", sizes={"dropout": 0.3})
    usual = run_trial(replace(config, cuda_graph=False), {"accelerator": accelerator})
    record = CudaRecorder.record

    def without_memory(self: CudaRecorder, call: Callable[[], None]) -> Callable[[], None]:
        torch.cuda.set_per_process_memory_fraction(1e-6)
        return record(self, call)

    with monkeypatch.context() as patched:
        patched.setattr(CudaRecorder, "record", without_memory)
        with pytest.raises(OutOfMemoryError, match=r"try a data\.batch_size below 16, or a smaller model"):
            run_trial(config, {"accelerator": accelerator})
    torch.cuda.set_per_process_memory_fraction(1.0)
    after = run_trial(config, {"accelerator": accelerator})
    assert is_replayed(after) and after.val_curve == usual.val_curve


class Peeking(LSTM):
    """Waits for the GPU in every step, but says that it does not."""

    capturable = True

    def forward(self, tokens: Tensor) -> Tensor:
        logits = super().forward(tokens)
        return logits if logits.sum().item() != 0.5 else -logits


class Unsaid(Peeking):
    """The same, which says nothing."""


def test_what_cannot_be_recorded_is_one_sentence_and_the_next_trial_runs(accelerator: str) -> None:
    config = small_trial("Transformer", sizes={"dropout": 0.3})
    usual = run_trial(config, {"accelerator": accelerator})

    def own(model: type) -> TrialConfig:
        spec = ClassSpec(f"{__name__}.{model.__name__}", {"hidden_size": 16})
        return replace(config, experiment=replace(config.experiment, model=spec))

    with pytest.raises(BenchError, match=r"cannot be recorded as a CUDA graph \(.*\); use search.cuda_graph false$"):
        run_trial(own(Peeking), {"accelerator": accelerator})
    unrecorded = run_trial(replace(own(Peeking), cuda_graph=False), {"accelerator": accelerator})
    assert run_trial(own(Unsaid), {"accelerator": accelerator}).val_curve == unrecorded.val_curve
    assert run_trial(config, {"accelerator": accelerator}).val_curve == usual.val_curve


def test_at_most_so_many_shapes_are_recorded(accelerator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "_MAX_GRAPHS", 1)
    config = small_trial("DenseSSM")
    usual, replayed = (
        run_trial(replace(config, cuda_graph=graph), {"accelerator": accelerator}) for graph in (False, True)
    )
    assert 0 < int(replayed.environment["replayed_steps"]) < 57
    assert replayed.val_curve == usual.val_curve
