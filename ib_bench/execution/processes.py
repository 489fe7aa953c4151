"""Calls side by side, each in one of several worker processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.process import parent_process
from typing import Any

from ib_bench.errors import FatalError
from ib_bench.execution.executor import Executor, Item, Outcome, Passing, Result, Resume, Work
from ib_bench.execution.picklable import picklable

_POLL_S = 0.1
_MAX_RETRIES = 2
_STARTED = "started"

_events: Any = None  # in a worker: the queue to the process that started it


class Processes(Executor):
    """Runs calls in worker processes, which are started afresh, not forked.

    A worker that dies takes its whole pool with it, so the calls that were under way are made again, each alone in a
    pool of its own, in which it can harm no other; those that die there too are given up. Where this process is killed,
    the workers end themselves.

    Args:
        num_workers: how many calls run at once, at least 1.
        gpus: names of the GPUs to share out, as ``CUDA_VISIBLE_DEVICES`` takes them; a worker sees one of them.
    """

    def __init__(self, num_workers: int, gpus: Sequence[str] = ()) -> None:
        self.num_workers = num_workers
        self.gpus = gpus

    def run(
        self,
        work: Work[Item, Result],
        items: Sequence[Item],
        on_event: Callable[[int, Any], None],
        resume: Resume[Item] | None = None,
    ) -> list[Outcome[Result]]:
        """See :meth:`Executor.run`."""
        outcomes: dict[int, Outcome[Result]] = {}
        items = list(items)
        todo = list(range(len(items)))

        def handle(index: int, event: Any) -> None:
            if resume is not None and not isinstance(event, Passing):
                items[index] = resume(items[index], event)
            on_event(index, event)

        while todo:
            started = self._run_in_one_pool(work, items, todo, self.num_workers, handle, outcomes)
            for index in sorted(started - outcomes.keys()):
                for _ in range(_MAX_RETRIES):
                    if index not in outcomes:
                        self._run_in_one_pool(work, items, [index], 1, handle, outcomes)
                lost = Outcome[Result](error=RuntimeError(f"its worker process was killed {1 + _MAX_RETRIES} times"))
                outcomes.setdefault(index, lost)
            todo = [index for index in todo if index not in outcomes]
        return [outcomes[index] for index in range(len(items))]

    def _run_in_one_pool(
        self,
        work: Work[Item, Result],
        items: Sequence[Item],
        todo: list[int],
        num_workers: int,
        on_event: Callable[[int, Any], None],
        outcomes: dict[int, Outcome[Result]],
    ) -> set[int]:
        """Fill in the outcomes of the calls that end; returns which calls were started."""
        context = multiprocessing.get_context("spawn")
        events, gpus = context.Queue(), context.Queue()
        for worker in range(num_workers if self.gpus else 0):
            gpus.put(self.gpus[worker % len(self.gpus)])
        arguments = events, gpus if self.gpus else None
        pool = ProcessPoolExecutor(min(num_workers, len(todo)), context, _start_worker, arguments)
        started: set[int] = set()

        def drain(timeout_s: float = 0.0) -> None:
            for index, event in _received(events, timeout_s):
                if event == _STARTED:
                    started.add(index)
                else:
                    on_event(index, event)

        try:
            futures = _submitted(pool, work, items, todo)
            pending = set(futures)
            while pending:
                done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                drain()
                for future in done:
                    error = future.exception()
                    if isinstance(error, FatalError):
                        raise error
                    if error is None:
                        outcomes[futures[future]] = Outcome(result=future.result())
                    elif isinstance(error, Exception) and not isinstance(error, BrokenProcessPool):
                        outcomes[futures[future]] = Outcome(error=error)
            drain(_POLL_S)
            if not started - outcomes.keys():  # it died before it could say which call it had
                started.update(todo[:num_workers])
        except BaseException:
            for process in multiprocessing.active_children():
                process.kill()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return started


def _submitted(
    pool: ProcessPoolExecutor, work: Work[Item, Result], items: Sequence[Item], todo: list[int]
) -> dict[Future[Result], int]:
    """The calls that are on their way, and of which items; not all, if a worker dies meanwhile."""
    futures: dict[Future[Result], int] = {}
    for index in todo:
        try:
            futures[pool.submit(_call, work, items[index], index)] = index
        except BrokenProcessPool:
            break
    return futures


def _received(events: Any, timeout_s: float) -> Iterator[tuple[int, Any]]:
    """What has arrived, waiting a little for what may be under way."""
    while True:
        try:
            yield events.get(timeout=timeout_s) if timeout_s else events.get_nowait()
        except queue.Empty:
            return


def _start_worker(events: Any, gpus: Any) -> None:
    """Take a GPU, leave Ctrl-C to the parent, and do not outlive it."""
    global _events
    _events = events
    if gpus is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpus.get()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(work: Work[Item, Result], item: Item, index: int) -> Result:
    _emit(index, _STARTED)
    try:
        return work(item, partial(_emit, index))
    except Exception as error:
        raise picklable(error) from None


def _emit(index: int, event: Any) -> None:
    _events.put((index, event))
