"""Calls side by side, each in one of several worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.process import parent_process
from typing import Any

from ib_bench.execution.executor import Executor, Item, Outcome, Result, Work
from ib_bench.execution.inline import Inline

_POLL_S = 0.1
_MAX_RESTARTS = 2

_events: Any = None  # in a worker: the queue to the process that started it


class Processes(Executor):
    """Runs calls in worker processes, which are started afresh, not forked.

    Where a worker is killed, the calls in flight are made again in new workers, at most twice. Where this process is
    killed, the workers end themselves.

    Args:
        num_workers: how many calls run at once, at least 1.
    """

    def __init__(self, num_workers: int) -> None:
        self.num_workers = num_workers

    def run(
        self, work: Work[Item, Result], items: Sequence[Item], on_event: Callable[[int, Any], None]
    ) -> list[Outcome[Result]]:
        """See :meth:`Executor.run`."""
        outcomes: dict[int, Outcome[Result]] = {}
        for _ in range(1 + _MAX_RESTARTS):
            todo = [index for index in range(len(items)) if index not in outcomes]
            if todo:
                outcomes.update(self._run_in_one_pool(work, items, todo, on_event))
        lost = Outcome[Result](error=RuntimeError(f"its worker process was killed {1 + _MAX_RESTARTS} times"))
        return [outcomes.get(index, lost) for index in range(len(items))]

    def _run_in_one_pool(
        self, work: Work[Item, Result], items: Sequence[Item], todo: list[int], on_event: Callable[[int, Any], None]
    ) -> dict[int, Outcome[Result]]:
        """The outcomes of the calls that ended; without those that a dying worker took with it."""
        context = multiprocessing.get_context("spawn")
        events = context.Queue()
        num_workers = min(self.num_workers, len(todo))
        pool = ProcessPoolExecutor(num_workers, context, initializer=_start_worker, initargs=(events,))
        outcomes: dict[int, Outcome[Result]] = {}
        try:
            futures = {pool.submit(_call, work, items[index], index): index for index in todo}
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                _drain(events, on_event)
                for future in done:
                    error = future.exception()
                    if error is None:
                        outcomes[futures[future]] = Outcome(result=future.result())
                    elif isinstance(error, Exception) and not isinstance(error, BrokenProcessPool):
                        outcomes[futures[future]] = Outcome(error=error)
        except BaseException:
            for process in multiprocessing.active_children():
                process.kill()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return outcomes


def make_executor(num_workers: int) -> Executor:
    """The executor for a number of workers: this process for one, worker processes for more.

    Args:
        num_workers: how many calls run at once, at least 1.
    """
    return Inline() if num_workers == 1 else Processes(num_workers)


def _drain(events: Any, on_event: Callable[[int, Any], None]) -> None:
    while True:
        try:
            index, event = events.get_nowait()
        except queue.Empty:
            return
        on_event(index, event)


def _start_worker(events: Any) -> None:
    """Leave Ctrl-C to the parent, and do not outlive it."""
    global _events
    _events = events
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(work: Work[Item, Result], item: Item, index: int) -> Result:
    return work(item, partial(_emit, index))


def _emit(index: int, event: Any) -> None:
    _events.put((index, event))
