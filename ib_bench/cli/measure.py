"""``ib-bench search``, ``sharing``, ``extrapolate`` and the command of every other quantity: one result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jsonargparse import ActionConfigFile

from ib_bench import catalogue
from ib_bench.cli.parsing import parse
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import show
from ib_bench.drawing.texts import OutputFormat
from ib_bench.quantities.quantity import Quantity
from ib_bench.quantities.search.futility import futility_notes
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.display import display
from ib_bench.runner.measure import add_measurement_arguments, measured
from ib_bench.studies.divergence import divergence_notes
from ib_bench.training.class_parser import ClassParser


def main(command: str, arguments: Sequence[str]) -> int:
    """Measure, and print the result."""
    quantity: Quantity[Any] = catalogue.quantity(command)
    parser = experiment_parser(quantity)
    options = parse(parser, arguments)
    result = measured(quantity, parser, options, display)
    if result is None:
        return 0
    if options.format == "json":
        print(json_text(quantity.detail_json(result)), end="")
    else:
        with Store(options.store) as store:
            diverged = divergence_notes([result], lambda keys: store.get_many(TrialRecord, keys))
        show(quantity.detail(result, [*diverged, *futility_notes([result])]))
    return 0


def experiment_parser(quantity: Quantity[Any]) -> ClassParser:
    """The parser of a quantity's command."""
    about = f"{quantity.summary[0].upper()}{quantity.summary[1:]}."
    if quantity.unused:
        about += f" These options change nothing here: {', '.join(f'--{name}' for name in quantity.unused)}."
    parser = ClassParser(
        prog=f"ib-bench {quantity.name}",
        description=about,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("-c", "--config", action=ActionConfigFile, help="Path of a config file in YAML or JSON.")
    add_measurement_arguments(parser, quantity)
    parser.add_argument("--format", type=OutputFormat, default="table", help="Output format.")
    return parser
