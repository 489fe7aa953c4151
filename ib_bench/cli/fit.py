"""``ib-bench fit|validate|test``: LightningCLI, with the suite's models and DataModules under their short names.

With ``--trainer.strategy ddp`` every process is handed all of every batch, and a
:class:`~ib_bench.models.sequence_model.SequenceModel` takes its share. Another LightningModule computes the same in
every process unless ``--trainer.use_distributed_sampler true`` is given, with DataLoaders for it to act on.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from jsonargparse import ActionConfigFile, ArgumentError, Namespace, lazy_instance
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger

from ib_bench.cli.checkpoints import check_checkpoint, last_checkpoint_required
from ib_bench.cli.parsing import limit_yaml, show_if_asked
from ib_bench.data.state_tracking_data import StateTrackingData
from ib_bench.errors import BenchError, reason_of, require
from ib_bench.execution.ranks import speaks
from ib_bench.models.plain_module import TrainableModule, is_plain_module
from ib_bench.models.sequence_model import SequenceModel
from ib_bench.runner.checked_trainer import require_processes
from ib_bench.runner.config_errors import explained, option_names, unreadable
from ib_bench.runner.desk import check_model_and_data, link_vocabulary, resolved_config
from ib_bench.runner.numbers import require_trainer_numbers
from ib_bench.runner.places import require_writable_folder, with_home
from ib_bench.training.class_parser import ClassParser, Data, Model
from ib_bench.training.fitting import silent
from ib_bench.training.kernels import missing_kernels_explained

_SUBCOMMANDS = ("fit", "validate", "test")
_ROOT = "trainer.default_root_dir"
_INTERVAL = "trainer.val_check_interval"
_HERE = "."
_BASES = {"callbacks": "Callback", "plugins": "Precision"}
_MAX_SEED = 2**32 - 1
_HELP = {
    "ckpt_path": "Path of a checkpoint, or last or hpc.",
    "weights_only": "Read weights and plain data only, unless false, which reads any checkpoint and may run its code.",
}
"""Of Lightning's arguments, whose own texts offer more than is allowed here."""


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

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        """Say of Lightning's own arguments what they do here."""
        parser: LightningArgumentParser = super()._prepare_subcommand_parser(klass, subcommand, **kwargs)
        for action in parser._actions:
            action.help = _HELP.get(action.dest, action.help)
        return parser

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and build data and model once, so that an error is one sentence before anything is set up."""
        limit_yaml()
        command, *arguments = args
        subparser = self._subcommand_parsers[command]
        subparser.prog = f"ib-bench {command}"
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
        _require_classes(config["trainer"])
        require_trainer_numbers(config["trainer"])
        model, _, data = check_model_and_data(config)
        if config["trainer"]["use_distributed_sampler"]:
            allowed = "false for a SequenceModel, which splits every batch between processes itself"
            require(not isinstance(model, SequenceModel), "trainer.use_distributed_sampler", True, allowed)
        checkpoint = config.get("ckpt_path")
        if "weights_only" in self.config[command] and self.config[command].weights_only is None:
            self.config[command].weights_only = True  # Lightning's default depends on torch's version
        folder = config["trainer"]["default_root_dir"] or "."
        if checkpoint is not None:
            check_checkpoint(checkpoint, folder, model, weights_only=config.get("weights_only") is not False)
        if isinstance(data, StateTrackingData):
            if command == "test" and data.num_test == 0:
                is_default = config["data"].get("init_args", {}).get("num_train_sequences") is None
                raise data.pool.nothing_to_test_on(data.num_train_sequences, is_default)
            if command == "fit":
                _require_no_overfitting(config["trainer"])
                _require_validations(config["trainer"], data)
        require_writable_folder(_ROOT, folder)

    def instantiate_classes(self) -> None:
        """Build everything; a plain ``nn.Module`` is made trainable."""
        try:
            super().instantiate_classes()
        except BenchError:
            raise
        except Exception as error:  # such as a logger whose package is not installed
            unusable = self._unusable(str(error)) or f"the options of {self.subcommand}"
            raise BenchError(f"{unusable} cannot be used: {_innermost(error)}") from error
        if is_plain_module(type(self.model)):
            arguments = self.config[self.subcommand].model.init_args
            num_classes = self.datamodule.num_classes
            self.model = TrainableModule(self.model, num_classes, arguments.get("learning_rate"))

    def _unusable(self, message: str) -> str | None:
        """The option, with its class, that an error of jsonargparse is about; None where it says none."""
        found = re.search(r"Problem with given class_path '([^']+)'", message)
        for name, value in vars(self.config[self.subcommand].trainer).items():
            if found and isinstance(value, Namespace) and value.get("class_path") == found[1]:
                return f"trainer.{name} {found[1].rpartition('.')[2]}"
        return None if found is None else found[1]

    def _parse_ckpt_path(self) -> None:
        """Keep the options: they, not the checkpoint's hyperparameters, determine the model."""

    def _set_seed(self) -> None:
        """Seed silently: the Trainer's options have not been checked yet."""
        try:
            with silent():
                super()._set_seed()
        except ValueError as error:  # of the variable that it reads where no seed is given
            raise BenchError(reason_of(error)) from error

    def _run_subcommand(self, subcommand: str) -> None:
        """Run it; a kernel that this processor lacks is reported in one sentence."""
        try:
            precision = self.config[subcommand].trainer.precision
            with missing_kernels_explained(precision), last_checkpoint_required(subcommand):
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
        require_processes(trainer)
        if trainer.world_size > 1:
            _end_with_leader()
        return trainer


