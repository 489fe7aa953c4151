"""``ib-bench``, also as ``python -m ib_bench`` and ``torchrun -m ib_bench search ...``.

Little is imported here: Ctrl-C has to be answered in order while the rest is imported.
"""

from __future__ import annotations

import os
import sys

EXIT_BAD_INPUT = 2
TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType


def main() -> int:
    """Run the command of this process; the exit code."""
    has_folder = _leave_out_the_working_folder()
    import signal  # noqa: PLC0415 (after that)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)
    _open_standard_streams()
    if not has_folder:
        print("ib-bench: error: the working folder cannot be used: it is gone, or may not be entered", file=sys.stderr)
        return EXIT_BAD_INPUT
    from ib_bench.cli import main as run  # noqa: PLC0415 (when a signal has a handler)

    return run()


def _leave_out_the_working_folder() -> bool:
    """``python -m`` looks there first, for anything; commands look there for models alone. False if there is none."""
    try:
        here = os.getcwd()
    except OSError:
        return False
    if sys.path[0] in ("", here) and here != os.path.dirname(os.path.dirname(os.path.abspath(__file__))):
        del sys.path[0]
    return True


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
