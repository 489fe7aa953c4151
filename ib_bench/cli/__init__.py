"""The command line: ``ib-bench COMMAND ...``.

Each command is a module with a ``main``; it is imported when it is called, so that the ones that need no torch answer
at once.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from ib_bench import __version__, catalogue
from ib_bench.address_space import TRAINING_GB, require_address_space
from ib_bench.cli.interruption import Interruption
from ib_bench.errors import (
    BenchError,
    InvalidOptionError,
    LostProcessError,
    UnknownNameError,
    shown,
    warn_in_one_sentence,
    with_short_words,
)
from ib_bench.execution.devices import num_cores
from ib_bench.execution.fork_server import start_early
from ib_bench.execution.ranks import require_numbers, speak_after_the_first
from ib_bench.importing import import_for_good
from ib_bench.plain_text import one_line
from ib_bench.user_code import look_in

_MEASURE = "measure"

_GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "measure": {  # every quantity comes first
        "run": ("run", "run a suite: many measurements, side by side"),
        "fit": ("fit", "train a model once (LightningCLI)"),
        "validate": ("fit", "evaluate a model on the held-out sequences (LightningCLI)"),
        "test": ("fit", "evaluate a model on a second held-out set (LightningCLI)"),
    },
    "look at results": {
        "results": ("results", "list results"),
        "trials": ("trials", "list training runs"),
        "status": ("status", "show running jobs, their progress, and failures"),
        "report": ("report", "write all tables and figures, and one HTML page with them"),
        "claims": ("claims", "check the claims of the paper against your results"),
    },
    "score a model": {
        "score": ("score", "measure a model by a fixed protocol, and print its card"),
        "league": ("league", "rank the scores of models, yours beside the shipped ones"),
    },
    "keep and share results": {
        "store": ("store", "check, export, merge or clean up a store"),
        "wandb": ("wandb", "log a store to Weights & Biases, or build a dashboard there"),
    },
    "set up": {
        "ls": ("ls", "list tasks, models, suites and more; describe one of them"),
        "check": ("check", "check that a model can be measured"),
        "doctor": ("doctor", "check the installation: versions, devices, store, W&B"),
        "completion": ("completion", "print a script for tab completion in your shell"),
    },
}
"""For each purpose, its commands: the module that runs one, and what it does."""


def grouped_commands() -> dict[str, dict[str, tuple[str, str]]]:
    """For each purpose, its commands: the module that runs one, and what it does; every quantity is a command."""
    quantities = {quantity.name: (_MEASURE, quantity.summary) for quantity in catalogue.quantities()}
    return {**_GROUPS, "measure": {**quantities, **_GROUPS["measure"]}}


def commands() -> dict[str, tuple[str, str]]:
    """For each command, the module that runs it and what it does."""
    return {name: command for group in grouped_commands().values() for name, command in group.items()}


EXIT_LOST = 1
EXIT_BAD_INPUT = 2

SYSTEM = os.name
"""``posix`` or ``nt``."""

_TRAINS = (_MEASURE, "run", "score")
"""Modules of commands that train and keep each finished trial."""

_CONTINUES = (*_TRAINS, "wandb")
"""Modules of commands that leave out what an interrupted one has finished."""

_BUILDS = (*_TRAINS, "fit", "check")
"""Modules of commands that build a user's own classes, which may be in the working folder."""

_LOADS_LIGHTNING = (*_BUILDS, "doctor", "ls")

_LISTS = ("check", "claims", "league", "ls", "results", "status", "trials")
"""Modules of commands that only print, and may end at any place."""

_WORKER_MODULES = ("ib_bench.runner.jobs", "ib_bench.quantities.search.job")
"""What worker processes need."""

_PRINTS = {"-h", "--help", "--dry_run", "--print_config"}
"""Options with which a command only prints."""

