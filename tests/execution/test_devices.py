"""How many cores a process may use."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
import torch

from ib_bench.execution import devices

FILES = {
    "version 2": ({"cpu.max": "150000 100000\n"}, "", 2),
    "version 2, no limit": ({"cpu.max": "max 100000\n"}, "", 8),
    "version 2, seen from the host": ({"pod/one/cpu.max": "300000 100000\n"}, "0::/pod/one\n", 3),
    "version 2, a parent's": (
        {"pod/cpu.max": "300000 100000\n", "pod/one/cpu.max": "max 100000\n"},
        "0::/pod/one\n",
        3,
    ),
    "version 1": ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, "", 4),
    "version 1, no limit": ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, "", 8),
    "version 1, seen from the host": (
        {"cpu/docker/a/cpu.cfs_quota_us": "50000\n", "cpu/docker/a/cpu.cfs_period_us": "100000\n"},
        "4:memory:/docker/a\n3:cpu,cpuacct:/docker/a\n",
        1,
    ),
    "more than there are": ({"cpu.max": "9900000 100000\n"}, "", 8),
    "nothing": ({}, "", 8),
    "nonsense": ({"cpu.max": "a lot\n", "cpu/cpu.cfs_quota_us": "1", "cpu/cpu.cfs_period_us": "0"}, "x", 8),
}


@pytest.mark.parametrize("name", FILES)
def test_a_quota_of_a_container_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, own, expected = FILES[name]
    for path, text in files.items():
        (tmp_path / "cgroup" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "cgroup" / path).write_text(text)
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(devices, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(devices, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    assert devices.num_cores() == expected


@pytest.mark.parametrize(
    ("named", "num_seen", "gpus"),
    [
        ("", 2, ["0", "1"]),
        ("3, 1", 2, ["3", "1"]),
        ("3,9", 1, ["3"]),  # there is no ninth
        ("MIG-a,MIG-b", 1, ["MIG-a", "MIG-b"]),
        ("MIG-a,MIG-b", 0, []),
    ],
)
def test_slices_of_a_gpu_are_counted_by_their_names(
    named: str, num_seen: int, gpus: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process sees one slice, so that torch's count is 1."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: num_seen)
    assert devices.visible_gpus() == gpus


def test_windows_lacks_limits_but_can_say_that_it_is_refused() -> None:
    assert "resource" not in vars(devices)


def test_many_workers_raise_the_limit_on_open_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, made = [(1024, 4096)], []
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda which, new: made.append(new))
    devices.allow_open_files(1000)
    devices.allow_open_files(2000)
    assert made == [(2000, 4096)]
    limits.append((1024, resource.RLIM_INFINITY))
    devices.allow_open_files(5000)
    assert made[1:] == [(5000, resource.RLIM_INFINITY)]
    limits.append((1024, 4096))
    devices.allow_open_files(5000)  # as far as it goes
    assert made[2:] == [(4096, 4096)]
