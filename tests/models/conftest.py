from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Weights do not depend on which tests have run before."""
    torch.default_generator.manual_seed(0)
