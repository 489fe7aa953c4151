"""What is particular to Ray; the rest is in the contract of all executors."""

from __future__ import annotations

import os
import signal
import sys
import warnings
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


def nodes(num_gpus: int) -> list[dict[str, Any]]:
    return [
        {"Alive": True, "Resources": {"CPU": 4.0, **({"GPU": float(num_gpus)} if num_gpus else {})}},
        {"Alive": False, "Resources": {"GPU": 8.0}},
    ]


def test_gpus_that_no_search_asks_for_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: nodes(num_gpus=2))
    with pytest.warns(UserWarning, match=r"has GPUs and ray.num_gpus is 0: unless trainer.accelerator is cpu, .*"):
        Ray(RaySettings())._warn_of_nodes()


@pytest.mark.parametrize(("num_gpus", "wanted"), [(0, 0.0), (2, 0.5)])
def test_otherwise_nothing_is_warned_of(num_gpus: int, wanted: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", lambda: nodes(num_gpus))
    monkeypatch.setattr("ib_bench.execution.ray.visible_gpus", lambda: ["0", "1"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Ray(RaySettings(num_gpus=wanted))._warn_of_nodes()
