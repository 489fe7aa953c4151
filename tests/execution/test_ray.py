"""What is particular to Ray; the rest is in the contract of all executors."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import ray

from ib_bench.errors import BenchError
from ib_bench.execution.ray import Ray, RaySettings


class TerminatedError(Exception):
    """What this process does about SIGTERM."""


def raise_terminated(*_: Any) -> None:
    raise TerminatedError


@pytest.fixture(autouse=True)
def own_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, raise_terminated)
    yield
    signal.signal(signal.SIGTERM, before)


def init_under_sigterm(**_: Any) -> None:
    """As Ray does, replace the handler of SIGTERM; then the signal comes."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
    os.kill(os.getpid(), signal.SIGTERM)


def init_in_peace(**_: Any) -> None:
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(number))
    raise ValueError("no such cluster")


@pytest.mark.parametrize(("init", "error"), [(init_under_sigterm, TerminatedError), (init_in_peace, BenchError)])
def test_sigterm_is_ours_also_while_ray_connects(
    init: Any, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(error):
        Ray(RaySettings()).run(len, ["a"], print)  # type: ignore[arg-type]
    assert signal.getsignal(signal.SIGTERM) is raise_terminated
