"""A wall clock that jumps, for everything in all processes of a run: only what has no meaning may depend on it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from torture.campaign import Campaign
from torture.contents import contents

pytestmark = [pytest.mark.system, pytest.mark.torture, pytest.mark.timeout(0)]


@pytest.fixture
def jumping_clock(tmp_path: Path) -> str:
    """A library to be preloaded."""
    if shutil.which("cc") is None:
        pytest.skip("the clock that jumps is compiled with cc, which is not installed")
    library = tmp_path / "jumping_clock.so"
    source = Path(__file__).with_name("jumping_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source], check=True)
    return str(library)


@pytest.mark.parametrize("executor", ["inline", "processes"])
def test_a_clock_that_jumps(campaign: Campaign, kills: int, jumping_clock: str, executor: str) -> None:
    moments = "import time\nfor _ in range(3): print(time.time()); time.sleep(1)"
    told = subprocess.run(
        [sys.executable, "-c", moments], env={"LD_PRELOAD": jumping_clock}, capture_output=True, text=True, check=True
    )
    times = [float(line) for line in told.stdout.split()]
    assert max(times) - min(times) > 60
    campaign.arguments = ("--executor", executor)
    campaign.environment = {"LD_PRELOAD": jumping_clock}
    for _ in range(-(-kills // 20)):
        campaign.note_run()
    trials = contents(campaign.folder / "finished_1.sqlite").trials.values()
    assert all(0 < trial.wall_time_s < 600 for trial in trials)
