"""Lightning's Trainer as a trial uses it: quiet, without files, and cheap from one validation to the next.

Lightning takes unset options from its surroundings: ``PL_TRAINER_*`` variables, callbacks of installed
packages, a cluster in the variables of the process, a checkpoint ``hpc_ckpt_*.ckpt`` in the folder. A trial states all
of it, so that nothing around it decides what it computes.
"""

from __future__ import annotations

import inspect
import logging
import os
import shutil
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from inspect import getattr_static
from pathlib import Path
from typing import Any
from uuid import uuid4

import lightning.pytorch as pl
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.lsf import LSFEnvironment
from lightning.fabric.plugins.environments.mpi import MPIEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ib_bench.data.batches import TrainBatches
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import exit_called
from ib_bench.models.cuda_graphs import StepGraphs
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.training.global_state import global_state_kept
from ib_bench.training.step_chunks import StepChunks

COMPUTING = (
    "precision",
    "deterministic",
    "benchmark",
    "detect_anomaly",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "accumulate_grad_batches",
)
"""Arguments of the Trainer that a trial takes and that may change its result."""

INSTEAD = {
    "max_steps": "use search.max_steps",
    "max_epochs": "use search.max_steps",
    "val_check_interval": "use search.val_check_interval",
    "check_val_every_n_epoch": "use search.val_check_interval",
    "logger": "use wandb.mode",
}
"""What to do instead of setting an argument that a trial does not take."""

_WATCHING_STEPS = ("gradient_clip_val", "gradient_clip_algorithm", "accumulate_grad_batches")

PLACEMENT = ("accelerator", "strategy", "devices", "num_nodes")
"""Arguments of the Trainer that say where a trial runs, not what it computes: they are no part of its key."""


def train(
    model: pl.LightningModule,
    data: pl.LightningDataModule,
    max_steps: int,
    interval: int,
    callbacks: list[pl.Callback],
    graphs: StepGraphs | None = None,
    **arguments: Any,
) -> pl.Trainer:
    """Fit with Lightning's Trainer, without what a trial has no use for: it writes no file and prints nothing.

    Args:
        model: to be trained.
        data: to be trained on; loaders other than ours are passed to the Trainer as they are.
        max_steps: step budget.
        interval: optimizer steps between validations; batches, where a step takes several of them.
        callbacks: to be called.
        graphs: take the steps where one process trains on a GPU; None leaves them as they are.
        arguments: further arguments of the Trainer.

    Returns:
        The Trainer, after the fit.
    """
    batches = data.train_dataloader()
    if not (isinstance(batches, TrainBatches) and has_own_batches(data) and takes_many_steps_at_once(model, arguments)):
        trainer = _trainer(max_steps, interval, callbacks, **arguments)
        with contained(trainer):
            trainer.fit(model, datamodule=data)
        return trainer
    chunks = StepChunks(batches, interval, max_steps)
    trainer = _trainer(max_steps, chunks.chunks_per_interval, callbacks, **arguments)
    model.automatic_optimization = False
    with contained(trainer), _replayed(model, trainer, graphs):
        trainer.fit(model, chunks, data.val_dataloader())
    return trainer


@contextmanager
def _replayed(model: pl.LightningModule, trainer: pl.Trainer, graphs: StepGraphs | None) -> Iterator[None]:
    """Let graphs take the steps where they can; their memory is free again at the end."""
    strategy = trainer.strategy
    if (
        graphs is None
        or not isinstance(model, SequenceModel)
        or not isinstance(
            strategy, SingleDeviceStrategy
        )  # other strategies exchange gradients, even in a single process
        or strategy.root_device.type != graphs.device_type
    ):
        yield
        return
    model.replay_steps(graphs)
    try:
        yield
    finally:
        model.replay_steps(None)
        graphs.release()


def has_own_batches(data: object) -> bool:
    """Whether data come in our batches, which can be cut into chunks, and redefine no hook that Lightning calls."""
    if not isinstance(data, StateTrackingData):
        return False
    of_lightning = [name for name in dir(pl.LightningDataModule) if not name.startswith("_")]
    return all(getattr_static(type(data), name) is getattr_static(StateTrackingData, name) for name in of_lightning)


def takes_many_steps_at_once(model: pl.LightningModule, trainer_arguments: dict[str, Any]) -> bool:
    """Whether nothing asks for Lightning's attention at every single step.

    That is, the model is a :class:`SequenceModel` that redefines nothing of Lightning's but ``forward`` (no hook, no
    optimizer or scheduler of its own), and the Trainer neither clips nor accumulates gradients.
    """
    if not isinstance(model, SequenceModel) or set(trainer_arguments) & set(_WATCHING_STEPS):
        return False
    of_lightning = {name for name in dir(pl.LightningModule) if not name.startswith("_")} - {"forward"}
    return all(getattr_static(type(model), name) is getattr_static(SequenceModel, name) for name in of_lightning)


