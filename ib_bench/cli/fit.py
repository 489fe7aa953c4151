"""``ib-bench fit|validate|test``: LightningCLI, with the suite's models and DataModules under their short names.

With ``--trainer.strategy ddp`` every process is handed all of every batch, and a
:class:`~ib_bench.models.sequence_model.SequenceModel` takes its share. Another LightningModule computes the same in
every process unless ``--trainer.use_distributed_sampler true`` is given, with DataLoaders for it to act on.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
import zipfile
from collections.abc import Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from jsonargparse import ActionConfigFile, ArgumentError, Namespace, lazy_instance
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger

from ib_bench.cli.parsing import limit_yaml, show_if_asked
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError, NothingToTestOnError, reason_of, require
from ib_bench.execution.ranks import speaks
from ib_bench.models.plain_module import TrainableModule, is_plain_module
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.runner.config_errors import explained, option_names, unreadable
from ib_bench.runner.desk import check_model_and_data, link_vocabulary, resolved_config
from ib_bench.runner.numbers import require_trainer_numbers
from ib_bench.runner.places import require_writable_folder, with_home
from ib_bench.training.class_parser import ClassParser, Data, Model
from ib_bench.training.fitting import silent
from ib_bench.training.kernels import missing_kernels_explained
from ib_bench.training.team import require_team

_SUBCOMMANDS = ("fit", "validate", "test")
_ROOT = "trainer.default_root_dir"
_HERE = "."
_MAX_SEED = 2**32 - 1


class SaveConfigBeside(SaveConfigCallback):
    """Saves the config as ``config.yaml`` where the logger writes, or in the working folder without one.

    A file that is there already, which may be the user's, is kept: the name then becomes ``config_1.yaml`` and so on.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """See Lightning."""
        folder = Path(trainer.log_dir or ".")  # the same on all ranks
        numbered = (f"config_{number}.yaml" for number in count(1))
        names = chain(["config.yaml"], numbered)
        if trainer.is_global_zero and not self.already_saved:
            self.config_filename = next(name for name in names if not (folder / name).exists())
        super().setup(trainer, pl_module, stage)


class BenchCLI(LightningCLI):
    """LightningCLI whose models take their vocabulary from the data."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """LightningCLI for this package's models and data."""
        return {name: skipped for name, skipped in LightningCLI.subcommands().items() if name in _SUBCOMMANDS}

    def init_parser(self, **kwargs: Any) -> ClassParser:
        """A parser of constructors as people write them."""
        parser = ClassParser(**kwargs)
        parser.add_argument("-c", "--config", action=ActionConfigFile, help="Path of a config file in YAML or JSON.")
        return parser

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link what the model takes from the data."""
        link_vocabulary(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and build data and model once, so that an error is one sentence before anything is set up."""
        limit_yaml()
        command, *arguments = args
        subparser = self._subcommand_parsers[command]
        show_if_asked(subparser)
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            raise explained(error, arguments, option_names(subparser)) from error
        except UnicodeDecodeError as error:
            raise unreadable(arguments, error) from error
        _place(self.config[command])
        seed = self.config[command].seed_everything
        in_range = isinstance(seed, bool) or seed is None or 0 <= seed <= _MAX_SEED
        require(in_range, "seed_everything", seed, "true, false or an integer in 0..2^32-1")
        config = resolved_config(subparser, self.config[command])
        require_trainer_numbers(config["trainer"])
        model, _, data = check_model_and_data(config)
        if config["trainer"]["use_distributed_sampler"]:
            allowed = "false for a SequenceModel, which splits every batch between processes itself"
            require(not isinstance(model, SequenceModel), "trainer.use_distributed_sampler", True, allowed)
        checkpoint = config.get("ckpt_path")
        if "weights_only" in self.config[command] and self.config[command].weights_only is None:
            self.config[command].weights_only = True  # Lightning's default depends on torch's version
        if checkpoint is not None and Path(checkpoint).is_file():
            _check_checkpoint(checkpoint, model, weights_only=config.get("weights_only") is not False)
        else:  # best is that of a fit in the same process
            require(checkpoint in (None, "last", "hpc"), "ckpt_path", checkpoint, "a checkpoint's path, last or hpc")
        if command == "test" and isinstance(data, StateTrackingData) and data.num_test == 0:
            raise NothingToTestOnError(data.num_train_sequences, data.max_train_sequences)
        require_writable_folder(_ROOT, config["trainer"]["default_root_dir"] or ".")

    def instantiate_classes(self) -> None:
        """Build everything; a plain ``nn.Module`` is made trainable."""
        try:
            super().instantiate_classes()
        except BenchError:
            raise
        except Exception as error:  # such as a logger whose package is not installed
            raise BenchError(f"the options of {self.subcommand} cannot be used: {_innermost(error)}") from error
        if is_plain_module(type(self.model)):
            arguments = self.config[self.subcommand].model.init_args
            num_classes = self.datamodule.num_classes
            self.model = TrainableModule(self.model, num_classes, arguments.get("learning_rate"))

    def _parse_ckpt_path(self) -> None:
        """Keep the options: they, not the checkpoint's hyperparameters, determine the model."""

    def _set_seed(self) -> None:
        """Seed silently: the Trainer's options have not been checked yet."""
        with silent():
            super()._set_seed()

    def _run_subcommand(self, subcommand: str) -> None:
        """Run it; a kernel that this processor lacks is reported in one sentence."""
        try:
            with missing_kernels_explained(self.config[subcommand].trainer.precision):
                super()._run_subcommand(subcommand)
        except MisconfigurationException as error:
            raise BenchError(f"Lightning's Trainer refuses its options: {reason_of(error)}") from error

    def instantiate_trainer(self, **kwargs: Any) -> pl.Trainer:
        """Build the Trainer; an option that it refuses is reported in one sentence, before other output."""
        try:
            with silent():
                trainer = super().instantiate_trainer(**kwargs)
        except Exception as error:
            raise BenchError(f"Lightning's Trainer refuses its options: {reason_of(error)}") from error
        require_team(trainer)
        if trainer.world_size > 1:
            _end_with_leader()
        return trainer


