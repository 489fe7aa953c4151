"""How many cores a process may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

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
