"""Parsing shared by all commands: bad input becomes one sentence."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace, get_loader, set_loader

from ib_bench.drawing.texts import Format
from ib_bench.errors import require
from ib_bench.limited_yaml import load_yaml
from ib_bench.results.whole_file import is_store
from ib_bench.runner.config_errors import explained, option_names, unreadable

DEFAULT_STORE = "ib_bench.sqlite"


def limit_yaml() -> None:
    """Have all parsers read YAML within limits."""
    load = get_loader("yaml")
    if load is not _load_yaml:
        _loaders.append(load)
        set_loader("yaml", _load_yaml, exceptions=(yaml.YAMLError,))


_loaders: list[Callable[[str], Any]] = []  # jsonargparse's own


def _load_yaml(text: str) -> Any:
    return load_yaml(text, _loaders[-1])


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> Namespace:
    """Parse.

    Raises:
        BenchError: the arguments are wrong; says which and what is allowed.
    """
    limit_yaml()
    try:
        return _with_homes(parser.parse_args(list(arguments)))
    except ArgumentError as error:
        raise explained(error, arguments, option_names(parser)) from error
    except UnicodeDecodeError as error:
        raise unreadable(arguments, error) from error


_PATHS = ("store", "out", "file", "figures", "log_file", "suite", "sources", "slurm.folder")
"""Options that are paths, of any command."""


def _with_homes(options: Namespace) -> Namespace:
    for name in _PATHS:
        given = options.get(name)
        if isinstance(given, list):
            options[name] = [with_home(name, path) for path in given]
        elif given is not None:
            options[name] = type(given)(with_home(name, str(given)))
    return options


def with_home(option: str, path: str) -> str:
    """A path in which ``~`` at the beginning is the home folder; a shell does this only where a word begins with it.

    Raises:
        InvalidOptionError: it begins with the name of a user that does not exist.
    """
    found = os.path.expanduser(path)
    allowed = "a path; ~ is the home folder of a user, and ./~ a name that begins with this sign"
    require(not found.startswith("~"), option, path, allowed)
    return found


def require_writable_folder(option: str, folder: str) -> None:
    """Make sure that a folder is there, or can be made, and that files can be put into it.

    Raises:
        InvalidOptionError: it is not so.
    """
    wanted = Path(folder).absolute()
    existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    can_be_written = existing.is_dir() and os.access(existing, os.W_OK)
    require(can_be_written, option, folder, "a folder that can be written")


def require_writable_file(option: str, path: str, store: str | Path | None = None) -> None:
    """Make sure that a file is there, or can be made, that it can be written, and that it is no store.

    Args:
        option: that names the file.
        path: of the file.
        store: path of the command's store, or None.

    Raises:
        InvalidOptionError: it is not so.
    """
    require(not is_store(path, store), option, path, f"another file than {'a' if store is None else 'the'} store")
    file = Path(path).absolute()
    can_be_written = os.access(file if file.exists() else file.parent, os.W_OK) and not file.is_dir()
    require(can_be_written, option, path, "a file that can be written")


def listing_parser(command: str, description: str) -> ArgumentParser:
    """The parser of a command that lists what a store holds."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=description, exit_on_error=False)
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store.")
    parser.add_argument("--format", type=Format, default="table", help="How to print.")
    return parser
