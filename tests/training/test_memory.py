"""Memory that has run out is one sentence; an error that is kept keeps nothing else."""

from __future__ import annotations

import weakref

import pytest
import torch

from ib_bench.errors import OutOfMemoryError
from ib_bench.results.records import Experiment
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.memory import memory_errors_explained


@pytest.fixture
def config(experiment: Experiment) -> TrialConfig:
    return TrialConfig(experiment, 64, 1e-2, 10, 1e-4, 60, 20, 1)


ERRORS = {
    "Python": MemoryError(),
    "CPU": RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"),
    "limit": RuntimeError("std::bad_alloc"),
    "GPU": torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 8.00 GiB"),
    "GPU of others": RuntimeError("CUDA error: out of memory"),
    "cuBLAS": RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "cuDNN": RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
}


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_it_is_one_sentence(config: TrialConfig, error: Exception) -> None:
    words = r"^out of memory in a training run on 64 sequences: try a data\.batch_size below 16, or a smaller model$"
    with pytest.raises(OutOfMemoryError, match=words), memory_errors_explained(config):
        raise error


def test_other_errors_are_left_alone(config: TrialConfig) -> None:
    with pytest.raises(RuntimeError, match=r"^sizes differ$"), memory_errors_explained(config):
        raise RuntimeError("sizes differ")


def test_what_filled_the_memory_is_let_go(config: TrialConfig) -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def fill() -> None:
        activations = torch.zeros(8)
        held.append(weakref.ref(activations))
        raise MemoryError

    with pytest.raises(OutOfMemoryError) as raised, memory_errors_explained(config):
        fill()
    assert raised.value.__cause__ is not None
    assert held[0]() is None
