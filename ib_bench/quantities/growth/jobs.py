"""The success curves that growth rests on."""

from __future__ import annotations

from dataclasses import replace

from ib_bench.data.state_tracking_data import num_states_of
from ib_bench.errors import InvalidOptionError, NothingHeldOutError
from ib_bench.quantities.curve.job import CurveJob
from ib_bench.quantities.growth.record import LENGTH, MIN_PLACES, GrowthSettings
from ib_bench.quantities.quantity import Request
from ib_bench.results.records import MIN_LENGTH, DataSpec
from ib_bench.training.instantiation import instantiate_data


def growth_jobs(request: Request) -> list[CurveJob]:
    """A success curve for each value of the argument that varies.

    Raises:
        InvalidOptionError: the data have no such argument, or it takes fewer than 3 values.
    """
    settings: GrowthSettings = request.settings["growth"]
    given = request.experiment.data.init_args
    named = (LENGTH, *request.experiment.data.task_arguments)  # what sets L or the number of states
    integers = [name for name in named if type(given.get(name)) is int]
    if settings.argument not in integers:
        raise InvalidOptionError("growth.argument", settings.argument, f"one of {', '.join(integers)}")
    values = settings.values
    if not values and settings.argument == LENGTH:
        values = list(range(MIN_LENGTH, given[LENGTH] + 1))
    if len(values) < MIN_PLACES:
        allowed = f"a list of at least 3 values of {settings.argument}"
        raise InvalidOptionError("growth.values", settings.values, allowed)
    first = CurveJob.of(request)
    jobs = []
    for value in values:
        experiment = first.experiment.with_data(**{settings.argument: value})
        pool_size, num_states = _sizes(experiment.data)
        jobs.append(replace(first, experiment=experiment, pool_size=pool_size, num_states=num_states))
    return jobs


def _sizes(data: DataSpec) -> tuple[int, int | None]:
    """Training sequences that exist and number of states; (0, None) if none can be held out."""
    try:
        built = instantiate_data(data)
    except NothingHeldOutError:
        return 0, None
    return built.max_train_sequences, num_states_of(built)
