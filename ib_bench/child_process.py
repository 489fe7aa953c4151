"""Settings shared by all processes that this package starts."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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


def main_file() -> str | None:
    """The file of the script that runs; None for a notebook, standard input or an interactive session."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    return None if file is None or file.startswith("<") else str(file)


@contextmanager
def startable() -> Iterator[None]:
    """Start child processes inside: a program from standard input, ``<stdin>``, is none that they could import."""
    main = sys.modules["__main__"]
    file = getattr(main, "__file__", None)
    if file is None or main_file() is not None:
        yield
        return
    del main.__file__
    try:
        yield
    finally:
        main.__file__ = file


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
