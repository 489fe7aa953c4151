"""Calls side by side on the machines of a Ray cluster, or on this one."""

from __future__ import annotations

import importlib.util
import logging
import os
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from ib_bench.errors import BenchError, FatalError, LostProcessError, require
from ib_bench.execution.cuda_failure import BrokenCuda, leave_after_cuda_failure
from ib_bench.execution.devices import num_cores, visible_gpus
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
from ib_bench.execution.picklable import picklable

_POLL_S = 0.1
_TRANSIENT_INTERVAL_S = 1.0
_MAX_DONE = 100
_CONNECT_S = 10.0


@dataclass(frozen=True)
class RaySettings:
    """Resources of searches on Ray.

    Args:
        address: address of a running cluster's head node, such as ``head:6379``, or ``auto``; null starts Ray on this
            machine.
        num_cpus: CPU cores of each search, above 0.
        num_gpus: GPUs of each search, at least 0; a fraction shares a GPU between searches.
        max_retries: how often a search is repeated, from its finished trials, after its worker or its node has died;
            at least 0.

    Raises:
        InvalidOptionError: a value outside its range.
    """

    address: str | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    max_retries: int = 3

    def __post_init__(self) -> None:
        require(self.num_cpus > 0, "ray.num_cpus", self.num_cpus, "a number above 0")
        is_whole = self.num_gpus <= 1 or self.num_gpus == int(self.num_gpus)
        require(self.num_gpus >= 0 and is_whole, "ray.num_gpus", self.num_gpus, "in 0..1, or a whole number")
        require(self.max_retries >= 0, "ray.max_retries", self.max_retries, "an integer of at least 0")


class Ray(Executor):
    """Runs calls as Ray tasks, on a cluster or on this machine.

    Events come back through a queue on this machine's node. A call whose worker or node dies is made again with what
    its events have left of its item.

    Args:
        settings: where and with what.

    Raises:
        BenchError: Ray is not installed, the address cannot be reached, or this machine lacks what a call needs.
    """

    settings_class = RaySettings
    is_local: ClassVar[bool] = False

    @classmethod
    def from_settings(cls, settings: RaySettings, shared: SharedOptions) -> Ray:
        """See :meth:`Executor.from_settings`."""
        return cls(settings)

    def __init__(self, settings: RaySettings) -> None:
        if importlib.util.find_spec("ray") is None:
            raise BenchError("executor ray needs Ray, which is not installed: pip install 'ib_bench[ray]'")
        self.settings = settings
        self.cores_per_call = settings.num_cpus
        self.cores_advice = f"at most ray.num_cpus, {settings.num_cpus:g}"
        if settings.address is None:  # a cluster may start suitable machines later
            there = {"num_cpus": num_cores(), "num_gpus": len(visible_gpus())}
            for option, most in there.items():
                wanted = getattr(settings, option)
                require(wanted <= most, f"ray.{option}", wanted, f"at most {most}, what this machine has")
        try:
            _require_reachable(settings.address)
        except (OSError, ValueError) as error:
            raise _no_cluster(settings) from error

    def run(
        self,
        function: Function[Item, Result],
        items: Sequence[Item],
        on_event: Callable[[int, Any], None],
        resume: Resume[Item] | None = None,
    ) -> list[CallResult[Result]]:
        """See :meth:`Executor.run`.

        Raises:
            BenchError: there is no such cluster.
            LostProcessError: the cluster is lost.
        """
        if not items:
            return []
        with _connected(self.settings):
            self._warn_of_nodes()
            return _Calls(self.settings, function, items, on_event, resume).run()

    def _warn_of_nodes(self) -> None:
        """Warn if no node can make a call, as far as is known (a cluster may start one that can), or of unused GPUs."""
        import ray  # noqa: PLC0415 (an extra)

        wanted = {"CPU": self.settings.num_cpus, "GPU": self.settings.num_gpus}
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        if not any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in nodes):
            needed = " and ".join(f"{amount:g} {name}" for name, amount in wanted.items() if amount)
            warnings.warn(f"no node of the Ray cluster has {needed}; searches wait for one that has", stacklevel=2)
        if not self.settings.num_gpus and any(node.get("GPU", 0) for node in nodes):
            warnings.warn(
                "the Ray cluster has GPUs and ray.num_gpus is 0: unless trainer.accelerator is cpu, searches share the "
                "first GPU of their node, or run on its CPUs; set ray.num_gpus to give each search GPUs of its own",
                stacklevel=2,
            )


