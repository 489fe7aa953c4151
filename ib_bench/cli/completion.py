"""Print a script with which a shell completes commands, options and class names."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import Literal

from jsonargparse import ArgumentParser

from ib_bench.cli import commands
from ib_bench.cli.parsing import parse, parser_of
from ib_bench.errors import BenchError


def main(command: str, arguments: Sequence[str]) -> int:
    """Print the script for a shell."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    parser.add_argument("shell", type=Literal["bash", "zsh", "tcsh"], help="The shell.")
    options = parse(parser, arguments)
    if find_spec("shtab") is None:
        raise BenchError("completion needs shtab, which is not installed: pip install 'ib_bench[completion]'")
    print(_all_commands().get_completion_script(f"shtab-{options.shell}"))
    return 0


def _all_commands() -> ArgumentParser:
    """One parser of all commands, which are otherwise imported one at a time."""
    parser = ArgumentParser(prog="ib-bench")
    subcommands = parser.add_subcommands()
    for name, (module_name, summary) in commands().items():
        module = importlib.import_module(f"ib_bench.cli.{module_name}")
        if not hasattr(module, "SUBCOMMANDS"):
            subcommands.add_subcommand(name, parser_of(partial(module.main, name, [])), help=summary)
            continue
        group = ArgumentParser()
        subcommands.add_subcommand(name, group, help=summary)
        parts = group.add_subcommands()
        for part in module.SUBCOMMANDS:
            parts.add_subcommand(part, parser_of(partial(module.main, name, [part])))
    return parser