_NO_WORKERS = {*_PRINTS, "--executor"}
"""Options with which a command starts no workers, or may not."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments, without the program's name; None takes the process's own.

    Returns:
        The exit code: 0, 1 if some searches of a suite failed, a process was lost, or nobody reads what a measurement
        prints, 2 for bad input, 130 after Ctrl-C, 143 after SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        warn_in_one_sentence()
        argparse.ArgumentParser._print_message = _print_help  # type: ignore[method-assign, assignment]
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")  # a locale without the sign for infinity
    command = arguments[0] if arguments else "--help"
    interruption = Interruption(_interrupted_text(command, arguments), for_good=argv is None)
    with interruption:
        exit_code = _run(command, arguments, interruption)
        if interruption.number is None:
            return exit_code
    return interruption.exit_code


def _run(command: str, arguments: list[str], interruption: Interruption) -> int:
    prog = "ib-bench"
    if SYSTEM == "nt":  # whether a process lives is asked by os.kill, which ends it there; signals and locks differ
        print(f"{prog}: error: ib_bench needs Linux or macOS; on Windows use WSL", file=sys.stderr)
        return EXIT_BAD_INPUT
    if sys.flags.optimize > 1:
        print(f"{prog}: error: PYTHONOPTIMIZE must be 0 or 1, got 2: without docstrings altair fails", file=sys.stderr)
        return EXIT_BAD_INPUT
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # caused by Lightning's calls
    os.environ.setdefault("PYTHONSAFEPATH", "1")  # Python puts the working folder first in processes that it starts
    if_unread = 0
    try:
        if command.startswith("-"):
            _parser().parse_args(arguments or ["--help"])
        known = commands()
        if command not in known:
            raise UnknownNameError("command", command, known)
        prog = f"ib-bench {command}"
        if zero := next((argument for argument in arguments if "\0" in argument), None):
            raise BenchError(f"an argument must be a text without zero bytes, got {zero!r}")
        if lost := next((one for one in arguments if one.startswith("--") and one.endswith("=--")), None):
            raise InvalidOptionError(lost[2:-3], "--", "a value")  # argparse drops it, and jsonargparse gets none
        name = known[command][0]
        if name in _BUILDS:
            require_address_space(TRAINING_GB, "training")
        if name in _LOADS_LIGHTNING:
            require_numbers()
        if _needs_workers(command, arguments):
            start_early(*_WORKER_MODULES)
        if name in _BUILDS:
            look_in(os.getcwd())
        module = import_for_good(f"ib_bench.cli.{name}", extras=name not in _TRAINS)
        interruption.has_started = name not in _LISTS
        if name in _TRAINS and not _given(arguments) & _PRINTS:
            if_unread = EXIT_LOST
        exit_code = int(module.main(command, arguments[1:]))
        if sys.stdout is not None:
            sys.stdout.flush()  # a full disk is reported here, and not at the interpreter's end
        return exit_code
    except BenchError as error:
        sentence = f"{prog}: error: {one_line(with_short_words(str(error)))}"
        speak_after_the_first(lambda: _say(sentence))
        return EXIT_LOST if isinstance(error, LostProcessError) else EXIT_BAD_INPUT
    except MemoryError:
        _say(f"{prog}: error: out of memory: try a smaller model or batch size")
        return EXIT_BAD_INPUT
    except (OSError, SystemExit) as error:
        return _ended(prog, error, if_unread)


def _ended(prog: str, error: OSError | SystemExit, if_unread: int) -> int:
    """The exit code after an error of the system, such as a full disk, and after the end that a library has asked for.

    Args:
        prog: what the error's sentence begins with.
        error: of either kind.
        if_unread: the exit code where the output's reader, such as ``head``, has closed it.

    Raises:
        SystemExit: the end is a library's.
    """
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return if_unread
    if isinstance(error, SystemExit):
        try:
            sys.stdout.flush()
        except OSError as full:
            return _ended(prog, full, if_unread)
        raise error
    place = "the output" if error.filename is None else shown(error.filename)
    _say(f"{prog}: error: {place} cannot be used: {error.strerror or error}")
    if error.errno == errno.ENOSPC and error.filename is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nor can what is left be written at the end
    return EXIT_BAD_INPUT


def _print_help(parser: argparse.ArgumentParser, message: str, file: Any = None) -> None:
    """As argparse does it, which overlooks a full disk."""
    (file or sys.stderr).write(message or "")


def _say(sentence: str) -> None:
    """Print an error, if anything can be printed there."""
    try:
        print(sentence, file=sys.stderr, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # nor can it be written at the end


def _needs_workers(command: str, arguments: list[str]) -> bool:
    """Whether a command will probably start worker processes on this machine."""
    is_suite = command in ("run", "score") or any(
        one.name == command and one.has_many_jobs for one in catalogue.quantities()
    )
    return is_suite and num_cores() > 1 and not _given(arguments) & _NO_WORKERS


def _given(arguments: list[str]) -> set[str]:
    """The options among arguments."""
    return {argument.partition("=")[0] for argument in arguments}


def _interrupted_text(command: str, arguments: list[str]) -> str:
    """Printed if the command is interrupted."""
    try:
        name = commands().get(command, ("",))[0]
    except BenchError:  # a quantity of another package cannot be imported, which the command says
        name = ""
    kept = "; finished trials are kept" if name in _TRAINS else ""
    again = f"\ncontinue with: {shlex.join(['ib-bench', *arguments])}" if name in _CONTINUES else ""
    return f"\nib-bench {command}: interrupted{kept}{again}"


def _parser() -> argparse.ArgumentParser:
    groups = grouped_commands()
    width = max(len(name) for group in groups.values() for name in group)
    blocks = []
    for purpose, group in groups.items():
        lines = [f"  {name:{width}}  {summary}" for name, (_, summary) in group.items()]
        blocks.append("\n".join([f"{purpose}:", *lines]))
    listing = "\n\n".join(blocks)
    parser = argparse.ArgumentParser(
        prog="ib-bench",
        usage="ib-bench [-h] [--version] COMMAND ...",
        description="How many training sequences does a sequence model need to learn state tracking?",
        epilog=f"{listing}\n\n'ib-bench COMMAND --help' explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ib-bench {__version__}")
    return parser
