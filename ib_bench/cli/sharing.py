"""``ib-bench sharing``: the sharing factor kappa of one experiment."""

from __future__ import annotations

from collections.abc import Sequence

from ib_bench.cli.executors import add_executor_arguments, chosen_executor, require_room
from ib_bench.cli.experiments import resolved_config, search_job, search_parser
from ib_bench.cli.jobs import run_jobs
from ib_bench.cli.parsing import parse
from ib_bench.cli.wandb import log_quietly
from ib_bench.report.tables import OutputFormat, sharing_row, sharing_table, to_json
from ib_bench.report.terminal import show
from ib_bench.results.archive import Records
from ib_bench.runner.search_job import sharing_jobs
from ib_bench.studies.search import SearchSettings
from ib_bench.studies.sharing import Sharing


def main(command: str, arguments: Sequence[str]) -> int:
    """Search at all lengths together and at each alone, and print kappa with its parts."""
    parser = search_parser(
        f"ib-bench {command}",
        "Measure the sharing factor: N* at each length 2..L alone, summed, over N* at all lengths together.",
    )
    add_executor_arguments(parser)
    parser.add_argument("--format", type=OutputFormat, default="table", help="How to print.")
    options = parse(parser, arguments)
    executor = chosen_executor(options)
    joint = search_job(resolved_config(parser, options), SearchSettings(**options.search), options)
    require_room(executor, joint.settings.spread)
    parts = sharing_jobs(joint)
    records = []
    for outcome in run_jobs([joint, *parts.values()], executor, log_file=options.log_file):
        if outcome.result is None:
            raise outcome.error or RuntimeError("a search returned nothing")
        records.append(outcome.result)
    sharing = Sharing(records[0], dict(zip(parts, records[1:], strict=True)))
    log_quietly(Records(searches=records), joint.wandb, group=None)
    if options.format == "json":
        print(to_json(sharing_row(sharing)), end="")
    else:
        show(sharing_table(sharing))
    return 0
