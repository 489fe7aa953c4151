"""Results from records into W&B: what is there already is left alone, so that doing it again changes nothing.

A search, a sharing factor, an extrapolation and a suite are runs of their own, with ``job_type`` saying which. What the
dashboard compares is in the summaries; curves are logged against a step metric of their own.
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import wandb

from ib_bench.results.archive import Records, write_archive
from ib_bench.results.records import ExtrapolationRecord, SearchRecord, task_text
from ib_bench.studies.claims import check_claims
from ib_bench.studies.extrapolation import HEADLINE_MULTIPLE
from ib_bench.studies.sharing import Sharing, SharingFactor, sharings
from ib_bench.tracking.runs import close_run, logged_runs, open_run
from ib_bench.tracking.settings import WandbSettings
from ib_bench.tracking.wandb_search import WandbSearch

Log = Callable[[], None]


def replay(
    records: Records,
    settings: WandbSettings,
    group: str | None = None,
    report: str | None = None,
    on_run: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, int]:
    """Log every finished result as a run, unless it is there already.

    Args:
        records: of a store.
        settings: where to.
        group: name of the suite that they belong to, or None.
        report: the HTML report on them; with it, a run of job type ``suite`` holds tables, the report and the records.
        on_run: is told how many of how many runs have been dealt with.

    Returns:
        How many runs were logged, and how many were there already.
    """
    todo = dict(_runs(records, settings, group))
    if report is not None:
        suite_id = _digest("suite", str(group), *sorted(todo))
        todo[suite_id] = lambda: _log_suite(records, settings, group, report, suite_id)
    there = logged_runs(settings)
    for done, (run_id, log) in enumerate(todo.items()):
        on_run(done, len(todo))
        if run_id not in there:
            log()
    on_run(len(todo), len(todo))
    num_there = len(there & todo.keys())
    return len(todo) - num_there, num_there


def _runs(records: Records, settings: WandbSettings, group: str | None) -> Iterator[tuple[str, Log]]:
    for search in records.finished:
        yield search.key, lambda search=search: _log_search(search, records, settings, group)  # type: ignore[misc]
    for sharing in sharings(records.searches):
        run_id = _digest("sharing", sharing.joint.key)
        yield run_id, lambda s=sharing, i=run_id: _log_sharing(s, settings, group, i)  # type: ignore[misc]
    for extrapolation in records.extrapolations:
        yield extrapolation.key, lambda record=extrapolation: _log_extrapolation(record, settings, group)  # type: ignore[misc]


def _log_search(search: SearchRecord, records: Records, settings: WandbSettings, group: str | None) -> None:
    """As it would have been logged while it ran."""
    trials = {trial.key: trial for trial in records.trials_of(search)}
    listener = WandbSearch(settings, group)
    listener.on_start(search)
    for evaluation in search.evaluations:
        for key in evaluation.trials:
            if key in trials:
                listener.on_trial_end(trials[key], True)
        listener.on_evaluation(evaluation)
    listener.on_end(search)


def _log_sharing(sharing: Sharing, settings: WandbSettings, group: str | None, run_id: str) -> None:
    joint, factor = sharing.joint, sharing.factor
    config = {**joint.labels, **joint.config}
    run = open_run(settings, "sharing", run_id, f"kappa {_name(joint)}", group, config)
    run.define_metric("length", hidden=True)
    run.define_metric("sharing/*", step_metric="length")
    for length, part in sharing.parts.items():
        known = {"sharing/min_train_size": part.min_train_size} if part.min_train_size is not None else {}
        run.log({"length": length, "sharing/max_size": part.max_size, "sharing/censored": int(part.censored), **known})
    run.summary.update(
        {
            "status": "finished",
            "sharing_factor": str(factor),
            **_sharing_factor(factor),
            "joint_min_train_size": joint.min_train_size,
            "sum_of_parts": sharing.sum_text,
        }
    )
    close_run(run, settings, run_id)


def _sharing_factor(factor: SharingFactor) -> dict[str, float]:
    """Kappa as a metric whose name says what it is, so that a chart never takes a bound for a number."""
    names = {"value": "is", "lower_bound": "is_above", "upper_bound": "is_below"}
    if factor.value is None:
        return {}
    name = f"sharing_factor_{names[factor.kind]}"
    return {name: factor.value, f"log2_{name}": math.log2(factor.value)}


def _log_extrapolation(record: ExtrapolationRecord, settings: WandbSettings, group: str | None) -> None:
    config = {**record.labels, **record.config}
    run = open_run(settings, "extrapolation", record.key, f"extrapolation {_name(record)}", group, config)
    run.define_metric("multiple", hidden=True)
    run.define_metric("extrapolation/*", step_metric="multiple")
    max_length = record.labels["max_length"]
    for length in sorted({accuracy.length for accuracy in record.accuracies}):
        values = {
            f"extrapolation/{accuracy.mode}/{name}": getattr(accuracy, name)
            for accuracy in record.accuracies
            if accuracy.length == length
            for name in ("normalized_final_state_accuracy", "normalized_token_accuracy")
        }
        headline = record.at(length)
        accuracy = None if headline is None else headline.normalized_final_state_accuracy
        run.log({"multiple": length / max_length, "extrapolation/accuracy": accuracy, **values})
    headline = record.at(HEADLINE_MULTIPLE * max_length)
    accuracy = None if headline is None else headline.normalized_final_state_accuracy
    run.summary.update({"status": "finished", "accuracy_at_2x": accuracy, "trial_succeeded": record.trial_succeeded})
    close_run(run, settings, record.key)


def _log_suite(records: Records, settings: WandbSettings, group: str | None, report: str, run_id: str) -> None:
    """One run for everything together: tables of results and claims, the report and the records as artifacts."""
    name = group or "store"
    run = open_run(settings, "suite", run_id, name, group, {"suite": group})
    claims = [[claim.name, claim.text, claim.verdict] for claim in check_claims(records)]
    run.log({"claims": wandb.Table(columns=["claim", "text", "verdict"], data=claims)})
    if rows := [record.summary() for record in records.finished]:
        columns: list[str | int] = [*rows[0]]
        data = [[str(value) if isinstance(value, dict | list) else value for value in row.values()] for row in rows]
        run.log({"searches": wandb.Table(columns=columns, data=data)})
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "report.html").write_text(report, encoding="utf-8")
        write_archive(records, Path(folder) / "records.jsonl.gz")
        for kind, file in (("report", "report.html"), ("records", "records.jsonl.gz")):
            artifact = wandb.Artifact(f"{name}-{kind}", type=kind)
            artifact.add_file(f"{folder}/{file}")
            run.log_artifact(artifact)
        run.summary.update(
            {
                "status": "finished",
                "num_searches": len(records.finished),
                "num_trials": len(records.trials),
                **{f"claim {claim}": verdict for claim, _, verdict in claims},
            }
        )
        close_run(run, settings, run_id)


def _name(record: SearchRecord | ExtrapolationRecord) -> str:
    labels = record.labels
    return f"{labels['model']} {task_text(labels)} {labels['supervision']} L={labels['max_length']}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]
