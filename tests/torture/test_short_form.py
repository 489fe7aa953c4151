"""A run that is killed once, and a worker that is ended, on one store: it ends as if nothing had happened.

The long form of this, with figures, is ``make torture``.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from torture import blows
from torture.campaign import Blow, Campaign
from torture.contents import Contents, contents
from torture.figures import Figures
from torture.suites import SUITE

from ib_bench.cli import main

pytestmark = pytest.mark.system


TRIES = 3
"""Runs for each blow, as one may end before it."""


def test_kill_and_a_terminated_worker(campaign: Campaign) -> None:
    """Ctrl-C is in ``tests/cli/test_interruptions.py``."""
    campaign.arguments = ("--workers", "2")
    assert any(is_struck(campaign, blows.kill) for _ in range(TRIES))
    assert any(loses_a_worker(campaign) for _ in range(TRIES))


def is_struck(campaign: Campaign, blow: Blow) -> bool:
    """Whether a run has not ended before its blow."""
    command = campaign.start()
    command.wait_until_it_hears()
    if campaign.ends_before(command):
        campaign.check_end(command)
        return False
    campaign.strike(command, blow)
    return True


def loses_a_worker(campaign: Campaign) -> bool:
    """Whether a run has had workers, one of which is killed, and comes to its end."""
    command = campaign.start()
    while not (workers := command.workers()) and not command.ends_within(0.02):
        pass
    for worker in workers[:1]:
        os.kill(worker, signal.SIGTERM)  # SIGKILL is in tests/execution/test_contract.py
    campaign.check_end(command)
    return bool(workers)


@pytest.mark.slow
@pytest.mark.parametrize(
    "executor",
    [
        pytest.param(("inline",), id="inline"),
        pytest.param(("processes", "--workers", "1"), id="one", marks=pytest.mark.torture),
        pytest.param(("ray",), id="ray", marks=pytest.mark.torture),
    ],
)
def test_same_numbers_again_wherever_they_come_from(
    executor: tuple[str, ...],
    campaign: Campaign,
    undisturbed: Contents,
    figures: Figures,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also in a process that has done other things before; two workers are part of the test above."""
    monkeypatch.chdir(tmp_path)
    common = ["run", "suite.yaml", "--wandb.mode", "disabled"]
    if executor == ("inline",):
        Path("others.yaml").write_text(SUITE.replace("modulus: 3", "modulus: 4"))
        others = ["run", "others.yaml", "--axes.model", "Transformer", "--store", "others.sqlite"]
        assert main([*others, *common[2:], "--executor", "inline"]) == 0
    assert main([*common, "--executor", *executor]) == 0
    figures.note_end(undisturbed, contents(campaign.store))
    assert not figures.flaws
