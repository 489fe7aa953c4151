"""The LSTM trains under bfloat16 autocast wherever it runs."""

from __future__ import annotations

import os
import platform
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from ib_bench.models import full_precision
from ib_bench.models.full_precision import PortableLSTM, has_bfloat16_lstm

pytestmark = pytest.mark.processor


@pytest.fixture
def pair() -> tuple[PortableLSTM, nn.LSTM]:
    """With the same weights."""
    portable, plain = PortableLSTM(8, 8, 2, batch_first=True), nn.LSTM(8, 8, 2, batch_first=True)
    plain.load_state_dict(portable.state_dict())
    return portable, plain


@pytest.fixture
def inputs() -> torch.Tensor:
    return torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def without_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a processor without AVX-512, in a process that has not spoken of it yet."""
    monkeypatch.setattr(full_precision, "has_bfloat16_lstm", lambda: False)
    full_precision._warn_of_float32.cache_clear()


def test_in_float32_it_is_torchs(pair: tuple[PortableLSTM, nn.LSTM], inputs: torch.Tensor) -> None:
    (found, state), (expected, its_state) = (lstm(inputs) for lstm in pair)
    assert torch.equal(found, expected) and torch.equal(state[0], its_state[0])


def test_it_trains_under_autocast(pair: tuple[PortableLSTM, nn.LSTM], inputs: torch.Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = pair[0](inputs)
    found.float().sum().backward()
    assert found.dtype == (torch.bfloat16 if has_bfloat16_lstm() else torch.float32)
    torch.testing.assert_close(found.float(), pair[1](inputs)[0], atol=0.02, rtol=0.02)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in pair[0].parameters())


def test_without_the_kernel_it_computes_in_float32_and_says_so_once(
    pair: tuple[PortableLSTM, nn.LSTM], inputs: torch.Tensor, without_the_kernel: None
) -> None:
    portable, plain = pair
    expected, _ = plain(inputs)
    lengths = torch.tensor([5, 3, 2])
    packed, _ = plain(pack_padded_sequence(inputs, lengths, batch_first=True))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        with pytest.warns(UserWarning, match="^this processor has no bfloat16 LSTM, so the LSTM computes in float32$"):
            found, its_state = portable(inputs)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            going_on, _ = portable(inputs.bfloat16().float(), its_state)
            of_packed, _ = portable(pack_padded_sequence(inputs, lengths, batch_first=True))
    assert torch.equal(found, expected)
    assert going_on.dtype == torch.float32
    assert isinstance(of_packed, PackedSequence) and torch.equal(of_packed.data, packed.data)


def test_asking_for_the_kernel_draws_no_random_numbers() -> None:
    has_bfloat16_lstm.cache_clear()
    before = torch.get_rng_state()
    has_bfloat16_lstm()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.skipif(
    os.environ.get("ONEDNN_MAX_CPU_ISA") != "AVX2" or platform.machine() != "x86_64",
    reason="for the second part of `make test`",
)
def test_the_second_part_of_the_tests_runs_without_the_kernel() -> None:
    assert not has_bfloat16_lstm()