def _innermost(error: BaseException) -> str:
    """The reason of the exception that others were raised from: jsonargparse lists all types that it has tried."""
    while isinstance(error, ValueError) and (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return reason_of(error)


def _place(config: Namespace) -> None:
    """Resolve the paths in the config of a command, and put the default logger's files into the Trainer's folder."""
    trainer = config.trainer
    for option, holder, name in (("ckpt_path", config, "ckpt_path"), (_ROOT, trainer, "default_root_dir")):
        if isinstance(holder.get(name), str):
            holder[name] = with_home(option, holder[name])
    logger = trainer.get("logger")
    is_default = isinstance(logger, Namespace) and logger.get("class_path") == "lightning.pytorch.loggers.CSVLogger"
    if is_default and trainer.default_root_dir is not None and logger.get("init_args.save_dir") == _HERE:
        logger.init_args.save_dir = trainer.default_root_dir


def _end_with_leader() -> None:
    """If Lightning has started this process from another one, do not outlive that one."""
    leader = int(os.environ.setdefault("IB_BENCH_LEADER", str(os.getpid())))
    if leader != os.getpid() and not speaks():
        threading.Thread(target=_watch_parent, args=(leader,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _check_checkpoint(path: str, model: pl.LightningModule, weights_only: bool) -> None:
    """Raise :class:`BenchError` unless the file holds this model's weights.

    Args:
        path: of the file.
        model: that is to take the weights.
        weights_only: refuse a file that holds more than tensors and plain data: reading it may run any code. Lightning,
            which reads the file again afterwards, then finds no code in it either.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=weights_only)["state_dict"]
    except pickle.UnpicklingError as error:
        if not weights_only or not zipfile.is_zipfile(path):
            raise BenchError(f"cannot load a checkpoint from ckpt_path {path!r}: {type(error).__name__}") from error
        raise BenchError(
            f"ckpt_path {path!r} holds more than weights and plain data, and reading that may run any code; "
            f"--weights_only false, an option of Lightning 2.6, reads it anyway"
        ) from error
    except Exception as error:
        raise BenchError(f"cannot load a checkpoint from ckpt_path {path!r}: {type(error).__name__}") from error
    own = model.state_dict()
    for name in [*own, *saved]:
        there, here = (tuple(state[name].shape) if name in state else "missing" for state in (saved, own))
        if there != here:
            raise BenchError(
                f"ckpt_path {path!r} belongs to another model: {name} has the shape {there} in the file and "
                f"{here} in the model"
            )


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a LightningCLI command."""
    strict: dict[str, Any] = {"exit_on_error": False, "allow_abbrev": False}
    BenchCLI(
        model_class=Model,
        subclass_mode_model=True,
        datamodule_class=Data,
        subclass_mode_data=True,
        parser_kwargs={**strict, "prog": "ib-bench", **{name: dict(strict) for name in _SUBCOMMANDS}},
        trainer_defaults={"logger": lazy_instance(CSVLogger, save_dir=_HERE), "use_distributed_sampler": False},
        save_config_callback=SaveConfigBeside,
        save_config_kwargs={"overwrite": True},  # SaveConfigBeside never overwrites; the ranks need not agree on a name
        seed_everything_default=10,
        auto_configure_optimizers=False,
        args=[command, *arguments],
    )
    return 0
