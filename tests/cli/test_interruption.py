"""Ctrl-C and SIGTERM, without a command around them; random moments of real commands are in tests/torture."""

from __future__ import annotations

import os
import signal

import pytest

from ib_bench.cli.interruption import Interruption


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_ends_the_command_and_a_second_does_not_cut_that_short(
    number: signal.Signals, exit_code: int, capfd: pytest.CaptureFixture[str]
) -> None:
    previous = signal.getsignal(number)
    tidied = False
    with Interruption("message", for_good=False) as interruption:
        try:
            os.kill(os.getpid(), number)
        finally:
            os.kill(os.getpid(), number)
            tidied = True
            raise RuntimeError("what goes wrong in the wake of a signal")
    assert tidied
    assert interruption.exit_code == exit_code
    assert capfd.readouterr().err == "message\n"
    assert signal.getsignal(number) is previous


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError, match="no luck"), Interruption("message", for_good=False):
        raise RuntimeError("no luck")
