"""The processes that train one model together, a share of every batch each.

Rank 0 leads: it decides what is trained, stores the records, and prints. The others follow: they receive a trial, train
it too, and wait for the next. So only the training code knows that there are several processes.

torchrun and Slurm start all processes themselves; otherwise the leader starts those of its machine. A follower ends
with its leader, and a leader that has lost a follower ends with an error that says so.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, cast

import lightning.pytorch as pl
import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies import DDPStrategy
from torch import distributed

from ib_bench.child_process import start_as_child, startable
from ib_bench.errors import BenchError, LostProcessError
from ib_bench.results.trial_record import TrialConfig
from ib_bench.training.fitting import quiet_trainer, silent
from ib_bench.training.instantiation import instantiate_trial_data
from ib_bench.training.sources import require_planned_code
from ib_bench.training.trial import TrainedTrial, train_trial

STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")
"""Values of ``trainer.strategy`` with which a team works."""

_PATIENCE = timedelta(days=365)  # followers wait while their leader evaluates, or reads its store

_VARIABLES = ("LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS")

_DEATH_S = 2.0  # from the loss of a connection to the end of the process that it led to

_GRACE_S = 10.0

_END_S = 10.0

_LONG_S = 5.0


class Team:
    """The processes that a placement asks for; of one process, it is that process.

    As a context, it lets the followers go at its end; what is raised inside ends them.

    Args:
        placement: arguments of the Trainer that say where trials run, see
            :data:`~ib_bench.training.fitting.PLACEMENT`; checked by :func:`require_team`.

    Attributes:
        num_processes: how many they are.
        leads: whether this one is rank 0.
    """

    def __init__(self, placement: dict[str, Any]) -> None:
        self._placement = placement
        with silent():
            strategy = quiet_trainer(**{"devices": 1, **placement}).strategy
        self.num_processes, self.leads = 1, True
        self._is_here = True
        if isinstance(strategy, DDPStrategy):
            self.num_processes, self.leads = strategy.world_size, strategy.global_rank == 0
            self._is_here = strategy.num_nodes == 1 and not _is_started_by_others(strategy)
        self._strategy = strategy
        self._followers: list[_Follower] = []
        self._group: Any = None  # the process group over which trials are sent
        self._variables: dict[str, str | None] = {}
        self._num_threads = torch.get_num_threads()
        self._needs_all = self._is_torn = self._is_over = False

    def __enter__(self) -> Team:
        if self.num_processes > 1 and not self._is_here:
            self._assemble()  # otherwise only when there is something to train
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: TracebackType | BaseException | None) -> None:
        self._is_over = True
        if self._group is not None and self.leads and not self._is_torn:
            self._send(None)
        for follower in self._followers:
            follower.end(_END_S if kind is None and not self._is_torn else 0.0)
        if self._is_torn:
            _leave_undeleted([distributed.group.WORLD, self._group])
        if distributed.is_initialized() and not (self._is_torn and distributed.get_backend() == "nccl"):
            distributed.destroy_process_group()  # NCCL would wait for the process that has ended
        for name, value in self._variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        torch.set_num_threads(self._num_threads)

    def train(
        self,
        config: TrialConfig,
        placement: dict[str, Any] | None = None,
        on_validation: Callable[[int, float], None] | None = None,
    ) -> TrainedTrial:
        """Train once, all together; arguments and result as :func:`~ib_bench.training.trial.train_trial`.

        Args:
            config: everything that determines the result.
            placement: the team's.
            on_validation: receives the optimizer steps and the loss of every validation.

        Raises:
            LostProcessError: a follower has ended.
        """
        if self.num_processes == 1:
            return train_trial(config, placement, on_validation)
        self._assemble()
        _prepare(config)
        self._needs_all = self._is_torn = True
        try:
            self._send(config)
            trained = train_trial(config, self._placement, on_validation)
            self._is_torn = False  # ranks must leave a training step together
            return trained
        except RuntimeError as error:
            if _is_lost_connection(error):
                raise self._loss() from error
            raise
        finally:
            self._needs_all = False

    def follow(self) -> None:
        """Train the trials that the leader sends, until it sends None.

        Raises:
            LostProcessError: the leader, or another follower, has ended.
        """
        if multiprocessing.parent_process() is None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # only the leader handles Ctrl-C
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the leader warns of the same
            try:
                while (config := self._received()) is not None:
                    require_planned_code(config.experiment)
                    train_trial(config, self._placement)
            except RuntimeError as error:
                self._is_torn = True
                if _is_lost_connection(error):
                    raise self._loss() from error
                raise

    def _assemble(self) -> None:
        """Start and connect all processes."""
        if self._group is not None:
            return
        self._variables = {name: os.environ.get(name) for name in _VARIABLES}
        strategy = self._strategy
        assert isinstance(strategy, DDPStrategy)
        if not _is_started_by_others(strategy):
            self._start_followers(strategy)
        where = {name: value for name, value in self._placement.items() if name != "strategy"}
        environment = strategy.cluster_environment  # without this argument, Fabric would detect a cluster itself
        assert environment is not None
        self._needs_all = True
        try:
            with silent(), nullcontext() if self._is_here else _waiting_for_others(self.leads, self.num_processes):
                Fabric(**{"devices": 1, **where}, strategy="ddp", plugins=[environment]).launch()
            self._group = distributed.new_group(backend="gloo", timeout=_PATIENCE)
        except RuntimeError as error:
            self._is_torn = True
            reason = " ".join(str(error).split())
            raise LostProcessError(f"the {self.num_processes} processes could not connect: {reason}") from error
        finally:
            self._needs_all = False

    def _start_followers(self, strategy: DDPStrategy) -> None:
        environment = strategy.cluster_environment
        assert environment is not None
        os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = environment.main_address, str(environment.main_port)
        os.environ["NODE_RANK"], os.environ["LOCAL_RANK"] = str(environment.node_rank()), "0"
        os.environ["WORLD_SIZE"] = str(self.num_processes)
        self._followers = [
            _Follower(self._placement, local_rank, strategy.global_rank + local_rank)
            for local_rank in range(1, strategy.num_processes)
        ]
        for follower in self._followers:
            if not follower.is_ready():
                self._is_torn = True
                raise self._loss()
        if self._followers:
            threading.Thread(target=self._watch, daemon=True).start()

    def _send(self, config: TrialConfig | None) -> None:
        distributed.broadcast_object_list([config], src=0, group=self._group)

    def _received(self) -> TrialConfig | None:
        received: list[TrialConfig | None] = [None]
        distributed.broadcast_object_list(received, src=0, group=self._group)
        return received[0]

    def _loss(self) -> LostProcessError:
        """The error for a process that has ended."""
        if self._followers:
            wait([follower.sentinel for follower in self._followers], _DEATH_S)
        ended = (follower.exit_reason() for follower in self._followers)
        which = next(filter(None, ended), "another one than this")
        return LostProcessError(
            f"of the {self.num_processes} processes that train one model together, {which} has ended; "
            f"finished trials are kept, and the same command continues from them"
        )

    def _watch(self) -> None:
        """End this process if a follower has ended and nothing else shows it: NCCL may wait for it for minutes."""
        wait([follower.sentinel for follower in self._followers])
        deadline = time.monotonic() + _GRACE_S
        while time.monotonic() < deadline:
            if self._is_over or not self._needs_all:
                return
            time.sleep(_GRACE_S / 100)
        print(f"ib-bench: error: {self._loss()}", file=sys.stderr, flush=True)
        os._exit(1)


class _Follower:
    """A follower that this process has started."""

    def __init__(self, placement: dict[str, Any], local_rank: int, rank: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._rank = rank
        self._news, theirs = context.Pipe(duplex=False)
        self._process: SpawnProcess = context.Process(
            target=_follow, args=(placement, local_rank, theirs), daemon=True, name=f"rank {rank}"
        )
        with startable():
            self._process.start()
        theirs.close()

    @property
    def sentinel(self) -> int:
        """Becomes ready when the process ends."""
        return self._process.sentinel

    def is_ready(self) -> bool:
        """Wait until the process has imported what it needs; false if it has ended instead."""
        wait([self._news, self.sentinel])
        try:
            return self._news.poll() and self._news.recv() is None
        except EOFError:
            return False

    def exit_reason(self) -> str | None:
        """Its rank and how it ended; None if it is alive."""
        if self._process.is_alive():
            return None
        reason = f"exit code {self._process.exitcode}"
        with suppress(EOFError):
            reason = self._news.recv() if self._news.poll() else reason
        return f"rank {self._rank} ({reason})"

    def end(self, timeout_s: float) -> None:
        """End the process: after a time, by force."""
        self._process.join(timeout_s)
        self._process.kill()
        self._process.join()
        self._news.close()


def _follow(placement: dict[str, Any], local_rank: int, news: Connection) -> None:
    """The main function of a follower."""
    start_as_child()
    os.environ["LOCAL_RANK"] = str(local_rank)
    news.send(None)
    try:
        with Team(placement) as team:
            team.follow()
    except Exception as error:
        news.send(f"{type(error).__name__}: {' '.join(str(error).split())}")
        sys.exit(1)


@contextmanager
def _waiting_for_others(leads: bool, num_processes: int) -> Iterator[None]:
    """Within it a signal ends this process at once, as Python's handlers would wait as long as torch does."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    message = f"ib-bench: waiting for all {num_processes} processes"
    timer = threading.Timer(_LONG_S, print, (message,), {"file": sys.stderr, "flush": True})
    timer.daemon = True
    if leads:
        timer.start()
    try:
        for number, handler in handlers.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        yield
    finally:
        timer.cancel()
        for number, handler in handlers.items():
            signal.signal(number, handler)


