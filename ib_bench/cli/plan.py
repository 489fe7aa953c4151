"""What a suite amounts to: its cells as jobs, each search once however many cells rest on it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection
from dataclasses import dataclass, field

from jsonargparse import ArgumentError, Namespace

from ib_bench import catalogue
from ib_bench.cli.experiments import resolved_config, search_job, search_parser
from ib_bench.cli.parsing import explained
from ib_bench.errors import BenchError, UnknownNameError
from ib_bench.results.records import Json
from ib_bench.runner.extrapolation_job import ExtrapolationJob
from ib_bench.runner.search_job import SearchJob, sharing_jobs
from ib_bench.studies.extrapolation import ExtrapolationSettings
from ib_bench.studies.search import SearchSettings
from ib_bench.studies.suite import Cell, Suite
from ib_bench.training.instantiation import import_class


@dataclass
class Plan:
    """The jobs of a suite.

    Attributes:
        searches: all of them by key: those whose N* is wanted, and those that a kappa rests on.
        verdicts: keys of the searches whose N* is wanted.
        sharings: for each kappa, the key of the joint search and those at each length alone.
        extrapolations: the measurements of length extrapolation, by key.
    """

    searches: dict[str, SearchJob] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)
    sharings: list[tuple[str, dict[int, str]]] = field(default_factory=list)
    extrapolations: dict[str, ExtrapolationJob] = field(default_factory=dict)


def make_plan(suite: Suite, cells: list[Cell], output: Namespace) -> Plan:
    """The jobs of some cells of a suite, each checked as its command would check it.

    Args:
        suite: that they are of.
        cells: of any quantity.
        output: holds ``store``, ``wandb``, ``keep_weights`` and ``log_file``.

    Raises:
        BenchError: one of the configs is wrong.
    """
    plan = Plan()
    resolve = _Resolver()
    for cell in cells:
        try:
            config, options = resolve(cell)
            _add(plan, cell, config, options, output, suite)
        except BenchError as error:
            raise BenchError(f"suite {suite.name!r}: {error}") from error
    return plan


def data_parameters(class_path: str) -> Collection[str]:
    """The init arguments of the DataModule at a class path, or of a task's own by its name."""
    tasks = [entry.class_name for entry in catalogue.entries(catalogue.TASKS)]
    if "." not in class_path and class_path not in tasks:
        raise UnknownNameError("task", class_path, tasks)
    try:
        cls = import_class(class_path if "." in class_path else f"ib_bench.data.{class_path}")
    except (ImportError, AttributeError) as error:
        raise BenchError(f"task {class_path!r} cannot be imported: {error}") from error
    return inspect.signature(cls).parameters


def _add(plan: Plan, cell: Cell, config: Json, options: Namespace, output: Namespace, suite: Suite) -> None:
    settings = SearchSettings(**options.search)
    job = search_job(config, settings, output, group=suite.name, may_hold_out_none=True)
    if cell.quantity == "search":
        plan.searches.setdefault(job.key, job)
        plan.verdicts.append(job.key)
    elif cell.quantity == "sharing":
        parts = sharing_jobs(job)
        for search in (job, *parts.values()):
            plan.searches.setdefault(search.key, search)
        plan.sharings.append((job.key, {length: part.key for length, part in parts.items()}))
    else:
        extrapolation = ExtrapolationSettings(**options.extrapolation)
        max_length = config["data"]["init_args"]["max_length"]
        measurement = ExtrapolationJob(job, extrapolation, max_length)
        plan.extrapolations[measurement.key] = measurement


class _Resolver:
    """Parses cells. All values of an axis are parsed, but not all their combinations: that would take minutes."""

    def __init__(self) -> None:
        self._parser = search_parser("ib-bench run", "")
        self._parser.add_class_arguments(ExtrapolationSettings, "extrapolation")
        self._parsed: dict[str, tuple[Json, Namespace]] = {}

    def __call__(self, cell: Cell) -> tuple[Json, Namespace]:
        """The cell's config with all defaults, and the parsed options of its search and extrapolation."""
        first, options = self._parse(cell, "")
        config: Json = json.loads(json.dumps(first))
        for axis in cell.data_arguments:
            with_this_value, _ = self._parse(cell, axis)
            config["data"]["init_args"][axis] = with_this_value["data"]["init_args"][axis]
        return config, options

    def _parse(self, cell: Cell, axis: str) -> tuple[Json, Namespace]:
        """The first parsed cell that differs only on axes of the data, and not on ``axis``."""
        key = json.dumps([cell.config, axis, cell.data_arguments.get(axis)], sort_keys=True)
        if key not in self._parsed:
            try:
                options = self._parser.parse_object(cell.full_config)
            except ArgumentError as error:
                raise explained(error) from error
            self._parsed[key] = resolved_config(self._parser, options), options
        return self._parsed[key]