def _trainer(max_steps: int, val_check_interval: int, callbacks: list[pl.Callback], **arguments: Any) -> pl.Trainer:
    return _quiet_trainer(
        max_steps=max_steps,
        max_epochs=-1,
        val_check_interval=val_check_interval,
        check_val_every_n_epoch=None,
        callbacks=[*callbacks, _SigtermAsBefore()],
        **arguments,
    )


class _SigtermAsBefore(pl.Callback):
    """SIGTERM does what it did before.

    Lightning's handler would end a worker as if it had been interrupted, and a task that Slurm is about to queue again.
    Where several processes train one model it tells the others by a collective call of its own; in the middle of
    another one that never returns.
    """

    def __init__(self) -> None:
        self._handler = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take Lightning's handler away."""
        self._restore()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Take Lightning's handler away."""
        self._restore()

    def _restore(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._handler)


def quiet_trainer(**arguments: Any) -> pl.Trainer:
    """A Trainer as a trial would have it, to look at: building it changes nothing in the process.

    Args:
        arguments: further arguments of the Trainer.
    """
    with global_state_kept():
        return _quiet_trainer(**arguments)


def set_switches(**arguments: Any) -> None:
    """Set what a trial's Trainer sets for the whole process, such as deterministic algorithms; building it does so.

    To be called within :func:`~ib_bench.training.global_state.fresh_global_state`, which sets it back.

    Args:
        arguments: of the Trainer.
    """
    _quiet_trainer(**arguments)


def _quiet_trainer(callbacks: Sequence[pl.Callback] = (), **arguments: Any) -> pl.Trainer:
    """A Trainer that writes no file and prints nothing, and hands every process all of every batch.

    A :class:`SequenceModel` takes its share of it. Another LightningModule then computes the same in every process,
    which is right, and no faster.
    """
    stated = {
        **{name: parameter.default for name, parameter in inspect.signature(pl.Trainer).parameters.items()},
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
        **arguments,
        "callbacks": list(callbacks),
        "default_root_dir": _private_folder(),
    }
    trainer = pl.Trainer(**{**stated, "plugins": [LightningEnvironment()]})
    if trainer.world_size > 1:
        trainer = pl.Trainer(**{**stated, "plugins": [process_environment()]})
    trainer.callbacks = list(callbacks)  # type: ignore[attr-defined]  # without those of installed packages
    return trainer


def _private_folder() -> str:
    """A missing folder, so that it holds no checkpoint."""
    return str(Path(tempfile.gettempdir()) / f"ib-bench-{uuid4().hex}")


def process_environment() -> ClusterEnvironment:
    """The launcher of the processes that train one model together; Lightning's own by default.

    Slurm sets most of its variables in batch scripts, too; those of a step are srun's.
    """
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        return SLURMEnvironment(auto_requeue=False)
    others = (LSFEnvironment, MPIEnvironment)
    return next((environment() for environment in others if environment.detect()), LightningEnvironment())


@contextmanager
def contained(trainer: pl.Trainer) -> Iterator[None]:
    """Context manager around a Trainer: Ctrl-C raises, and the files of a model's own callbacks are removed.

    Lightning answers Ctrl-C by ending the program and disabling Ctrl-C; a search has something to say first. A SIGTERM
    that it has noticed before :class:`_SigtermAsBefore` took over is sent again.

    Args:
        trainer: that is about to run.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        BenchError: the model or its data have called ``sys.exit``.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException:
        os.kill(os.getpid(), signal.SIGTERM)
        raise
    except SystemExit as exit:
        if not isinstance(exit.__context__, KeyboardInterrupt):
            raise exit_called(exit) from None
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from exit
    finally:
        shutil.rmtree(trainer.default_root_dir, ignore_errors=True)


@contextmanager
def silent() -> Iterator[None]:
    """Lightning prints neither tips nor what it found on this machine."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)  # Lightning's, of torch
            warnings.filterwarnings("ignore", message="The `srun` command is available")  # wherever Slurm is installed
            warnings.filterwarnings("ignore", message=".*AMP with fp16 is not supported on CPU")  # said once elsewhere
            warnings.filterwarnings("ignore", message="GPU available but not used")  # the user has asked for the CPU
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
