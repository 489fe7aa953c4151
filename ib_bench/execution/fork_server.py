"""The server from which worker processes are forked: it has imported everything once.

Importing torch and Lightning takes seconds, and a few hundred MB. The server does it once, while the command still
reads its config; a worker then starts within a tenth of a second, and shares that memory. Nothing but imports happens
in the server, so no worker inherits a thread, a CUDA context or random numbers that were drawn.

Other systems than Linux start every worker afresh: their system libraries may not be forked.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

_IS_AVAILABLE = sys.platform == "linux"


def worker_context() -> BaseContext:
    """The multiprocessing context of worker processes."""
    return multiprocessing.get_context("forkserver" if _IS_AVAILABLE else "spawn")


def start_early(*modules: str) -> None:
    """Start the server, if it is not running, and return at once.

    Args:
        modules: dotted paths of what it imports before it serves.
    """
    if not _IS_AVAILABLE:
        return
    multiprocessing.set_forkserver_preload(["ib_bench.execution.server_start", *modules])
    resource_tracker.ensure_running()  # the server's start would do this, and then let Ctrl-C through again
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # until the server ignores Ctrl-C
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
