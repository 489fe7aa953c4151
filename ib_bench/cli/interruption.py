"""Ctrl-C and SIGTERM end a command in order: workers end, finished trials are kept, a sentence says how to continue.

The first signal raises ``KeyboardInterrupt`` where the command is, so that all code on the stack can clean up. Further
signals are ignored, because they would interrupt the clean-up. After a few seconds the process ends in any case, and
its workers end with it; finished trials are kept then too. While the command has started nothing, the process ends at
once: imports of compiled modules may swallow exceptions.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

from ib_bench.execution.ranks import speaks

GRACE_S = 3.0
"""Seconds that a command has to end in order."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """Context manager around a command; swallows the interruption and errors that follow from it.

    Args:
        message: text for stderr if a signal comes.
        for_good: nothing but the end of the process follows, so that a signal need not raise anything then.

    Attributes:
        number: of the first signal, or None.
        has_started: whether there is anything that would have to be ended; set by the command.
    """

    def __init__(self, message: str, for_good: bool) -> None:
        self.number: int | None = None
        self.has_started = False
        self._message = message
        self._for_good = for_good
        self._has_left = False
        self._previous: dict[signal.Signals, Any] = {}
        self._spoken = threading.Lock()

    @property
    def exit_code(self) -> int:
        """130 after Ctrl-C, 143 after SIGTERM."""
        return 128 + (self.number or signal.SIGINT)

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.getsignal(number) for number in _SIGNALS}
            for number, handler in self._previous.items():
                if handler is not signal.SIG_IGN:  # nohup and background shells ignore signals
                    signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._has_left = True
        if not self._for_good:
            for number, handler in self._previous.items():
                signal.signal(number, handler)
        if self.number is None and isinstance(error, KeyboardInterrupt):
            self.number = signal.SIGINT
        if self.number is None:
            return False
        if isinstance(error, KeyboardInterrupt) and str(error):  # the interrupted code has added a text
            self._message += f"\n{error}"
        if self._for_good:  # also while the interpreter ends and removes handlers
            for number in self._previous:
                signal.signal(number, signal.SIG_IGN)
        self._print_message()
        return True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._has_left:
            sys.stdout.flush()
            os._exit(128 + number)
        if self.number is None:
            self.number = number
            if self._for_good and not self.has_started:
                self._end_now()
            threading.Thread(target=self._end_after_grace, daemon=True).start()
            raise KeyboardInterrupt

    def _end_after_grace(self) -> None:
        threading.Event().wait(GRACE_S)
        if self._for_good:
            self._end_now()

    def _end_now(self) -> None:
        self._print_message()
        os._exit(self.exit_code)

    def _print_message(self) -> None:
        if speaks() and self._spoken.acquire(blocking=False):
            sys.stderr.flush()
            os.write(sys.stderr.fileno(), f"{self._message}\n".encode())  # a handler may have cut off a print
