"""LightningDataModules, one for each task: ``ib_bench.data.ModularAddition`` holds runs of that machine.

They are made from the tasks on first use; a new file in ``tasks/`` is all that a new one takes.
"""

from functools import cache
from typing import Any

from ib_bench import catalogue


def __getattr__(name: str) -> Any:
    return _data_module(name)


@cache
def _data_module(name: str) -> Any:
    task = catalogue.load_class(catalogue.TASKS, name)
    from ib_bench.data.state_tracking_data import data_module_of  # noqa: PLC0415 (loads torch)

    return data_module_of(task)
