"""Parsing shared by all commands: bad input becomes one sentence."""

from __future__ import annotations

import importlib
import inspect
import os
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser, Namespace

from ib_bench import catalogue
from ib_bench.errors import BenchError, UnknownNameError, nearest, require
from ib_bench.report.tables import Format

DEFAULT_STORE = "ib_bench.sqlite"

_SHORT_NAMES = {"model": catalogue.MODELS, "data": catalogue.TASKS}


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


def unreadable(arguments: Sequence[str], error: UnicodeDecodeError) -> BenchError:
    """What to say of a config file that holds no text."""
    return BenchError(f"config {_config_files(arguments)} is not valid YAML: {error}")


def require_writable_folder(option: str, folder: str) -> None:
    """Make sure that a folder is there, or can be made, and that files can be put into it.

    Raises:
        InvalidOptionError: it is not so.
    """
    wanted = Path(folder).absolute()
    existing = next(path for path in (wanted, *wanted.parents) if path.exists())
    can_be_written = existing.is_dir() and os.access(existing, os.W_OK)
    require(can_be_written, option, folder, "a folder that can be written")


def require_writable_file(option: str, path: str) -> None:
    """Make sure that a file is there, or can be made, and that it can be written.

    Raises:
        InvalidOptionError: it is not so.
    """
    file = Path(path).absolute()
    can_be_written = os.access(file if file.exists() else file.parent, os.W_OK) and not file.is_dir()
    require(can_be_written, option, path, "a file that can be written")


def listing_parser(command: str, description: str) -> ArgumentParser:
    """The parser of a command that lists what a store holds."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=description, exit_on_error=False)
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store.")
    parser.add_argument("--format", type=Format, default="table", help="How to print.")
    return parser


def option_names(parser: ArgumentParser) -> list[str]:
    """All options of a parser, such as ``--search.seeds``."""
    return [option for action in parser._actions for option in action.option_strings if option.startswith("--")]


def explained(error: ArgumentError, arguments: Sequence[str] = (), options: Sequence[str] = ()) -> BenchError:
    """Jsonargparse's message, which can be a dozen lines about type unions, as one sentence.

    Args:
        error: as jsonargparse raised it.
        arguments: what was parsed, to name the config file.
        options: the options there are, to name the nearest one to an unknown one.
    """
    message = str(error)
    if found := re.search(r"unrecognized arguments: (\S+)", message):
        name = found[1].partition("=")[0]
        return BenchError(f"unknown option {name}{nearest(name, options)}")
    if found := re.search(r"Problems parsing config: (.*)", message, re.DOTALL):
        return BenchError(f"config {_config_files(arguments)} is not valid YAML: {' '.join(found[1].split())}")
    if found := re.search(r"Unexpected config: (.*)", message, re.DOTALL):
        content = " ".join(found[1].split()) or "nothing"
        return BenchError(f"config {_config_files(arguments)} must be a mapping of options, it holds {content}")
    if found := re.search(r"File does not exist: (.*)", message):
        return BenchError(f"config {found[1]} does not exist")
    path = ".".join(re.findall(r'Parser key "([^"]+)"', message))
    if found := re.search(r"Expected a dot import path string: (\S+)", message):
        return _unknown_class(path, found[1])
    if found := re.search(r"Problem with given class_path '([^']+)':\s+Option '([^']+)' is not accepted", message):
        return _unknown_parameter(path, *found.groups())
    value = re.search(r"(?:Got value|Given value): (.*)", message)
    unusable = re.search(r"Errors:\s+- (.*?)\n\s+- Expected a <class 'NoneType'>", message, re.DOTALL)
    if path in _SHORT_NAMES and value and unusable:
        reason = " ".join(unusable[1].rpartition("':\n")[2].split())
        return BenchError(f"{path} {value[1]!r} cannot be used as a {_lightning_base(path)}: {reason}")
    # An optional class adds "or None" to the errors of everything inside it: only what the innermost key says counts.
    innermost = message.rpartition('Parser key "')[2].partition("Given value type")[0]
    innermost = innermost.partition("Got value")[0]
    expected = dict.fromkeys(re.findall(r"Expected an? ((?:<class|typing\.).*?[>\]])", innermost))
    if path and expected and value:
        return BenchError(f"{path} must be {' or '.join(filter(None, map(_readable, expected)))}, got {value[1]!r}")
    return BenchError(" ".join(message.split()))


def _config_files(arguments: Sequence[str]) -> str:
    words = [word for argument in arguments for word in argument.split("=", 1)]
    return ", ".join(value for flag, value in pairwise(words) if flag in ("-c", "--config"))


def _unknown_class(option: str, name: str) -> BenchError:
    if option not in _SHORT_NAMES:
        return BenchError(f"{option} must be the dotted path of a class, got {name!r}")
    return UnknownNameError(option, name, [entry.class_name for entry in catalogue.entries(_SHORT_NAMES[option])])


def _unknown_parameter(option: str, class_path: str, name: str) -> BenchError:
    module, _, class_name = class_path.rpartition(".")
    known = list(inspect.signature(getattr(importlib.import_module(module), class_name)).parameters)
    if class_name == _lightning_base(option):
        return BenchError(f"--{option}.{name} needs --{option} before it, which says what {option} to take")
    return UnknownNameError(f"option {option}.{name}: {class_name} has no", name, known)


def _lightning_base(option: str) -> str:
    return "LightningDataModule" if option == "data" else "LightningModule"


def _readable(kind: str) -> str:
    if kind.startswith("typing.Literal"):
        names = re.findall(r"'([^']+)'", kind)
        return "one of " + ", ".join(names) if names else ""
    name = re.sub(r"<class '([^']+)'>", r"\1", kind)
    articles = {
        "int": "an integer",
        "float": "a number",
        "bool": "true or false",
        "NoneType": "null",
        "list": "a list",
        "dict": "a mapping",
    }
    return articles.get(name, name)
