"""Calls side by side, each in one of several worker processes of this machine."""

from __future__ import annotations

import gc
import math
import multiprocessing
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing.process import BaseProcess
from typing import Any

from ib_bench.child_process import start_as_child, startable
from ib_bench.errors import FatalError, LostProcessError, exit_called
from ib_bench.execution.cuda_failure import BrokenCuda, leave_after_cuda_failure
from ib_bench.execution.devices import allow_open_files, num_cores, visible_gpus
from ib_bench.execution.executor import (
    CallResult,
    Executor,
    Function,
    Item,
    Lost,
    Result,
    Resume,
    SharedOptions,
    TransientEvent,
)
from ib_bench.execution.fork_server import start_early, worker_context
from ib_bench.execution.inline import Inline
from ib_bench.execution.main_module import leave_if_imported_again, start_failure
from ib_bench.execution.picklable import picklable

_POLL_S = 0.1
_MAX_RETRIES = 2
_EXIT_S = 5.0
_FILES_PER_WORKER = 10  # that are open in this process; nine were counted
_OTHER_FILES = 200
_SERVER_RESTART_S = 5.0  # time until a killed fork server is known to be dead

_events: Any = None  # in a worker: the pipe to the process that started it
_lock = threading.Lock()  # in a worker: an event is written whole


class Processes(Executor):
    """Runs calls in worker processes of this machine.

    No process inherits anything of this one, see :mod:`~ib_bench.execution.fork_server`. A call whose worker dies is
    made again, in a new one, a few times; the other workers do not notice. So is a call after whose error CUDA does not
    work any more: its worker ends itself. Where this process is killed, the workers end themselves.

    Args:
        num_workers: how many calls run at once, at least 1.
        gpus: names of the GPUs to share out, as ``CUDA_VISIBLE_DEVICES`` takes them; a worker sees one of them.
    """

    takes = frozenset({"workers"})
    takes_after = True
    cores_advice = "1 where several searches run side by side; use --executor inline for one at a time"

    def __init__(self, num_workers: int, gpus: Sequence[str] = ()) -> None:
        self.num_at_once = num_workers
        self.gpus = gpus
        self.cores_per_call = 1 if num_workers > 1 else math.inf

    @classmethod
    def from_settings(cls, settings: None, shared: SharedOptions) -> Executor:
        """See :meth:`Executor.from_settings`: a worker for each GPU, or else for each core, unless they are counted."""
        gpus = visible_gpus()
        num = shared.workers or len(gpus) or num_cores()
        return Inline() if num == 1 else cls(num, gpus)

    def run(
        self,
        function: Function[Item, Result],
        items: Sequence[Item],
        on_event: Callable[[int, Any], None],
        resume: Resume[Item] | None = None,
        after: Mapping[int, Collection[int]] | None = None,
    ) -> list[CallResult[Result]]:
        """See :meth:`Executor.run`.

        Raises:
            BenchError: worker processes cannot import the script that runs.
        """
        leave_if_imported_again()
        if items and function.__module__.startswith("ib_bench."):
            start_early(function.__module__)
        others = multiprocessing.active_children()
        num = min(self.num_at_once, len(items))
        allow_open_files(_OTHER_FILES + _FILES_PER_WORKER * num)
        workers = [_Worker(self.gpus[index % len(self.gpus)] if self.gpus else None) for index in range(num)]
        try:
            outcomes = _Calls(workers, function, items, on_event, resume, after or {}).run()
        except BaseException:
            for child in multiprocessing.active_children():
                if child not in others:
                    child.kill()
            for worker in workers:
                worker.end(kill=True)
            raise
        for worker in workers:
            worker.end(kill=False)
        return outcomes


