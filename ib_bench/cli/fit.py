"""``ib-bench fit|validate|test``: LightningCLI, with the suite's models and DataModules under their short names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentError, lazy_instance
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger

from ib_bench.cli.experiments import (
    check_model_and_data,
    link_vocabulary,
    load_shipped_classes,
    resolved_config,
)
from ib_bench.cli.parsing import explained, option_names

_SUBCOMMANDS = ("fit", "validate", "test")


class BenchCLI(LightningCLI):
    """LightningCLI whose models learn their vocabulary from the data."""

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """The three commands whose models and data we know."""
        return {name: skipped for name, skipped in LightningCLI.subcommands().items() if name in _SUBCOMMANDS}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Link what the model takes from the data."""
        link_vocabulary(parser)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, and build data and model once, to say in one sentence what is wrong before anything is set up."""
        command, *arguments = args
        subparser = self._subcommand_parsers[command]
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            raise explained(error, arguments, option_names(subparser)) from error
        check_model_and_data(resolved_config(subparser, self.config[command]))


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a LightningCLI command."""
    load_shipped_classes()
    strict: dict[str, Any] = {"exit_on_error": False}
    BenchCLI(
        parser_kwargs={**strict, "prog": "ib-bench", **{name: dict(strict) for name in _SUBCOMMANDS}},
        trainer_defaults={"logger": lazy_instance(CSVLogger, save_dir=".")},
        save_config_kwargs={"overwrite": True},
        seed_everything_default=10,
        auto_configure_optimizers=False,
        args=[command, *arguments],
    )
    return 0