class _Calls:
    """The calls of one run, with those that are under way."""

    def __init__(
        self,
        settings: RaySettings,
        function: Function[Any, Any],
        items: Sequence[Any],
        on_event: Callable[[int, Any], None],
        resume: Resume[Any] | None,
    ) -> None:
        import ray  # noqa: PLC0415 (an extra)
        from ray.util.queue import Queue  # noqa: PLC0415
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415

        self._ray = ray
        self._function, self._on_event, self._resume = function, on_event, resume
        self._items = list(items)
        self._max_retries = settings.max_retries
        self._retries = [settings.max_retries] * len(items)
        self._cuda_failures: dict[int, str] = {}
        options = {"num_cpus": settings.num_cpus, "num_gpus": settings.num_gpus, "max_retries": 0}
        self._call = ray.remote(_call).options(**options)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self._events = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here})

    def run(self) -> list[CallResult[Any]]:
        """Make all calls; the outcomes in the order of the items."""
        outcomes: dict[int, CallResult[Any]] = {}
        pending = {self._submit(index): index for index in range(len(self._items))}
        try:
            while pending:
                done, _ = self._ray.wait(list(pending), num_returns=min(len(pending), _MAX_DONE), timeout=_POLL_S)
                self._drain()
                for call in done:
                    index = pending.pop(call)
                    outcome = self._outcome(call, index)
                    if outcome is None:
                        self._on_event(index, Lost())
                        pending[self._submit(index)] = index
                    elif isinstance(outcome.error, FatalError):
                        raise outcome.error
                    else:
                        outcomes[index] = outcome
        except self._ray.exceptions.RayError as error:  # not from a call: the cluster or the queue is lost
            reason = str(error).strip().partition("\n")[0]
            said = f"the connection to Ray was lost ({type(error).__name__}: {reason})"
            raise LostProcessError(
                f"{said}; finished trials are kept, and the same command continues from them"
            ) from error
        except BaseException:
            for call in pending:
                self._ray.cancel(call, force=True)
            raise
        return [outcomes[index] for index in range(len(self._items))]

    def _submit(self, index: int) -> Any:
        return self._call.remote(self._function, self._items[index], index, self._events)

    def _outcome(self, call: Any, index: int) -> CallResult[Any] | None:
        """How a call ended; None if it is to be made again."""
        try:
            outcome: CallResult[Any] = self._ray.get(call)
            return outcome
        except self._ray.exceptions.RayTaskError as error:  # raised outside the function, such as an import that fails
            return CallResult(error=BenchError(f"{type(error.cause).__name__}: {error.cause}"))
        except self._ray.exceptions.RayError as error:
            cuda_failure = self._cuda_failures.pop(index, None)
            if self._retries[index]:
                self._retries[index] -= 1
                return None
            line = str(error).strip().partition("\n")[0]
            last = f"{type(error).__name__}: {line}" if cuda_failure is None else f"CUDA failed: {cuda_failure}"
            reason = f"the worker died {self._max_retries + 1} times: {last}"
            self._on_event(index, Lost(reason))
            return CallResult(error=LostProcessError(reason))

    def _drain(self) -> None:
        """Pass on the events that have arrived; those of a call arrive before it ends."""
        if waiting := self._events.qsize():
            for index, event in self._events.get_nowait_batch(waiting):
                if isinstance(event, BrokenCuda):
                    self._cuda_failures[index] = event.reason
                    continue
                if self._resume is not None and not isinstance(event, TransientEvent):
                    self._items[index] = self._resume(self._items[index], event)
                self._on_event(index, event)


@contextmanager
def _connected(settings: RaySettings) -> Iterator[None]:
    """A connection to the cluster, or to one on this machine that ends with it; what is connected already stays so."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # as later versions of Ray do by themselves
    import ray  # noqa: PLC0415 (an extra)

    if ray.is_initialized():
        yield
        return
    own = {} if settings.address else {"include_dashboard": False}
    try:
        with _sigterm_handled_as_before():
            ray.init(address=settings.address or "local", log_to_driver=False, logging_level=logging.ERROR, **own)
    except (OSError, ValueError) as error:
        raise _no_cluster(settings) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _sigterm_handled_as_before() -> Iterator[None]:
    """Ray takes SIGTERM over, and would end this process without a word: within it already, and ever after.

    What its C++ part does between its own start and the end of ``ray.init`` cannot be undone: a signal in that second
    ends the process, which loses only the final message.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # there Ray leaves it alone
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    except SystemExit:  # raised by Ray's handler
        signal.signal(signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _no_cluster(settings: RaySettings) -> BenchError:
    return BenchError(
        f"ray.address must be that of a running Ray cluster, got {settings.address!r}; where that cluster asks for a "
        f"token, as `ray start` says, set RAY_AUTH_MODE=token"
    )


def _require_reachable(address: str | None) -> None:
    """Raise OSError if nothing listens, ValueError without an address; Ray itself would try for many minutes."""
    if address in (None, "auto") or "://" in str(address):
        return
    host, _, port = str(address).rpartition(":")
    if host:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    else:
        raise ValueError(address)


def _call(function: Function[Item, Result], item: Item, index: int, events: Any) -> CallResult[Result]:
    emit = _Emitter(events, index)
    try:
        return CallResult(result=function(item, emit))
    except Exception as error:
        leave_after_cuda_failure(emit)
        return CallResult(error=picklable(error))
    finally:
        emit.flush()


class _Emitter:
    """Sends events; those that pass not more often than a watcher can see, and the newest at the end."""

    def __init__(self, events: Any, index: int) -> None:
        self._events = events
        self._index = index
        self._held: TransientEvent | None = None
        self._sent_at = -_TRANSIENT_INTERVAL_S

    def __call__(self, event: Any) -> None:
        if isinstance(event, TransientEvent) and time.monotonic() - self._sent_at < _TRANSIENT_INTERVAL_S:
            self._held = event
            return
        if isinstance(event, TransientEvent):
            self._held, self._sent_at = None, time.monotonic()
        self._events.put((self._index, event))

    def flush(self) -> None:
        """Send what was held back."""
        if self._held is not None:
            self._events.put((self._index, self._held))
