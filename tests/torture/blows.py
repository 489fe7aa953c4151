"""What can happen to a run."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

from torture.processes import Command

_ENDS_WITHIN_S = 5.0


def kill(command: Command) -> None:
    """Kill -9 of the driver alone."""
    command.kill()


def press_ctrl_c(command: Command) -> None:
    """SIGINT, which a terminal sends to the whole process group."""
    _signal_and_wait(command, signal.SIGINT, to_group=True)


def terminate(command: Command) -> None:
    """SIGTERM to the driver alone."""
    _signal_and_wait(command, signal.SIGTERM, to_group=False, connects=_may_connect(command))


def terminate_twice(command: Command) -> None:
    """SIGTERM to the whole process group, and once more while the command is about to end."""
    connects = _may_connect(command)
    with suppress(ProcessLookupError):
        os.killpg(command.process.pid, signal.SIGTERM)
    time.sleep(0.05)
    _signal_and_wait(command, signal.SIGTERM, to_group=True, connects=connects)


def _may_connect(command: Command) -> bool:
    """Whether it runs on Ray, and Ray has made none of its calls yet."""
    return command.is_on_ray and not command.ray_workers()


def _signal_and_wait(command: Command, number: signal.Signals, to_group: bool, connects: bool = False) -> None:
    with suppress(ProcessLookupError):
        (os.killpg if to_group else os.kill)(command.process.pid, number)
    sent_at = time.monotonic()
    exit_code = command.finish(60)
    seconds = time.monotonic() - sent_at
    assert "Traceback" not in command.err, command.err
    if "figure:" in command.out and exit_code in (0, 128 + number, -number):  # all had been done
        return
    if connects and exit_code == -number and not command.err:  # by Ray's C++ part
        return
    assert exit_code == 128 + number, (exit_code, command.err)
    assert seconds < _ENDS_WITHIN_S, f"it took {seconds:.1f} s to end"
    assert "finished trials are kept" in command.err, command.err
    assert "continue with: ib-bench run suite.yaml" in command.err, command.err
