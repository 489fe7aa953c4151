"""A result as a W&B run, in plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from ib_bench.results.identity import Json
from ib_bench.results.records import Config, Labels


@dataclass(frozen=True)
class LoggedRun:
    """The content of one run.

    Attributes:
        run_id: one result has one id, however often and wherever it is logged.
        name: for people.
        config: of the run.
        step_metric: metric that the steps are drawn against, such as ``evaluation``.
        metrics: pattern of the metrics that are, such as ``search/*``.
        steps: what is logged, one dictionary after the other; a growing result only ever appends.
        summary: of the run.
        tables: rows of each table, by its name.
    """

    run_id: str
    name: str
    config: Json
    step_metric: str
    metrics: str
    steps: list[Json]
    summary: Json
    tables: dict[str, list[Json]] = field(default_factory=dict)


def run_config(labels: Labels, config: Config) -> Json:
    """The config of a run: the labels, by which dashboards group runs, and everything that identifies the result."""
    return {
        "model": labels.model,
        "task": labels.task,
        "task_args": labels.task_arguments,
        "supervision": labels.supervision,
        "length_distribution": labels.length_distribution,
        "max_length": labels.max_length,
        **config.to_json(),
    }
