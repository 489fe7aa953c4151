"""One result, measured: what ``ib_bench.measure`` and the command of every quantity do."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError
from lightning.pytorch.cli import LightningArgumentParser

from ib_bench import catalogue
from ib_bench.errors import InvalidOptionError, UnknownNameError, require
from ib_bench.execution.executor import Executor
from ib_bench.execution.inline import Inline
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.results.identity import Json
from ib_bench.results.records import Record
from ib_bench.runner.config_errors import explained, option_names
from ib_bench.runner.desk import add_experiment_arguments, make_request, parsed_settings, resolved_config
from ib_bench.runner.jobs import MakeWatcher, Output, run_jobs
from ib_bench.tracking.settings import WandbSettings
from ib_bench.training.team import Team


def measure(
    quantity: str,
    config: Json,
    store: str | Path,
    *,
    executor: Executor | None = None,
    keep_weights: bool = False,
    wandb: WandbSettings | None = None,
) -> Any:
    """Measure one quantity of one experiment; what the store holds already is not measured again.

    Args:
        quantity: name of the quantity.
        config: the sections ``model`` and ``data``, and any of ``trainer`` and those of the quantity; sections that
            are left out have their defaults.
        store: path of the store.
        executor: where the jobs run; None runs them one after the other in this process.
        keep_weights: whether the best weights at the largest size are kept beside the store; not all quantities can.
        wandb: where results are logged; None logs nothing.

    Returns:
        The result, such as a :class:`~ib_bench.quantities.search.record.SearchRecord`.

    Raises:
        BenchError: the config is wrong, or the result cannot be measured; says why.
    """
    measured: Quantity[Any] = catalogue.quantity(quantity)
    allowed = f"False for {quantity}, which keeps no weights"
    require(measured.keeps_weights or not keep_weights, "keep_weights", keep_weights, allowed)
    known = ["model", "data", "trainer", *measured.sections]
    for section in config:
        if section not in known:
            raise UnknownNameError("section", section, known)
    parser = LightningArgumentParser(exit_on_error=False)
    add_experiment_arguments(parser, measured.sections)
    try:
        options = parser.parse_object(config)
    except ArgumentError as error:
        raise explained(error, options=option_names(parser)) from error
    output = Output(Path(os.path.expanduser(store)).absolute(), wandb or WandbSettings(mode="disabled"))
    request = request_for(
        measured, resolved_config(parser, options), parsed_settings(measured.sections, options), output, keep_weights
    )
    records = records_of(measured, request, executor or Inline(), output)
    if records is None:
        raise SystemExit(0)  # this process has trained for another one, which has the result
    return measured.result(records)


def request_for(
    quantity: Quantity[Any], config: Json, settings: Mapping[str, Any], output: Output, keep_weights: bool
) -> Request:
    """The request that a resolved config makes of a quantity; see :func:`~ib_bench.runner.desk.make_request`."""
    return make_request(
        config, settings, output.store, keep_weights, may_take_several_processes=not quantity.has_many_jobs
    )


def records_of(
    quantity: Quantity[Any],
    request: Request,
    executor: Executor,
    output: Output,
    make_watcher: MakeWatcher | None = None,
) -> Sequence[Record] | None:
    """Run the jobs of a request.

    Args:
        quantity: to measure.
        request: what to measure it of.
        executor: where its jobs run.
        output: where results go.
        make_watcher: makes a display, or None.

    Returns:
        What each job found; None in a process that has only helped another one to train.

    Raises:
        BenchError: a job cannot be run.
    """
    with Team(request.placement) as team:
        if not team.leads:
            team.follow()
            return None
        jobs = quantity.jobs(request if team.num_processes == 1 else replace(request, train=team.train))
        if quantity.has_many_jobs:
            require_room(executor, max(job.num_cores for job in jobs))
        records: list[Record] = []
        for ended in run_jobs(jobs, executor, output, make_watcher):
            if ended.result is None:
                raise ended.error or RuntimeError("a job returned nothing")
            records.append(ended.result)
        return records


def require_room(executor: Executor, spread: int) -> None:
    """Make sure that a search which trains several configurations at once has the cores for it.

    Args:
        executor: that runs the search.
        spread: configurations that one of the searches trains at once, at most.

    Raises:
        InvalidOptionError: it has not.
    """
    if spread > 1 and executor.cores_per_call < spread:
        raise InvalidOptionError("search.spread", spread, executor.cores_advice)
