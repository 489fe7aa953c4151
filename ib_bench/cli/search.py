"""``ib-bench search``: N* of one experiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ib_bench.cli.experiments import resolved_config, search_job, search_parser
from ib_bench.cli.jobs import run_jobs
from ib_bench.cli.parsing import parse
from ib_bench.execution.inline import Inline
from ib_bench.report.tables import verdict_table
from ib_bench.report.terminal import show
from ib_bench.studies.search import SearchSettings
from ib_bench.training.team import Team


def main(command: str, arguments: Sequence[str]) -> int:
    """Search, and print N* with its bracket."""
    parser = search_parser(
        f"ib-bench {command}", "Find N*, the smallest number of training sequences with which a model learns a task."
    )
    options = parse(parser, arguments)
    config = resolved_config(parser, options)
    job = search_job(config, SearchSettings(**options.search), options, may_take_a_team=True)
    with Team(job.placement) as team:
        if not team.leads:
            team.follow()
            return 0
        (outcome,) = run_jobs([replace(job, train=team.train)], Inline(), log_file=options.log_file)
    if outcome.result is None:
        raise outcome.error or RuntimeError("the search returned nothing")
    show(verdict_table([outcome.result], title=f"N*: {outcome.result.verdict}"))
    return 0