class _Calls:
    """The calls of one run, with those that are under way."""

    def __init__(
        self,
        workers: Sequence[_Worker],
        function: Function[Any, Any],
        items: Sequence[Any],
        on_event: Callable[[int, Any], None],
        resume: Resume[Any] | None,
        after: Mapping[int, Collection[int]],
    ) -> None:
        self._idle, self._workers = list(workers), workers
        self._function, self._on_event, self._resume, self._after = function, on_event, resume, after
        self._items = list(items)
        self._todo = deque(range(len(items)))
        self._num_deaths = [0] * len(items)
        self._cuda_failures: dict[int, str] = {}
        self._running: dict[Future[Any], tuple[int, _Worker]] = {}
        self._outcomes: dict[int, CallResult[Any]] = {}

    def run(self) -> list[CallResult[Any]]:
        """Make all calls; the outcomes in the order of the items."""
        while self._todo or self._running:
            while self._idle and (index := self._next()) is not None:
                worker = self._idle.pop()
                self._todo.remove(index)
                self._running[worker.submit(self._function, self._items[index], index)] = index, worker
            done, _ = wait(self._running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
            self._drain()
            for future in done:
                index, worker = self._running.pop(future)
                self._note_end(future.exception(), future, index, worker)
                self._idle.append(worker)
        return [self._outcomes[index] for index in range(len(self._items))]

    def _next(self) -> int | None:
        """The first call that waits for no other one; None if there is none."""
        ended = self._outcomes.keys()
        return next((index for index in self._todo if ended >= set(self._after.get(index, ()))), None)

    def _note_end(self, error: BaseException | None, future: Future[Any], index: int, worker: _Worker) -> None:
        if error is None:
            self._outcomes[index] = CallResult(result=future.result())
        elif isinstance(error, BrokenProcessPool):
            failure = None if worker.has_started else start_failure(worker.exit_code())
            worker.end(kill=True)
            if failure is not None:
                raise failure
            self._num_deaths[index] += 1
            cuda_failure = self._cuda_failures.pop(index, None)
            if self._num_deaths[index] <= _MAX_RETRIES:
                self._on_event(index, Lost())
                self._todo.appendleft(index)
            else:
                reason = f"its worker process was killed {self._num_deaths[index]} times"
                if cuda_failure is not None:
                    reason = f"its worker process ended {self._num_deaths[index]} times; CUDA failed: {cuda_failure}"
                self._on_event(index, Lost(reason))
                self._outcomes[index] = CallResult(error=LostProcessError(reason))
        elif isinstance(error, Exception) and not isinstance(error, FatalError):
            self._outcomes[index] = CallResult(error=error)
        else:
            raise error

    def _drain(self) -> None:
        """Pass on what has arrived; what a call has sent is there before the call has ended."""
        for worker in self._workers:
            for index, event in worker.events():
                if isinstance(event, BrokenCuda):
                    self._cuda_failures[index] = event.reason
                    continue
                if self._resume is not None and not isinstance(event, TransientEvent):
                    self._items[index] = self._resume(self._items[index], event)
                self._on_event(index, event)


class _Worker:
    """A worker process, started when there is something to do, and again after it has died.

    Args:
        gpu: the one that it sees; None leaves them all to it.
    """

    def __init__(self, gpu: str | None) -> None:
        self._gpu = gpu
        self._pool: ProcessPoolExecutor | None = None
        self._processes: list[BaseProcess] = []
        self._news: Any = None
        self.has_started = False

    def submit(self, function: Function[Any, Any], item: Any, index: int) -> Future[Any]:
        """Have a call made."""
        try:
            if self._pool is not None:
                return self._pool.submit(_call, function, item, index)
        except BrokenProcessPool:  # it has died since its last call
            self.end(kill=True)
        deadline = time.monotonic() + _SERVER_RESTART_S
        while True:
            try:
                return self._started(function, item, index)
            except (ConnectionError, EOFError):  # the server was killed a moment ago, and is not known to be dead yet
                self.end(kill=True)
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_S)

    def _started(self, function: Function[Any, Any], item: Any, index: int) -> Future[Any]:
        """Have a call made by a new process."""
        context = worker_context()
        self.has_started = False
        self._news, theirs = context.Pipe(duplex=False)
        before = multiprocessing.active_children()
        self._pool = ProcessPoolExecutor(1, context, _start_worker, (theirs, self._gpu, dict(os.environ)))
        try:
            with startable():
                future = self._pool.submit(_call, function, item, index)
        finally:
            theirs.close()
        self._processes = [child for child in multiprocessing.active_children() if child not in before]
        return future

    def events(self) -> Iterator[tuple[int, Any]]:
        """New events of the process; an event that its death has cut short is dropped."""
        while self._news is not None:
            try:
                if not self._news.poll():
                    return
                event = self._news.recv()
                if event is None:
                    self.has_started = True
                else:
                    yield event
            except (EOFError, OSError):
                self._news.close()
                self._news = None

    def exit_code(self) -> int | None:
        """The exit code of the process, once it has died; negative if a signal has ended it."""
        for process in self._processes:
            process.join(_EXIT_S)
        return next((process.exitcode for process in self._processes), None)

    def end(self, kill: bool) -> None:
        """Have the process ended: at once, or after its call."""
        for process in self._processes if kill else []:
            process.kill()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        if self._news is not None:
            self._news.close()
        self._pool, self._news, self._processes = None, None, []


def _start_worker(events: Any, gpu: str | None, environment: Mapping[str, str]) -> None:
    """Take a GPU and the environment of the process that asked for this one, and remember the pipe for events."""
    global _events
    start_as_child()
    gc.freeze()
    gc.enable()
    _events = events
    os.environ.clear()
    os.environ.update(environment)
    events.send(None)
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu


def _call(function: Function[Item, Result], item: Item, index: int) -> Result:
    emit = partial(_emit, index)
    try:
        return function(item, emit)
    except Exception as error:
        leave_after_cuda_failure(emit)
        raise picklable(error) from None
    except SystemExit as exit:
        raise exit_called(exit) from None


def _emit(index: int, event: Any) -> None:
    with _lock:
        _events.send((index, event))