def require_team(trainer: pl.Trainer) -> None:
    """Make sure that the running processes are those that a Trainer expects.

    Args:
        trainer: as the user's arguments build it.

    Raises:
        BenchError: they are not.
    """
    strategy = trainer.strategy
    started = int(os.environ["WORLD_SIZE"]) if TorchElasticEnvironment.detect() else trainer.world_size
    if started != trainer.world_size:
        raise BenchError(
            f"trainer.devices times trainer.num_nodes must be {started}, the number of processes that torchrun has "
            f"started, got {trainer.world_size}"
        )
    if isinstance(strategy, DDPStrategy) and strategy.cluster_environment is not None:
        try:
            strategy.cluster_environment.validate_settings(strategy.num_processes, strategy.num_nodes)
        except ValueError as error:
            reason = " ".join(str(error).split())
            raise BenchError(f"trainer.devices and trainer.num_nodes do not fit the processes: {reason}") from error


def _is_started_by_others(strategy: DDPStrategy) -> bool:
    environment = strategy.cluster_environment
    return environment is not None and environment.creates_processes_externally


def _is_lost_connection(error: RuntimeError) -> bool:
    return isinstance(error, distributed.DistError) or "connection" in str(error).lower()


def _leave_undeleted(groups: list[Any]) -> None:
    """Keep objects in memory until the process has ended, after the interpreter's end too.

    Gloo's destructor joins threads that may wait for the process that was lost, as long as the group is patient.
    """
    for group in groups:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(group))


def _prepare(config: TrialConfig) -> None:
    """Let data that download something do so in one process, before the others read it."""
    kind = cast(type[pl.LightningDataModule], config.experiment.data.cls)
    if kind.prepare_data is not pl.LightningDataModule.prepare_data:
        instantiate_trial_data(config).prepare_data()
