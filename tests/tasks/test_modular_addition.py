from __future__ import annotations

import pytest
import torch

from ib_bench.errors import InvalidOptionError
from ib_bench.tasks import ModularAddition


def test_long_sums_do_not_overflow_the_symbols_type() -> None:
    symbols = torch.full((1, 1000), 99, dtype=torch.uint8)
    assert ModularAddition(100).trajectory(symbols)[0, -1] == (99 * 1000) % 100


@pytest.mark.parametrize("modulus", [1, 0, -5])
def test_modulus_below_two(modulus: int) -> None:
    with pytest.raises(InvalidOptionError, match=f"modulus must be an integer in 2..32,768, got {modulus}"):
        ModularAddition(modulus)
