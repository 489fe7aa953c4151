"""Kills and signals at random moments, often: no finished trial is lost, and the end is that of an undisturbed run."""

from __future__ import annotations

import os
import signal

import pytest
from torture import blows
from torture.campaign import Blow, Campaign
from torture.processes import Command

pytestmark = [pytest.mark.system, pytest.mark.torture, pytest.mark.timeout(0)]

INLINE = ("--executor", "inline")
PROCESSES = ("--executor", "processes", "--workers", "2")
RAY = ("--executor", "ray", "--ray.max_retries", "1000")


@pytest.mark.parametrize("executor", [INLINE, PROCESSES], ids=["inline", "processes"])
def test_kill_9_of_the_driver(campaign: Campaign, kills: int, executor: tuple[str, ...]) -> None:
    campaign.arguments = executor
    campaign.end_runs(-(-kills // 2), blows.kill)


def test_kill_9_of_a_worker(campaign: Campaign, kills: int) -> None:
    campaign.arguments = PROCESSES

    def strike(command: Command) -> bool:
        worker = campaign.one_of(command.workers())
        return worker is not None and killed(worker)

    campaign.strike_parts(-(-kills // 2), strike)


def test_kill_9_of_a_ray_worker(campaign: Campaign, kills: int) -> None:
    campaign.arguments = RAY

    def strike(command: Command) -> bool:
        worker = campaign.one_of(command.ray_workers())
        return worker is not None and killed(worker)

    campaign.strike_parts(-(-kills // 2), strike)


@pytest.mark.parametrize("executor", [INLINE, PROCESSES, RAY], ids=["inline", "processes", "ray"])
@pytest.mark.parametrize(
    "blow", [blows.press_ctrl_c, blows.terminate, blows.terminate_twice], ids=["Ctrl-C", "SIGTERM", "SIGTERM twice"]
)
def test_signals(campaign: Campaign, kills: int, executor: tuple[str, ...], blow: Blow) -> None:
    campaign.arguments = executor
    campaign.end_runs(-(-kills // (20 if executor is RAY else 5)), blow, hears=True)


def test_two_drivers_on_one_store(campaign: Campaign, kills: int) -> None:
    for _ in range(-(-kills // 10)):
        campaign.run_two_at_once()


def killed(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
