"""Every executor gives the same answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ib_bench.errors import InvalidOptionError
from ib_bench.execution.executor import Emit, Executor
from ib_bench.execution.inline import Inline
from ib_bench.execution.processes import Processes

pytestmark = pytest.mark.system


def square(number: int, emit: Emit) -> int:
    emit(f"squaring {number}")
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number * number


def die_once(marker: str, emit: Emit) -> str:
    """Kill the worker at the first call, succeed at the second."""
    if not Path(marker).exists():
        Path(marker).write_text("died")
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


def die(_: str, emit: Emit) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("executor", [Inline(), Processes(1), Processes(2)], ids=["inline", "one", "two"])
def test_results_errors_and_events(executor: Executor) -> None:
    events: list[tuple[int, Any]] = []
    outcomes = executor.run(square, [3, -1, 5], lambda index, event: events.append((index, event)))
    assert [outcome.result for outcome in outcomes] == [9, None, 25]
    assert [type(outcome.error) for outcome in outcomes] == [type(None), ValueError, type(None)]
    assert str(outcomes[1].error) == "-1 is negative"
    assert sorted(events) == [(0, "squaring 3"), (1, "squaring -1"), (2, "squaring 5")]


@pytest.mark.parametrize("executor", [Inline(), Processes(2)], ids=["inline", "processes"])
def test_nothing_to_do(executor: Executor) -> None:
    assert executor.run(square, [], lambda *_: None) == []


def test_what_a_killed_worker_was_doing_is_done_again(tmp_path: Path) -> None:
    items = [str(tmp_path / "marker"), str(tmp_path)]
    outcomes = Processes(2).run(die_once, items, lambda *_: None)
    assert [outcome.result for outcome in outcomes] == ["survived", "survived"]


def test_what_always_kills_its_worker_is_given_up() -> None:
    (outcome,) = Processes(1).run(die, ["x"], lambda *_: None)
    assert "killed 3 times" in str(outcome.error)


def die_or_wait(item: str, emit: Emit) -> str:
    if item == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.2)
    return item


def test_a_dying_worker_harms_no_other_call() -> None:
    items = ["a", "die", *"bcdefg"]
    outcomes = Processes(2).run(die_or_wait, items, lambda *_: None)
    assert [outcome.result for outcome in outcomes] == ["a", None, *"bcdefg"]
    assert "killed 3 times" in str(outcomes[1].error)


class AwkwardError(Exception):
    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}")


def fail(kind: str, _: Emit) -> None:
    raise AwkwardError("this", "that") if kind == "awkward" else InvalidOptionError("modulus", 1, "at least 2")


def test_errors_keep_their_sentence_on_the_way_back() -> None:
    awkward, ours = Processes(1).run(fail, ["awkward", "ours"], lambda *_: None)
    assert str(awkward.error) == "AwkwardError: this and that"
    assert isinstance(ours.error, InvalidOptionError)
    assert str(ours.error) == "modulus must be at least 2, got 1"


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, pathlib, time\n"
        "from ib_bench.execution.processes import Processes\n"
        "def work(path, emit):\n"
        "    pathlib.Path(path).write_text(str(os.getpid()))\n"
        "    time.sleep(100)\n"
        "if __name__ == '__main__':\n"
        f"    Processes(1).run(work, [{str(tmp_path / 'pid')!r}], print)\n"
    )
    parent = subprocess.Popen([sys.executable, str(script)])
    deadline = time.monotonic() + 60
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    worker = int((tmp_path / "pid").read_text())
    parent.kill()
    parent.wait()
    while _alive(worker):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
