"""``make bench``: what the suite costs on this machine, beside what it should cost."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.acceleration import compiled_steps
from benchmarks.dense_ssm import dense_ssm
from benchmarks.large_store import large_store
from benchmarks.measurement import Measurement, OnRound
from benchmarks.naive_search import searches
from benchmarks.reference import futility
from benchmarks.scans import scans
from benchmarks.scheduling import scheduling
from benchmarks.sequences import sequences
from benchmarks.startup import startup
from benchmarks.training_step import training_steps
from benchmarks.whole_run import whole_run
from benchmarks.words import words
from ib_bench.cli import EXIT_BAD_INPUT
from ib_bench.cli.parsing import parse
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import show, terminal_table, titled
from ib_bench.drawing.texts import OutputFormat
from ib_bench.errors import BenchError, UnknownNameError, require
from ib_bench.execution.devices import num_cores

_BENCHMARKS: dict[str, Callable[[Namespace, OnRound], list[Measurement]]] = {
    "steps": lambda options, on_round: training_steps(options.steps, options.rounds, on_round),
    "search": lambda options, on_round: searches(min(600, 4 * options.steps), on_round),
    "dense_ssm": lambda options, on_round: dense_ssm(options.rounds, on_round),
    "scans": lambda options, on_round: scans(options.rounds, on_round),
    "words": lambda options, on_round: words(options.rounds, on_round),
    "sequences": lambda options, on_round: sequences(on_round),
    "store": lambda options, on_round: large_store(on_round),
    "startup": lambda options, on_round: startup(options.rounds, on_round),
    "compile": lambda options, on_round: compiled_steps(min(60, options.steps), options.rounds, on_round),
    "futility": lambda options, on_round: futility(),
    "scheduling": lambda options, on_round: scheduling(on_round),
    "whole_run": lambda options, on_round: whole_run(options.steps, on_round),
}
"""What can be measured, by name."""

_HEADINGS = ["benchmark", "what", "measured", "target", "from"]


def main(arguments: Sequence[str]) -> int:
    """Measure, and print every measurement beside its target; returns the exit code, 2 for bad input."""
    try:
        _measure_and_print(arguments)
    except BenchError as error:
        print(f"benchmarks: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


def _measure_and_print(arguments: Sequence[str]) -> None:
    parser = ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure what the suite costs on this machine: {', '.join(_BENCHMARKS)}.",
        exit_on_error=False,
    )
    parser.add_argument("names", type=str, nargs="*", default=[], help="Which benchmarks; all of them if left out.")
    parser.add_argument("--steps", type=int, default=700, help="Optimizer steps in each timing of a training.")
    parser.add_argument("--rounds", type=int, default=3, help="Timings of each contestant, in turns.")
    parser.add_argument("--format", type=OutputFormat, default="table", help="Output format.")
    options = parse(parser, arguments)
    for option in ("steps", "rounds"):
        require(getattr(options, option) >= 1, option, getattr(options, option), "an integer of at least 1")
    for name in options.names:
        if name not in _BENCHMARKS:
            raise UnknownNameError("benchmark", name, _BENCHMARKS)
    with Console(stderr=True).status("timing") as status:
        measurements = _measured(options, lambda what: status.update(f"timing {what}"))
    machine = {
        "platform": platform.platform(),
        "cores": num_cores(),
        "threads": 1,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "lightning")},
    }
    if options.format == "json":
        rows = [{**asdict(measurement), "reached": measurement.reached} for measurement in measurements]
        print(json_text({"machine": machine, "measurements": rows}), end="")
    else:
        note = ", ".join(f"{name} {value}" for name, value in machine.items())
        show(titled("What the suite costs on this machine", _table(measurements), note))


def _measured(options: Namespace, on_round: OnRound) -> list[Measurement]:
    names = options.names or list(_BENCHMARKS)
    return [measurement for name in names for measurement in _BENCHMARKS[name](options, on_round)]


def _table(measurements: Sequence[Measurement]) -> Table:
    rows: list[list[str | Text]] = []
    for one in measurements:
        colour = {True: "green", False: "red", None: "default"}[one.reached]
        rows.append([one.benchmark, one.what, Text(one.measured_text, style=colour), one.target_text, one.note])
    return terminal_table(_HEADINGS, rows, labels={"benchmark", "what", "from"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
