"""``ib-bench search``: N* of one experiment."""

from __future__ import annotations

from collections.abc import Sequence

from ib_bench.cli.experiments import resolved_config, search_job, search_parser
from ib_bench.cli.jobs import run_jobs
from ib_bench.cli.parsing import parse
from ib_bench.execution.inline import Inline
from ib_bench.report.tables import verdict_table
from ib_bench.report.terminal import show
from ib_bench.studies.search import SearchSettings


def main(command: str, arguments: Sequence[str]) -> int:
    """Search, and print N* with its bracket."""
    parser = search_parser(
        f"ib-bench {command}", "Find N*, the smallest number of training sequences with which a model learns a task."
    )
    options = parse(parser, arguments)
    job = search_job(resolved_config(parser, options), SearchSettings(**options.search), options)
    (outcome,) = run_jobs([job], Inline(), log_file=options.log_file)
    if outcome.result is None:
        raise outcome.error or RuntimeError("the search returned nothing")
    show(verdict_table([outcome.result], title=f"N*: {outcome.result.verdict}"))
    return 0
