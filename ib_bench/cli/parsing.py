"""Parsing shared by all commands: bad input becomes one sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace, get_loader, set_loader

from ib_bench.drawing.texts import Format
from ib_bench.limited_yaml import load_yaml
from ib_bench.runner.config_errors import explained, option_names, unreadable
from ib_bench.runner.numbers import require_usable_numbers
from ib_bench.runner.places import DEFAULT_STORE, with_homes


def limit_yaml() -> None:
    """Have all parsers read YAML within limits."""
    load = get_loader("yaml")
    if load is not _load_yaml:
        _loaders.append(load)
        set_loader("yaml", _load_yaml, exceptions=(yaml.YAMLError,))


_loaders: list[Callable[[str], Any]] = []  # jsonargparse's own


def _load_yaml(text: str) -> Any:
    return load_yaml(text, _loaders[-1])


_is_asked: ContextVar[bool] = ContextVar("_is_asked", default=False)


class _Parser(Exception):
    """Carries the parser of a command that would parse now."""

    def __init__(self, parser: ArgumentParser) -> None:
        super().__init__()
        self.parser = parser


def parser_of(command: Callable[[], object]) -> ArgumentParser:
    """The parser of a command, which runs until it would parse its arguments.

    Args:
        command: to be called.
    """
    token = _is_asked.set(True)
    try:
        command()
    except _Parser as made:
        return made.parser
    finally:
        _is_asked.reset(token)
    raise AssertionError(f"{command} parses nothing")


def show_if_asked(parser: ArgumentParser) -> None:
    """To be called before a command parses, for :func:`parser_of`."""
    if _is_asked.get():
        raise _Parser(parser)


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse.

    Raises:
        BenchError: the arguments are wrong; says which and what is allowed.
    """
    show_if_asked(parser)
    limit_yaml()
    try:
        options = parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise explained(error, arguments, option_names(parser)) from error
    except UnicodeDecodeError as error:
        raise unreadable(arguments, error) from error
    require_usable_numbers(options)
    return with_homes(options)


def listing_parser(command: str, description: str) -> ArgumentParser:
    """The parser of a command that lists what a store holds."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=description, exit_on_error=False)
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store.")
    parser.add_argument("--format", type=Format, default="table", help="Output format.")
    return parser
