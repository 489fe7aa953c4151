"""``ib-bench search``, ``sharing``, ``extrapolate`` and the command of every other quantity: one result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jsonargparse import ActionConfigFile
from lightning.pytorch.cli import LightningArgumentParser

from ib_bench import catalogue
from ib_bench.cli.display import display
from ib_bench.cli.executors import add_executor_arguments, chosen_executor
from ib_bench.cli.outputs import add_keep_weights, add_output_arguments, chosen_output
from ib_bench.cli.parsing import parse
from ib_bench.cli.wandb import log_quietly
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import show
from ib_bench.drawing.texts import OutputFormat
from ib_bench.execution.inline import Inline
from ib_bench.quantities.quantity import Quantity
from ib_bench.results.archive import Records
from ib_bench.runner.desk import add_experiment_arguments, parsed_settings, resolved_config
from ib_bench.runner.measure import records_of, request_for
from ib_bench.studies.futility import futility_notes


def main(command: str, arguments: Sequence[str]) -> int:
    """Measure, and print the result."""
    quantity: Quantity[Any] = catalogue.quantity(command)
    parser = experiment_parser(quantity)
    options = parse(parser, arguments)
    executor = chosen_executor(options) if quantity.has_many_jobs else Inline()
    output = chosen_output(options)
    request = request_for(
        quantity,
        resolved_config(parser, options),
        parsed_settings(quantity.sections, options),
        output,
        options.get("keep_weights") == "best",
    )
    records = records_of(quantity, request, executor, output, display)
    if records is None:
        return 0
    result = quantity.result(records)
    log_quietly(Records.of_all(records), output.wandb, group=None)
    if options.format == "json":
        print(json_text(quantity.detail_json(result)), end="")
    else:
        show(quantity.detail(result, futility_notes([result])))
    return 0


def experiment_parser(quantity: Quantity[Any]) -> LightningArgumentParser:
    """The parser of a quantity's command."""
    parser = LightningArgumentParser(
        prog=f"ib-bench {quantity.name}",
        description=f"{quantity.summary[0].upper()}{quantity.summary[1:]}.",
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="Path of a config file in YAML or JSON.")
    add_experiment_arguments(parser, quantity.sections)
    add_output_arguments(parser)
    if quantity.keeps_weights:
        add_keep_weights(parser)
    if quantity.has_many_jobs:
        add_executor_arguments(parser)
    parser.add_argument("--format", type=OutputFormat, default="table", help="How to print.")
    return parser
