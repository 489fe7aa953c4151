"""The plan of a suite: its cells as jobs. Several cells may share a job."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, Namespace
from lightning.pytorch import LightningDataModule

from ib_bench import catalogue
from ib_bench.constructors import constructor_parameters
from ib_bench.errors import BenchError, UnknownNameError, reason_of, shown
from ib_bench.quantities.job import Job
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec, Record
from ib_bench.runner.config_errors import explained, option_names
from ib_bench.runner.counting import OnCount
from ib_bench.runner.desk import add_experiment_arguments, make_request, parsed_settings, resolved_config
from ib_bench.studies.suite import Cell, Suite
from ib_bench.training.class_parser import ClassParser
from ib_bench.user_code import origin


@dataclass(frozen=True)
class PlannedResult:
    """A result that a suite asks for.

    Attributes:
        quantity: name of the quantity.
        jobs: keys of the jobs that it rests on, in the order in which the quantity takes their records.
    """

    quantity: str
    jobs: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """The jobs of a suite.

    Attributes:
        jobs: all of them by key.
        results: of the suite.
    """

    jobs: dict[str, Job[Any]] = field(default_factory=dict)
    results: list[PlannedResult] = field(default_factory=list)

    def shortened(self) -> Plan:
        """The plan with trials of a few steps; what rests on what stays the same."""
        return replace(self, jobs={key: job.shortened() for key, job in self.jobs.items()})

    def results_of(self, quantity: str, records: Mapping[str, Record]) -> list[Any]:
        """The results of one quantity whose records are all there.

        Args:
            quantity: its name.
            records: what the jobs returned, by the key in the plan.
        """
        wanted = [planned.jobs for planned in self.results if planned.quantity == quantity]
        make = catalogue.quantity(quantity).result
        return [make([records[key] for key in keys]) for keys in wanted if all(key in records for key in keys)]


def make_plan(
    suite: Suite, cells: Sequence[Cell], store: Path, keep_weights: bool, on_count: OnCount | None = None
) -> Plan:
    """The jobs of some cells of a suite, each checked as its command would check it.

    Args:
        suite: that they are of.
        cells: of any quantity.
        store: path of the store.
        keep_weights: see :func:`~ib_bench.runner.desk.make_request`.
        on_count: receives how many cells are planned; thousands take a minute.

    Raises:
        BenchError: one of the configs is wrong.
    """
    plan = Plan()
    results: dict[PlannedResult, None] = {}  # two ways of writing one class leave equal results behind
    resolve = _Resolver()
    for number, cell in enumerate(cells, start=1):
        try:
            config, settings = resolve(cell)
            request = make_request(config, settings, store, keep_weights, may_hold_out_none=True)
            jobs = catalogue.quantity(cell.quantity).jobs(request)
        except BenchError as error:
            raise BenchError(f"suite {suite.name!r}: {error}") from error
        for job in jobs:
            plan.jobs.setdefault(job.key, job)
        results[PlannedResult(cell.quantity, tuple(job.key for job in jobs))] = None
        if on_count is not None:
            on_count(number, len(cells))
    return replace(plan, results=list(results))


def data_parameters(class_path: str) -> Collection[str]:
    """The init arguments of the DataModule at a class path, or of a task's own by its name."""
    tasks = [entry.class_name for entry in catalogue.entries(catalogue.TASKS)]
    if not all(part.isidentifier() for part in class_path.split(".")):
        raise BenchError(f"task must be the name or the dotted path of a class, got {shown(class_path)}")
    if "." not in class_path and class_path not in tasks:
        raise UnknownNameError("task", class_path, tasks)
    try:
        cls: Any = ClassSpec(class_path if "." in class_path else f"ib_bench.data.{class_path}").cls
    except Exception as error:  # anything that the module raises
        raise BenchError(
            f"task {shown(class_path)} cannot be imported{origin(class_path)}: {reason_of(error)}"
        ) from error
    is_data = isinstance(cls, type) and issubclass(cls, LightningDataModule)
    if not is_data:
        raise BenchError(f"task {shown(class_path)}{origin(class_path)} must be a LightningDataModule")
    return constructor_parameters(cls)


class _Resolver:
    """Parses cells. All values of an axis are parsed, but not all their combinations: that would take minutes."""

    def __init__(self) -> None:
        self._sections: dict[str, type] = {}
        for quantity in catalogue.quantities():
            self._sections.update(quantity.sections)
        self._parser = ClassParser(prog="ib-bench run", exit_on_error=False)
        add_experiment_arguments(self._parser, self._sections)
        self._parsed: dict[str, tuple[Json, Namespace]] = {}

    def __call__(self, cell: Cell) -> tuple[Json, dict[str, Any]]:
        """The cell's config with all defaults, and the settings of all sections."""
        first, options = self._parse(cell, "")
        config: Json = json.loads(json.dumps(first))
        for axis in cell.data_arguments:
            with_this_value, _ = self._parse(cell, axis)
            config["data"]["init_args"][axis] = with_this_value["data"]["init_args"][axis]
        return config, parsed_settings(self._sections, options)

    def _parse(self, cell: Cell, axis: str) -> tuple[Json, Namespace]:
        """The first parsed cell that differs only on axes of the data, and not on ``axis``."""
        key = json.dumps([cell.config, axis, cell.data_arguments.get(axis)], sort_keys=True)
        if key not in self._parsed:
            try:
                options = self._parser.parse_object(cell.full_config)
            except ArgumentError as error:
                raise explained(error, options=option_names(self._parser)) from error
            self._parsed[key] = resolved_config(self._parser, options), options
        return self._parsed[key]
