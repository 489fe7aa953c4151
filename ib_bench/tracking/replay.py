"""Results from records into W&B; existing runs are left alone, so that a second call changes nothing.

Every result of every quantity is a run of its own; ``job_type`` says which quantity. The summaries hold what the
dashboard compares; curves are logged against a step metric of their own.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Set
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import wandb

from ib_bench import catalogue
from ib_bench.drawing.columns import flat_table
from ib_bench.errors import reason_of
from ib_bench.quantities.logged_run import LoggedRun
from ib_bench.quantities.quantity import Quantity
from ib_bench.results.archive import Records, write_archive
from ib_bench.results.identity import Json
from ib_bench.results.whole_file import write_text_whole
from ib_bench.studies.claims import check_claims
from ib_bench.tracking.names import artifact_name
from ib_bench.tracking.runs import GrowingRun, close_run, logged_runs, open_run, resolved_mode
from ib_bench.tracking.settings import WandbSettings

_NOTED_AFTER_S = 5.0
"""Seconds that W&B may take to list a run that has finished."""


class Replayed(NamedTuple):
    """What became of the runs of a store.

    Attributes:
        num_logged: runs that are in W&B now and were not before.
        num_there: runs that were there already.
        failures: for the id of each run that is not there, the reason.
    """

    num_logged: int
    num_there: int
    failures: dict[str, str]


def replay(
    records: Records,
    settings: WandbSettings,
    group: str | None = None,
    report: str | None = None,
    on_run: Callable[[int, int], None] = lambda done, total: None,
) -> Replayed:
    """Log every finished result as a run, unless it is there already; one that W&B refuses does not stop the others.

    Args:
        records: of a store.
        settings: where to.
        group: name of the suite that they belong to, or None.
        report: the HTML report on them; with it, a run of job type ``suite`` holds tables, the report and the records.
        on_run: receives the number of runs that are done, and of all.

    Returns:
        What became of the runs.
    """
    todo: dict[str, Callable[[], None]] = {}
    for quantity in catalogue.quantities():
        for result in quantity.results(records):
            todo[quantity.run_id(result)] = partial(_log, quantity, result, records, settings, group)
    if report is not None:
        suite_id = _digest("suite", str(group), *sorted(todo))
        todo[suite_id] = lambda: _log_suite(records, settings, group, report, suite_id)
    there = logged_runs(settings)
    failures: dict[str, str] = {}
    for done, (run_id, log) in enumerate(todo.items()):
        on_run(done, len(todo))
        if run_id not in there:
            try:
                log()
            except Exception as error:  # of W&B, or of the network
                failures[run_id] = reason_of(error)
    on_run(len(todo), len(todo))
    for run_id in _missing(todo.keys() - there - failures.keys(), settings):
        failures[run_id] = "W&B does not list it as finished"
    num_there = len(there & todo.keys())
    return Replayed(len(todo) - num_there - len(failures), num_there, failures)


def _missing(logged: Set[str], settings: WandbSettings) -> Set[str]:
    """Those runs that are not there although they were logged without an error: W&B answers a refusal later."""
    missing = logged and logged - logged_runs(settings)
    if missing and resolved_mode(settings) == "online":
        time.sleep(_NOTED_AFTER_S)
        missing = logged - logged_runs(settings)
    return missing


def log_run(logged: LoggedRun, job_type: str, settings: WandbSettings, group: str | None) -> None:
    """Log one whole run.

    Args:
        logged: what it holds.
        job_type: kind of result.
        settings: where to.
        group: name of the suite that it belongs to, or None.
    """
    run = GrowingRun(settings, job_type, group, logged)
    try:
        run.update(logged)
        run.finish(logged)
    except BaseException:
        run.leave()
        raise


def _log(quantity: Quantity[Any], result: Any, records: Records, settings: WandbSettings, group: str | None) -> None:
    log_run(quantity.logged(result, records), quantity.job_type, settings, group)


def _log_suite(records: Records, settings: WandbSettings, group: str | None, report: str, run_id: str) -> None:
    """One run for everything together: tables of results and claims, the report and the records as artifacts."""
    name = group or "store"
    run = open_run(settings, "suite", run_id, name, group, {"suite": group})
    try:
        claims = [[claim.name, claim.text, claim.verdict] for claim in check_claims(records)]
        run.log({"claims": wandb.Table(columns=["claim", "text", "verdict"], data=claims)})
        counts: Json = {}
        for quantity in catalogue.quantities():
            results = quantity.results(records)
            counts[f"num_{quantity.job_type}"] = len(results)
            if table := flat_table(results, quantity.columns):
                rows = [list(row) for row in zip(*table.values(), strict=True)]
                run.log({quantity.name: wandb.Table(columns=[*table], data=rows, allow_mixed_types=True)})
        with tempfile.TemporaryDirectory() as folder:
            write_text_whole(Path(folder) / "report.html", report)
            write_archive(records, Path(folder) / "records.jsonl.gz")
            for kind, file in (("report", "report.html"), ("records", "records.jsonl.gz")):
                artifact = wandb.Artifact(artifact_name(name, kind), type=kind)
                artifact.add_file(f"{folder}/{file}")
                run.log_artifact(artifact)
            verdicts = {f"claim {claim}": verdict for claim, _, verdict in claims}
            run.summary.update({"status": "finished", "num_trials": len(records.trials), **counts, **verdicts})
            close_run(run, settings, run_id)
    except BaseException:  # else wandb closes it as finished when this process ends
        with suppress(Exception):
            run.finish(exit_code=1)
        raise


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]
