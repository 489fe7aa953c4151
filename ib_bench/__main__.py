"""``ib-bench``, also as ``python -m ib_bench`` and ``torchrun -m ib_bench search ...``.

Little is imported here: Ctrl-C has to be answered in order while the rest is imported.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

EXIT_BAD_INPUT = 2


def main() -> int:
    """Run the command of this process; the exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    _open_standard_streams()
    try:
        here = os.getcwd()
    except OSError as error:
        print(f"ib-bench: error: the working folder cannot be used: {error.strerror}", file=sys.stderr)
        return EXIT_BAD_INPUT
    if sys.path[0] in ("", here) and here != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
        del sys.path[
            0
        ]  # python -m looks in the working folder first, for anything; commands look there for models alone
    from ib_bench.cli import main as run  # noqa: PLC0415 (when a signal has a handler)

    return run()


def _end(number: int, frame: FrameType | None) -> None:
    """Ctrl-C before anything has begun."""
    os.write(2, b"\nib-bench: interrupted\n")
    os._exit(128 + number)


def _open_standard_streams() -> None:
    """Open those that are closed: otherwise the next file gets their number, and what is printed is written into it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            if number:
                setattr(sys, name, os.fdopen(number, "w", closefd=False))


if __name__ == "__main__":
    sys.exit(main())
