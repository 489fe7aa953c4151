"""Nodes of a Ray cluster that die while searches run on them: another node takes the searches over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from ray.cluster_utils import Cluster
from torture.campaign import Campaign
from torture.processes import MARK, Command, command_line, marked, num_left, parent_of

pytestmark = [pytest.mark.system, pytest.mark.torture, pytest.mark.timeout(0)]

NODES = "ray nodes"
HEALTH_CHECKS = {"RAY_health_check_period_ms": "500", "RAY_health_check_failure_threshold": "4"}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that runs nothing itself, and two nodes that do; each node notices soon if another is gone."""
    monkeypatch.setenv(MARK, NODES)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    for name, value in HEALTH_CHECKS.items():
        monkeypatch.setenv(name, value)
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


def test_kill_9_of_a_ray_node(campaign: Campaign, kills: int, cluster: Any) -> None:
    campaign.arguments = ("--executor", "ray", "--ray.address", cluster.address, "--ray.max_retries", "1000")

    def strike(command: Command) -> bool:
        busy = [node for node in cluster.worker_nodes if calls_on(node)]
        if not busy:
            return False
        node = busy[campaign.one_of(list(range(len(busy)))) or 0]
        os.kill(raylet_of(node), signal.SIGKILL)
        cluster.remove_node(node, allow_graceful=False)
        cluster.add_node(num_cpus=1)
        return True

    campaign.strike_parts(-(-kills // 4), strike)
    cluster.shutdown()
    campaign.figures.processes += num_left(NODES)


def raylet_of(node: Any) -> int:
    """Process id of what a node consists of."""
    return int(node.all_processes["raylet"][0].process.pid)


def calls_on(node: Any) -> list[int]:
    """Process ids of the calls that a node makes."""
    children = [pid for pid in marked(NODES) if command_line(pid).startswith("ray::_call")]
    return [pid for pid in children if parent_of(pid) == raylet_of(node)]