def _require_classes(trainer: Mapping[str, Any]) -> None:
    """Refuse ``{}``, which jsonargparse takes for the base class where an option is a class.

    Raises:
        BenchError: it is there.
    """
    for name, value in trainer.items():
        require(value != {}, f"trainer.{name}", value, "a value, or left out for its default")
        base = _BASES.get(name)
        if isinstance(value, Mapping) and value.get("class_path", "").rpartition(".")[2] == base:
            raise BenchError(
                f"trainer.{name} must be null, a class derived from {base}, with options that it takes, or a list of "
                f"such, got {base} itself, which does nothing"
            )


def _require_no_overfitting(trainer: Mapping[str, Any]) -> None:
    """Refuse ``overfit_batches``: Lightning would take other sequences each epoch, as ours are shuffled.

    Raises:
        InvalidOptionError: it is set.
    """
    given = trainer.get("overfit_batches")
    allowed = "0: the training set is shuffled; data.num_train_sequences makes a small one"
    require(not given, "trainer.overfit_batches", given, allowed)


def _require_validations(trainer: Mapping[str, Any], data: StateTrackingData) -> None:
    """Make sure that a training set has as many batches as come before the first validation: Lightning demands it.

    Raises:
        InvalidOptionError: it has fewer.
    """
    interval = trainer.get("val_check_interval")
    if not isinstance(interval, int | float):
        return
    require(interval != 0, _INTERVAL, interval, "above 0; trainer.limit_val_batches 0 turns validation off")
    num_batches = math.ceil(data.num_train_sequences / data.batch_size)
    limit = trainer.get("limit_train_batches") or 1.0
    is_fraction = isinstance(limit, float) and limit <= 1
    num_batches = math.floor(limit * num_batches) if is_fraction else min(int(limit), num_batches)
    is_fixed = bool(trainer.get("fast_dev_run")) or trainer.get("limit_val_batches") == 0
    fits = interval <= num_batches or trainer.get("check_val_every_n_epoch") is None or is_fixed
    allowed = f"at most {num_batches:,}, the batches of an epoch, unless trainer.check_val_every_n_epoch is null"
    require(fits, _INTERVAL, interval, allowed)


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
