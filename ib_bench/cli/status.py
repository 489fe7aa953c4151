"""Show the running commands of a store, their progress, and failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone

from jsonargparse import ArgumentParser
from rich.console import Console
from rich.text import Text

from ib_bench.cli.parsing import parse
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import say, show, terminal_table, titled
from ib_bench.drawing.texts import OutputFormat, duration
from ib_bench.plain_text import number_of, one_line
from ib_bench.results.run_status import RunningJob, RunStatus, run_statuses
from ib_bench.results.store import Store
from ib_bench.runner.places import DEFAULT_STORE

_SILENCE_S = 600.0  # a process on another machine may be dead after this
_NO_NEWS = "no news"


def main(command: str, arguments: Sequence[str]) -> int:
    """Print every command that runs on a store, or the last one that ran."""
    parser = ArgumentParser(prog=f"ib-bench {command}", description=__doc__, exit_on_error=False)
    parser.add_argument("--store", type=str, default=DEFAULT_STORE, help="Path of the store.")
    parser.add_argument("--format", type=OutputFormat, default="table", help="Output format.")
    options = parse(parser, arguments)
    with Store(options.store, create=False) as store:
        statuses = run_statuses(store)
    if options.format == "json":
        rows = [{**asdict(each), "state": _state(each), "time_left_s": each.time_left_s} for each in statuses]
        print(json_text(rows), end="")
        return 0
    console = Console()
    if not statuses:
        say(f"nothing has run on {options.store} yet", console)
    for status in statuses:
        _print(status, console)
    return 0


def _print(status: RunStatus, console: Console) -> None:
    done = status.num_stored + status.num_finished
    counts = [f"{done:,} of {number_of(status.num_jobs, status.what)}", f"{len(status.failures)} failed"]
    if status.max_evaluations:
        counts.append(f"{status.num_evaluations / status.max_evaluations:.0%} of the evaluations")
    counts += [f"{number:,} waiting for {reason}" for reason, number in status.num_waiting.items()]
    state = _state(status)
    if status.time_left_s is not None and state == "running":
        counts.append(f"{duration(status.time_left_s)} left at this rate")
    times = [f"since {status.started_at}", f"last news {_ago(status.updated_at)} ago"]
    where = f"{status.host}, process {status.pid}, executor {status.executor}"
    headings = ("running", "where", "for", "N", "evaluation", "trial", "step", "loss")
    table = terminal_table(headings, map(_cells, status.jobs), {"running", "where"})
    title = f"{status.command}: {state}" + (f" for {duration(status.silent_s)}" if state == _NO_NEWS else "")
    title = one_line(title)
    note = "\n".join(map(one_line, [*filter(None, [status.error]), " · ".join(counts), " · ".join(times), where]))
    if status.jobs:
        show(titled(title, table, note), console)
    else:
        console.print(Text(f"{title}\n{note}"), soft_wrap=True)
    for label, error in status.failures:
        console.print(Text("failed", "bold red"), Text(one_line(f"{label}: {error}")), soft_wrap=True)
    console.print()


def _cells(job: RunningJob) -> list[str]:
    return [
        job.label,
        job.place,
        _ago(job.started_at),
        "" if job.size is None else f"{job.size:,}",
        f"{job.num_evaluations + 1}/{job.max_evaluations}",
        f"{job.num_trials}/{job.max_trials}",
        f"{job.num_steps:,}/{job.max_steps:,}",
        "" if job.val_loss is None else f"{job.val_loss:.1e}",
    ]


def _state(status: RunStatus) -> str:
    if status.is_gone:
        return "killed"
    is_silent = status.state == "running" and not status.is_here and status.silent_s > _SILENCE_S
    return _NO_NEWS if is_silent else status.state


def _ago(time: str) -> str:
    return duration((datetime.now(timezone.utc) - datetime.fromisoformat(time)).total_seconds())
