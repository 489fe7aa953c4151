"""``ib-bench bench``: what the suite costs on this machine."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import asdict

import torch
from jsonargparse import ArgumentParser
from rich import box
from rich.console import Console
from rich.table import Table

from ib_bench.benchmarks.training_step import StepCost, measure_step_costs
from ib_bench.cli.parsing import parse
from ib_bench.errors import require
from ib_bench.report.tables import OutputFormat


def main(command: str, arguments: Sequence[str]) -> int:
    """Time a training step three ways."""
    parser = ArgumentParser(
        prog=f"ib-bench {command}",
        description="Time a trial's training step against a bare PyTorch loop and against Lightning used naively.",
        exit_on_error=False,
    )
    parser.add_argument("--steps", type=int, default=300, help="Optimizer steps in each timing.")
    parser.add_argument("--rounds", type=int, default=7, help="Timings of each, in turns.")
    parser.add_argument("--format", type=OutputFormat, default="table", help="How to print.")
    options = parse(parser, arguments)
    require(options.steps >= 1, "steps", options.steps, "an integer of at least 1")
    require(options.rounds >= 1, "rounds", options.rounds, "an integer of at least 1")
    with Console(stderr=True).status("timing") as status:
        costs = measure_step_costs(options.steps, options.rounds, lambda model: status.update(f"timing {model}"))
    machine = {"platform": platform.platform(), "torch": torch.__version__, "num_threads": 1}
    if options.format == "json":
        ratios = [{"trial_ratio": cost.trial_ratio, "naive_ratio": cost.naive_ratio} for cost in costs]
        rows = [{**asdict(cost), **ratio} for cost, ratio in zip(costs, ratios, strict=True)]
        print(json.dumps({"machine": machine, "training_step": rows}, indent=2))
    else:
        Console().print(_table(costs, machine))
    return 0


def _table(costs: Sequence[StepCost], machine: dict[str, object]) -> Table:
    table = Table(
        title="One training step: batch 64, length 10, aligned chain of thought",
        caption=", ".join(f"{name} {value}" for name, value in machine.items()),
        box=box.SIMPLE_HEAD,
    )
    table.add_column("model")
    for column in ("bare loop", "trial", "naive Lightning", "trial / bare", "naive / bare"):
        table.add_column(column, justify="right")
    for cost in costs:
        times = [f"{value:.2f} ms" for value in (cost.bare_ms, cost.trial_ms, cost.naive_ms)]
        table.add_row(cost.model, *times, f"{cost.trial_ratio:.2f}x", f"{cost.naive_ratio:.2f}x")
    return table
