"""How large a task is: its number of states."""

from __future__ import annotations

from functools import lru_cache

from ib_bench import catalogue
from ib_bench.drawing.labels import Result
from ib_bench.results.records import DataSpec


def num_states(result: Result) -> int | None:
    """Number of the task's states: what the record says or, for an old one of a shipped task, what the task says.

    Args:
        result: a record, or something derived from records.

    Returns:
        None for an old record of a task from elsewhere.
    """
    return _of_shipped_task(result.config.experiment.data) if result.num_states is None else result.num_states


@lru_cache(maxsize=4096)
def _of_shipped_task(data: DataSpec) -> int | None:
    for entry in catalogue.entries(catalogue.TASKS):
        if data.class_path == f"ib_bench.data.{entry.class_name}":
            return int(entry.load()(**data.task_arguments).num_states)
    return None
