"""The searches that kappa rests on."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ib_bench.errors import BenchError, NothingHeldOutError
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.sharing.record import JOINT, part_configs
from ib_bench.results.records import DataSpec
from ib_bench.training.instantiation import instantiate_data


def sharing_jobs(request: Request) -> list[SearchJob]:
    """The search over all lengths, then those at each length alone, from the shortest on.

    Raises:
        BenchError: the request is not for all lengths.
    """
    joint = SearchJob.of(request)
    given = joint.experiment.data.presentation.length_distribution
    if given != JOINT:
        raise BenchError(f"data.length_distribution must be {JOINT}, over which lengths are shared, got {given!r}")
    parts = [
        replace(joint, experiment=part.experiment, pool_size=_pool_size(part.experiment.data))
        for part in part_configs(joint.config).values()
    ]
    return [joint, *parts]


@lru_cache(maxsize=4096)
def _pool_size(data: DataSpec) -> int:
    """Training sequences that exist for data; 0 if none can be held out."""
    try:
        return instantiate_data(data).max_train_sequences
    except NothingHeldOutError:
        return 0
