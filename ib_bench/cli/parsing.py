"""Parsing shared by all commands: bad input becomes one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from ib_bench.drawing.texts import Format
from ib_bench.runner.config_errors import explained, option_names, unreadable
from ib_bench.runner.places import DEFAULT_STORE


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse.

    Raises:
        BenchError: the arguments are wrong; says which and what is allowed.
    """
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise explained(error, arguments, option_names(parser)) from error
    except UnicodeDecodeError as error:
        raise unreadable(arguments, error) from error


def listing_parser(command: str, description: str) -> ArgumentParser:
    """The parser of a command that lists what a store holds."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=description, exit_on_error=False)
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store.")
    parser.add_argument("--format", type=Format, default="table", help="How to print.")
    return parser
