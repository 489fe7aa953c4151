"""What processes that this package starts have in common."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def start_as_child() -> None:
    """Leave Ctrl-C to the parent, and do not outlive it; to be called by the child, before anything else."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
