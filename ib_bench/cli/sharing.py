"""``ib-bench sharing``: the sharing factor kappa of one experiment."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from jsonargparse import Namespace
from rich.console import Console

from ib_bench.cli.experiments import resolved_config, search_job, search_parser
from ib_bench.cli.parsing import parse
from ib_bench.cli.progress import run_jobs
from ib_bench.data.length_distributions.length_distribution import MIN_LENGTH
from ib_bench.errors import BenchError, NothingHeldOutError, require
from ib_bench.execution.processes import make_executor, num_cores
from ib_bench.report.tables import OutputFormat, sharing_row, sharing_table, to_json
from ib_bench.results.records import Json
from ib_bench.runner import SearchJob
from ib_bench.studies.search import SearchSettings
from ib_bench.studies.sharing import sharing_factor


def main(command: str, arguments: Sequence[str]) -> int:
    """Search at all lengths together and at each alone, and print kappa with its parts."""
    parser = search_parser(
        f"ib-bench {command}",
        "Measure the sharing factor: N* at each length 2..L alone, summed, over N* at all lengths together.",
    )
    parser.add_argument("--workers", type=int, default=num_cores(), help="Searches that run side by side.")
    parser.add_argument("--format", type=OutputFormat, default="table", help="How to print.")
    options = parse(parser, arguments)
    require(options.workers >= 1, "workers", options.workers, "an integer of at least 1")
    jobs = sharing_jobs(resolved_config(parser, options), SearchSettings(**options.search), options)
    measurable = {length: job for length, job in jobs.items() if job is not None}
    outcomes = dict(zip(measurable, run_jobs(list(measurable.values()), make_executor(options.workers)), strict=True))
    for outcome in outcomes.values():
        if outcome.result is None:
            raise outcome.error or RuntimeError("a search returned nothing")
    records = {length: outcome.result for length, outcome in outcomes.items() if outcome.result is not None}
    joint = records[None]
    parts = {length: records.get(length) for length in jobs if length is not None}
    kappa = sharing_factor(joint, parts)
    if options.format == "json":
        print(to_json(sharing_row(kappa, joint, parts)), end="")
    else:
        Console().print(sharing_table(kappa, joint, parts))
    return 0


def sharing_jobs(config: Json, settings: SearchSettings, output: Namespace) -> dict[int | None, SearchJob | None]:
    """The searches that kappa rests on.

    Args:
        config: resolved; its data are those of the search at all lengths together.
        settings: how N* is searched for.
        output: holds ``store`` and ``wandb``.

    Returns:
        The search at all lengths together, under None, and at each length alone; None where no sequence of that length
        can be held out.

    Raises:
        BenchError: the config is wrong.
    """
    data = config["data"]["init_args"]
    if data.get("length_distribution") != "uniform":
        given = data.get("length_distribution")
        raise BenchError(f"data.length_distribution must be uniform, over which lengths are shared, got {given!r}")
    jobs: dict[int | None, SearchJob | None] = {None: search_job(config, settings, output)}
    for length in range(MIN_LENGTH, data["max_length"] + 1):
        alone = copy.deepcopy(config)
        alone["data"]["init_args"].update(length_distribution="fixed", max_length=length)
        try:
            jobs[length] = search_job(alone, settings, output)
        except NothingHeldOutError:
            jobs[length] = None
    return jobs
