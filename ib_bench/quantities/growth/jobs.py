"""The success curves that growth rests on."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from ib_bench.data.state_tracking_data import StateTrackingData, num_states_of
from ib_bench.errors import InvalidOptionError, NothingHeldOutError
from ib_bench.quantities.curve.job import CurveJob
from ib_bench.quantities.growth.record import LENGTH, MIN_PLACES, GrowthSettings
from ib_bench.quantities.quantity import Request
from ib_bench.results.records import MIN_LENGTH, DataSpec, Experiment
from ib_bench.training.instantiation import identifying_spec, instantiate_data


def growth_jobs(request: Request) -> list[CurveJob]:
    """A success curve for each value of the argument that varies.

    Raises:
        InvalidOptionError: the data have no such argument, it takes fewer than 3 values, or these lead to fewer than 3
            numbers of states.
    """
    settings: GrowthSettings = request.settings["growth"]
    integers = _integers(request.experiment.data)
    if settings.argument not in integers:
        raise InvalidOptionError("growth.argument", settings.argument, f"one of {', '.join(integers)}")
    values = settings.values
    if not values and settings.argument == LENGTH:
        values = list(range(MIN_LENGTH, integers[LENGTH] + 1))
    if len(values) < MIN_PLACES:
        allowed = f"a list of at least {MIN_PLACES} values of {settings.argument}"
        raise InvalidOptionError("growth.values", settings.values, allowed)
    first = CurveJob.of(request)
    jobs = []
    for value in values:
        experiment = _with_argument(first.experiment, settings.argument, value)
        pool_size, num_states = _sizes(experiment.data)
        jobs.append(replace(first, experiment=experiment, pool_size=pool_size, num_states=num_states))
    if settings.argument != LENGTH:
        _require_places(settings, [job.num_states for job in jobs])
    return jobs


def _integers(data: DataSpec) -> dict[str, int]:
    """The maximal length and the integer arguments of the task, also those that keys leave out as they are defaults."""
    of_all_tasks = inspect.signature(StateTrackingData).parameters
    defaults = {name: one.default for name, one in data.parameters.items() if name not in of_all_tasks}
    given = {LENGTH: data.init_args.get(LENGTH), **defaults, **data.task_arguments}
    return {name: value for name, value in given.items() if type(value) is int}


def _with_argument(experiment: Experiment, argument: str, value: int) -> Experiment:
    """The experiment with another value, under the key that the same experiment has everywhere else."""
    changed = experiment.with_data(**{argument: value})
    return replace(changed, data=cast(DataSpec, identifying_spec(changed.data)))


def _require_places(settings: GrowthSettings, num_states: Sequence[int | None]) -> None:
    """Make sure that a slope over the number of states can be fitted.

    Args:
        settings: with the argument and its values.
        num_states: for each value; None where nothing can be held out, which may be any number.

    Raises:
        InvalidOptionError: there are too few different numbers.
    """
    known = sorted({number for number in num_states if number is not None})
    if len(known) + num_states.count(None) < MIN_PLACES:
        found = " and ".join(f"{number:,}" for number in known)
        wanted = f"at least {MIN_PLACES} different numbers of states, not only {found}"
        raise InvalidOptionError("growth.values", settings.values, f"values of {settings.argument} with {wanted}")


def _sizes(data: DataSpec) -> tuple[int, int | None]:
    """Training sequences that exist and number of states; (0, None) if none can be held out."""
    try:
        built = instantiate_data(data)
    except NothingHeldOutError:
        return 0, None
    return built.max_train_sequences, num_states_of(built)
