"""The searches, saturated evaluations and success curves that kappa rests on."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

from ib_bench.errors import BenchError, InvalidOptionError, NothingHeldOutError
from ib_bench.quantities.curve.job import CurveJob
from ib_bench.quantities.job import Job
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.saturation_job import SaturationJob, num_sequences
from ib_bench.quantities.sharing.record import JOINT, SharingSettings, min_length_of, part_configs
from ib_bench.results.records import MIN_LENGTH, DataSpec, Experiment
from ib_bench.training.instantiation import instantiate_data


def sharing_jobs(request: Request) -> list[Job[Any]]:
    """The search over all lengths and those at each length alone, then what else was asked for of each of them.

    Raises:
        BenchError: the request is not for all lengths, or not for these.
    """
    settings: SharingSettings = request.settings["sharing"]
    requests = _requests(request, settings)
    searches = [SearchJob.of(one) for one in requests]
    jobs: list[Job[Any]] = [*searches]
    if settings.saturate:
        jobs += [job for search in searches if (job := _saturation(search)) is not None]
    if settings.curves:
        jobs += [CurveJob.of(one) for one in requests]
    return jobs


def _requests(request: Request, settings: SharingSettings) -> list[Request]:
    """For all lengths together, then for each length alone, from the shortest on."""
    data = request.experiment.data
    for name in ("max_length", "length_distribution"):
        if getattr(data.presentation, name) is None:
            raise BenchError(f"sharing sets lengths, and needs data that take {name}; {data.class_path} do not")
    joint = _with_min_length(request, settings.min_length)
    given = joint.experiment.data.presentation.length_distribution
    if given != JOINT:
        raise BenchError(f"data.length_distribution must be {JOINT}, over which lengths are shared, got {given!r}")
    parts = part_configs(SearchJob.of(joint).config).values()
    return [
        joint,
        *(replace(joint, experiment=part.experiment, pool_size=_pool_size(part.experiment)) for part in parts),
    ]


def _with_min_length(request: Request, min_length: int) -> Request:
    """The request without shorter lengths.

    Raises:
        BenchError: the data cannot leave lengths out, or have none that is as long.
    """
    data = request.experiment.data
    if min_length <= min_length_of(data):
        return request
    if "min_length" not in data.parameters:
        raise BenchError(f"sharing.min_length must be {MIN_LENGTH} for data without min_length, {data.class_path}")
    max_length = data.presentation.max_length or 0
    if min_length > max_length:
        raise InvalidOptionError("sharing.min_length", min_length, f"at most data.max_length, {max_length}")
    experiment = request.experiment.with_data(min_length=min_length)
    return replace(request, experiment=experiment, pool_size=_pool_size(experiment))


def _saturation(search: SearchJob) -> SaturationJob | None:
    """The saturated evaluation of a search, where it may exhaust its pool."""
    if search.pool_size >= search.settings.max_size:
        return None
    number = num_sequences(search.experiment.data)
    return None if number is None else SaturationJob(search, number)


def _pool_size(experiment: Experiment) -> int:
    """Training sequences that exist; 0 if none can be held out."""
    return _pool_size_of(experiment.data, experiment.code)


@lru_cache(maxsize=4096)
def _pool_size_of(data: DataSpec, code: str) -> int:
    """The same, counted once for each :attr:`Experiment.code`."""
    try:
        return instantiate_data(data).max_train_sequences
    except NothingHeldOutError:
        return 0
