"""Settings shared by all processes that this package starts."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

from ib_bench.errors import warn_in_one_sentence
from ib_bench.user_code import guard


def start_as_child() -> None:
    """Set a child process up; to be called by the child, before anything else.

    It leaves Ctrl-C to its parent, ends with it, prints our own warnings in one sentence and keeps the working folder
    for a user's own classes, as the command line does.
    """
    warn_in_one_sentence()
    guard(os.getcwd())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
