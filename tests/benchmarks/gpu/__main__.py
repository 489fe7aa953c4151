"""``make gpu``: checks every claim about GPUs on this one, and prints one table with targets."""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.metadata import version
from typing import Literal

import torch
from jsonargparse import ArgumentParser
from rich.console import Console
from rich.text import Text

from benchmarks.gpu.checks import Row, Section, checked
from benchmarks.gpu.grids import GRID, GridTimes, grid_checks
from benchmarks.gpu.marked_tests import GPU_TESTS, checks_of_tests
from benchmarks.gpu.paper_grid import paper_checks, workloads
from benchmarks.gpu.steps import PAPER, SMALL, memory_checks, padding_checks, step_checks
from benchmarks.measurement import OnRound
from ib_bench.cli import EXIT_BAD_INPUT
from ib_bench.cli.parsing import parse
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.tables import Entry, StudyTable, markdown
from ib_bench.drawing.terminal import show, terminal_table, titled
from ib_bench.errors import BenchError, require
from ib_bench.execution.devices import num_cores
from ib_bench.quantities.job import Workload
from ib_bench.training.global_state import fresh_global_state

_HEADINGS = ["section", "what", "measured", "target", "verdict", "why or from"]
_COLOURS = {"met": "green", "missed": "red", "failed": "bold red", "measured": "default", "not run": "yellow"}
_TITLE = "What is claimed of a GPU"
_MAX_S = 1.0
"""Seconds for each timing."""


def main(arguments: Sequence[str]) -> int:
    """Check and print; exit code 1 if something failed with an error, 2 for bad input. A missed target is no error."""
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # caused by Lightning's calls
    try:
        rows = _check_and_print(arguments)
    except BenchError as error:
        print(f"make gpu: error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return int(any(row.verdict == "failed" for row in rows))


def _check_and_print(arguments: Sequence[str]) -> list[Row]:
    parser = ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__, exit_on_error=False)
    parser.add_argument("--minutes", type=float, default=10.0, help="Time for everything, above 0.")
    parser.add_argument("--format", type=Literal["table", "markdown", "json"], default="table", help="Output format.")
    options = parse(parser, arguments)
    require(options.minutes > 0, "minutes", options.minutes, "a number above 0")
    with Console(stderr=True).status("looking for a GPU") as status:
        rows = _rows(60 * options.minutes, lambda what: status.update(what))
    _print(rows, options.format)
    return rows


def sections(device: torch.device, planned: Callable[[], Sequence[Workload]]) -> list[Section]:
    """Everything that is checked, with its share of the time.

    Args:
        device: the GPU.
        planned: see :func:`benchmarks.gpu.paper_grid.paper_checks`.
    """
    sizes, times = [*SMALL, *PAPER], GridTimes()
    num_processes = min(len(GRID), num_cores())
    return [
        Section("tests", 0.44, checks_of_tests(GPU_TESTS), needs_cuda=False),  # they skip themselves, one by one
        Section("steps", 0.20, step_checks(device, sizes, _MAX_S)),
        Section("padding", 0.05, padding_checks(device, sizes, _MAX_S / 2)),
        Section("memory", 0.02, memory_checks(device, PAPER)),
        Section("grids", 0.19, grid_checks(device, sizes, _MAX_S, num_processes, times)),
        Section("paper", 0.08, paper_checks(device, planned, _MAX_S / 2, times)),
    ]


def _rows(budget_s: float, on_round: OnRound) -> list[Row]:
    if not torch.cuda.is_available():
        return list(checked(sections(torch.device("cpu"), list), budget_s, "needs CUDA", on_round))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool, fresh_global_state(0, num_threads=1):
        planned = pool.submit(workloads, "paper").result  # a minute of a CPU, while the tests run
        return list(checked(sections(torch.device("cuda"), planned), budget_s, None, on_round))


def _print(rows: Sequence[Row], form: str) -> None:
    machine = _machine()
    if form == "json":
        print(json_text({"machine": machine, "rows": [asdict(row) for row in rows]}), end="")
        return
    counts = Counter(row.verdict for row in rows)
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    note = "\n".join([summary, ", ".join(f"{name} {value}" for name, value in machine.items())])
    if form == "markdown":
        body = [[Entry(text, text) for text in _texts(row)] for row in rows]
        print(markdown(StudyTable("gpu", _TITLE, note, _HEADINGS, len(_HEADINGS), body)), end="")
        return
    cells: list[list[str | Text]] = []
    for row in rows:
        *before, verdict, why = _texts(row)
        cells.append([*before, Text(verdict, style=_COLOURS[verdict]), why])
    show(titled(_TITLE, terminal_table(_HEADINGS, cells, labels=set(_HEADINGS)), note))


def _texts(row: Row) -> list[str]:
    return [row.section, row.what, row.measured, row.target, row.verdict, row.why]


def _machine() -> dict[str, str]:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return {
        "GPU": device,
        "CUDA": str(torch.version.cuda),
        "platform": platform.platform(),
        "cores": str(num_cores()),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "lightning")},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
