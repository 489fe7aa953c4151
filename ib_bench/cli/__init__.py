"""The command line: ``ib-bench COMMAND ...``.

Each command is a module with a ``main``; it is imported when it is called, so that the ones that need no torch answer
at once.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from ib_bench import __version__
from ib_bench.cli.garbage import import_for_good
from ib_bench.cli.interruption import Interruption
from ib_bench.cli.ranks import let_the_first_speak, speaks
from ib_bench.errors import BenchError, LostProcessError, UnknownNameError

COMMANDS = {
    "fit": ("fit", "train a model once (LightningCLI)"),
    "validate": ("fit", "evaluate a model on the held-out sequences (LightningCLI)"),
    "test": ("fit", "evaluate a model on sequences that neither training nor validation has seen (LightningCLI)"),
    "search": ("search", "find N*, the smallest training set with which a model learns a task"),
    "sharing": ("sharing", "measure the sharing factor kappa: N* at each length alone against all lengths together"),
    "extrapolate": ("extrapolate", "train on the largest training set and measure accuracy at longer lengths"),
    "run": ("run", "run a suite: many searches, side by side"),
    "status": ("status", "what runs on a store, how far it is, and what has failed"),
    "results": ("results", "list searches and their verdicts"),
    "trials": ("trials", "list the trials of searches"),
    "report": ("report", "write every table and figure of the study, and one HTML page with all of them"),
    "claims": ("claims", "check what the paper claims against the records"),
    "wandb": ("wandb", "log a store to Weights & Biases, or build the project's dashboard there"),
    "store": ("store", "look after a store: check, export, merge, vacuum"),
    "doctor": ("doctor", "look whether everything is in order here: versions, devices, executors, store, W&B"),
    "ls": ("ls", "list tasks, supervision regimes, length distributions, models and suites"),
}

_PYTHONS_FORMAT = warnings.formatwarning

EXIT_LOST = 1
EXIT_BAD_INPUT = 2

_GOES_ON = ("search", "sharing", "extrapolate", "run")
"""Commands that take up what an interrupted one has left."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments, without the program's name; None takes the process's own.

    Returns:
        The exit code: 0, 1 if some searches of a suite failed or a process was lost, 2 for bad input, 130 after Ctrl-C,
        143 after SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    if argv is None:
        warnings.formatwarning = _in_one_sentence
    command = arguments[0] if arguments else "--help"
    interruption = Interruption(_farewell(command, arguments), for_good=argv is None)
    with interruption:
        exit_code = _run(command, arguments, interruption)
        if interruption.number is None:
            return exit_code
    return interruption.exit_code


def _run(command: str, arguments: list[str], interruption: Interruption) -> int:
    prog = "ib-bench"
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # of Lightning's calls, not of ours
    try:
        if command.startswith("-"):
            _parser().parse_args(arguments or ["--help"])
        if command not in COMMANDS:
            raise UnknownNameError("command", command, COMMANDS)
        prog = f"ib-bench {command}"
        if os.getcwd() not in sys.path:
            sys.path.append(os.getcwd())  # a user's own model in the working folder is found by its dotted path
        module = import_for_good(f"ib_bench.cli.{COMMANDS[command][0]}")
        interruption.has_started = True
        return int(module.main(command, arguments[1:]))
    except BenchError as error:
        if speaks():
            print(f"{prog}: error: {error}", file=sys.stderr, flush=True)
        let_the_first_speak()
        return EXIT_LOST if isinstance(error, LostProcessError) else EXIT_BAD_INPUT
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _in_one_sentence(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Our own warnings as errors are written, those of libraries as Python does."""
    if category is UserWarning and Path(filename).is_relative_to(Path(__file__).parents[1]):
        return f"ib-bench: warning: {message}\n"
    return _PYTHONS_FORMAT(message, category, filename, lineno, line)


def _farewell(command: str, arguments: list[str]) -> str:
    """What to say if the command is interrupted."""
    kept = f"\nib-bench {command}: interrupted; finished trials are kept"
    return f"{kept}\ngo on with: {shlex.join(['ib-bench', *arguments])}" if command in _GOES_ON else kept


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="ib-bench",
        usage="ib-bench [-h] [--version] COMMAND ...",
        description="How many training sequences does a sequence model need to learn state tracking?",
        epilog=f"commands:\n{listing}\n\n'ib-bench COMMAND --help' explains a command.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ib-bench {__version__}")
    return parser
