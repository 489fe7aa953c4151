"""W&B that does not answer, from the start or from the middle of a run: searches wait a little, then go on without."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from torture.campaign import Campaign
from torture.contents import contents
from torture.fake_wandb import FakeWandb

pytestmark = [pytest.mark.system, pytest.mark.torture, pytest.mark.timeout(0)]

_WAITS_AT_MOST_S = 300.0


@pytest.fixture(params=["from the start", "in the middle"])
def fake_wandb(request: pytest.FixtureRequest) -> Iterator[FakeWandb]:
    server = FakeWandb(is_dead=request.param == "from the start")
    yield server
    server.close()


def test_wandb_unreachable(campaign: Campaign, fake_wandb: FakeWandb) -> None:
    campaign.arguments = ("--executor", "inline", "--wandb.mode", "online")
    campaign.environment = fake_wandb.environment
    started_at = time.monotonic()
    command = campaign.start()
    if not fake_wandb.is_dead:
        while not fake_wandb.num_runs:
            assert command.process.poll() is None, command.err
            time.sleep(0.02)
        fake_wandb.die()
    assert command.finish(2 * _WAITS_AT_MOST_S) == 0, command.err
    assert time.monotonic() - started_at < _WAITS_AT_MOST_S
    assert "W&B failed, this search is no longer logged there" in command.err
    end = contents(campaign.store)
    campaign.figures.note_fault(end, end)
    campaign.check_end(command)
