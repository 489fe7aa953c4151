"""``ib-bench extrapolate``: accuracy at multiples of the training length."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict, replace

from ib_bench.cli.experiments import resolved_config, search_job, search_parser
from ib_bench.cli.jobs import run_jobs
from ib_bench.cli.parsing import parse
from ib_bench.cli.wandb import log_quietly
from ib_bench.execution.inline import Inline
from ib_bench.report.tables import OutputFormat, extrapolation_table, to_json
from ib_bench.report.terminal import show
from ib_bench.results.archive import Records
from ib_bench.runner.extrapolation_job import ExtrapolationJob
from ib_bench.studies.extrapolation import ExtrapolationSettings
from ib_bench.studies.search import SearchSettings
from ib_bench.training.instantiation import import_class
from ib_bench.training.team import Team


def main(command: str, arguments: Sequence[str]) -> int:
    """Train, evaluate, and print accuracy against length."""
    parser = search_parser(
        f"ib-bench {command}",
        "Train on the largest training set, then measure accuracy at multiples of the training length.",
    )
    parser.add_class_arguments(ExtrapolationSettings, "extrapolation")
    parser.add_argument("--format", type=OutputFormat, default="table", help="How to print.")
    options = parse(parser, arguments)
    settings = ExtrapolationSettings(**options.extrapolation)
    config = resolved_config(parser, options)
    search = search_job(config, SearchSettings(**options.search), options, may_take_a_team=True)
    max_length = config["data"]["init_args"]["max_length"]
    with Team(search.placement) as team:
        if not team.leads:
            team.follow()
            return 0
        job = ExtrapolationJob(replace(search, train=team.train), settings, max_length)
        (outcome,) = run_jobs([job], Inline(), "extrapolations", options.log_file)
    if (record := outcome.result) is None:
        raise outcome.error or RuntimeError("the extrapolation returned nothing")
    log_quietly(Records(extrapolations=[record]), search.wandb, group=None)
    if options.format == "json":
        print(to_json(asdict(record)), end="")
    else:
        learned = "num_positions" in inspect.signature(import_class(config["model"]["class_path"])).parameters
        show(extrapolation_table(record, max_length, untrained_positions=learned))
    return 0
