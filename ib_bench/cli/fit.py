"""``ib-bench fit|validate|test``: LightningCLI, with the suite's models and DataModules under their short names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jsonargparse import ArgumentError
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from ib_bench.cli.experiments import link_vocabulary, load_shipped_classes
from ib_bench.errors import BenchError

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
        """Parse, without LightningCLI's warning that arguments were not taken from ``sys.argv``."""
        self.config = parser.parse_args(args)


def main(command: str, arguments: Sequence[str]) -> int:
    """Run a LightningCLI command."""
    load_shipped_classes()
    strict: dict[str, Any] = {"exit_on_error": False}
    try:
        BenchCLI(
            parser_kwargs={**strict, "prog": "ib-bench", **{name: dict(strict) for name in _SUBCOMMANDS}},
            seed_everything_default=10,
            auto_configure_optimizers=False,
            args=[command, *arguments],
        )
    except ArgumentError as error:
        raise BenchError(str(error)) from error
    return 0
