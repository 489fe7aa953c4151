"""Errors cross processes with their sentence."""

from __future__ import annotations

import pickle

import pytest

from ib_bench.errors import (
    BenchError,
    InvalidOptionError,
    NothingHeldOutError,
    PoolExhaustedError,
    StoreError,
    SymbolRangeError,
    UnknownNameError,
)


@pytest.mark.parametrize(
    "error",
    [
        BenchError("a sentence"),
        StoreError("a sentence"),
        SymbolRangeError("a sentence"),
        InvalidOptionError("modulus", 1, "at least 2"),
        UnknownNameError("model", "LSTN", ["LSTM"]),
        PoolExhaustedError(100, 50),
        NothingHeldOutError(4),
    ],
    ids=lambda error: type(error).__name__,
)
def test_pickling_keeps_the_sentence(error: BenchError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)
