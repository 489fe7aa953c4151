"""One result, measured: what ``ib_bench.measure`` and the command of every quantity do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from jsonargparse import Namespace

from ib_bench.errors import InvalidOptionError
from ib_bench.execution.executor import Executor
from ib_bench.execution.inline import Inline
from ib_bench.quantities.quantity import Quantity, Request
from ib_bench.results.archive import Records, StoredRecords
from ib_bench.results.identity import Json
from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialRecord
from ib_bench.runner.desk import add_experiment_arguments, make_request, parsed_settings, resolved_config
from ib_bench.runner.executors import add_executor_arguments, chosen_executor
from ib_bench.runner.jobs import MakeWatcher, Output, run_jobs
from ib_bench.runner.outputs import add_keep_weights, add_output_arguments, chosen_output
from ib_bench.runner.wandb_logging import log_quietly
from ib_bench.training.class_parser import ClassParser
from ib_bench.training.team import Team


def add_measurement_arguments(parser: ClassParser, quantity: Quantity[Any]) -> None:
    """Everything that can be said about the measurement of one quantity, on the command line and from Python."""
    add_experiment_arguments(parser, quantity.sections)
    add_output_arguments(parser)
    if quantity.keeps_weights:
        add_keep_weights(parser)
    if quantity.has_many_jobs:
        add_executor_arguments(parser)


def measured(
    quantity: Quantity[Any],
    parser: ClassParser,
    options: Namespace,
    make_watcher: MakeWatcher | None,
    executor: Executor | None = None,
    command: str | None = None,
) -> Any:
    """Measure what parsed options ask for, and log it; what the store holds already is not measured again.

    Args:
        quantity: to measure.
        parser: with :func:`add_measurement_arguments`.
        options: that it parsed.
        make_watcher: makes a display, or None.
        executor: where the jobs run; None takes the one of the options.
        command: see :class:`~ib_bench.runner.jobs.Output`.

    Returns:
        The result; None in a process that has only helped another one to train.

    Raises:
        BenchError: an option is wrong, or the result cannot be measured; says why.
    """
    if executor is None:
        executor = chosen_executor(options) if quantity.has_many_jobs else Inline()
    output = replace(chosen_output(options), command=command)
    config, settings = resolved_config(parser, options), parsed_settings(quantity.sections, options)
    request = request_for(quantity, config, settings, output, options.get("keep_weights") == "best")
    records = records_of(quantity, request, executor, output, make_watcher)
    if records is None:
        return None
    trial_keys = list(dict.fromkeys(key for record in records for key in record.trials))
    trials = StoredRecords(output.store, TrialRecord, trial_keys)
    log_quietly(Records.of_all(records, trials), output.wandb, group=None)
    return quantity.result(records)


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
