"""Trials on a GPU: the same twice, compiled, out of memory, and as parts of a search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cuda_trials import PRECISIONS, SIZES, WEIGHTS_IN_PIECES, small_trial

import ib_bench
from ib_bench.errors import OutOfMemoryError
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.training.acceleration import c_compiler
from ib_bench.training.trial import run_trial

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.system,
    pytest.mark.filterwarnings("default", WEIGHTS_IN_PIECES),
]

MANY_SYMBOLS = {"modulus": 50, "max_length": 3}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("data", [{}, MANY_SYMBOLS], ids=["3 symbols", "50 symbols"])
@pytest.mark.parametrize("name", SIZES)
def test_twice_the_same_is_the_same_bit_for_bit(
    accelerator: str, name: str, data: dict[str, int], precision: str
) -> None:
    config = small_trial(name, precision, data=data)
    one, other = (run_trial(config, {"accelerator": accelerator}) for _ in range(2))
    assert one.val_curve == other.val_curve
    assert one.metrics == other.metrics


@pytest.mark.parametrize("name", SIZES)
def test_deterministic_algorithms_can_be_asked_for(accelerator: str, name: str) -> None:
    run_trial(small_trial(name), {"accelerator": accelerator})  # cuBLAS looks at its variable once in a process
    config = small_trial(name)
    strict = replace(config, experiment=replace(config.experiment, trainer={"deterministic": True}))
    assert run_trial(strict, {"accelerator": accelerator}).num_steps == config.max_steps


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A hundredth of what the GPU has."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.01)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_out_of_memory_is_one_sentence_and_the_next_trial_has_the_memory_again(
    accelerator: str, little_memory: None
) -> None:
    small = small_trial("Transformer")
    data = {"max_length": 40, "batch_size": 20_000, "length_distribution": "fixed"}
    large = small_trial("Transformer", data=data, num_train_sequences=20_000)
    with pytest.raises(OutOfMemoryError, match=r"try a data\.batch_size below 20000, or a smaller model") as raised:
        run_trial(large, {"accelerator": accelerator})
    assert raised.value.__cause__ is not None  # and is kept while the next one runs
    assert run_trial(small, {"accelerator": accelerator}).num_steps == small.max_steps


def test_a_search_and_an_extrapolation(accelerator: str, tmp_path: Path) -> None:
    """With everything that ``auto`` picks on a GPU."""
    config = {
        "model": {"class_path": "DenseSSM", "init_args": {"hidden_size": 16}},
        "data": {"class_path": "ModularAddition", "init_args": {"modulus": 3, "max_length": 4}},
        "trainer": {"accelerator": accelerator},
        "search": {
            "learning_rates": [1e-2],
            "seeds": [10, 20],
            "max_steps": 600,
            "max_size": 60,
            "threshold": 0.05,
            "compile": "auto",
        },
    }
    found = ib_bench.search(store=tmp_path / "store.sqlite", **config)
    assert found.min_train_size is not None
    assert not found.config.settings.compile
    with Store(tmp_path / "store.sqlite", create=False) as store:
        replayed = ["replayed_steps" in trial.environment for trial in store.all(TrialRecord)]
    assert set(replayed) == {accelerator == "cuda"}
    extrapolation = {"extrapolation": {"multiples": [1, 2], "num_sequences": 50}}
    measured = ib_bench.measure("extrapolate", store=tmp_path / "store.sqlite", **config, **extrapolation)
    assert measured.accuracies[0].final_state_accuracy > 0.9


@pytest.mark.parametrize("name", ["DenseSSM", "Transformer"])
def test_compiled_steps_give_the_same_curve(accelerator: str, name: str) -> None:
    if accelerator == "cuda" and c_compiler() is None:
        pytest.skip("there is no C compiler")
    config = small_trial(name, data={"length_distribution": "fixed"})
    plain, compiled = (
        run_trial(replace(config, options=options), {"accelerator": accelerator}) for options in ({}, {"compile": True})
    )
    losses, expected = ([loss for _, loss in record.val_curve] for record in (compiled, plain))
    assert losses == pytest.approx(expected, rel=1e-2)
