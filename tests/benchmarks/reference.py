"""What the futility rule would have saved in the reference results, and what it would have cost."""

from __future__ import annotations

from benchmarks.measurement import Measurement
from ib_bench.quantities.search.futility import back_test
from ib_bench.results.reference import reference_records

_SHARES = (0.25, 0.5, 0.75)


def futility() -> list[Measurement]:
    """The futility rule, held against the reference results' curves."""
    measurements = []
    for share in _SHARES:
        cost = back_test(reference_records(), share)
        what = f"futility {share:g}: successes ended early"
        note = f"{cost.num_lost} of {cost.num_successes}; {cost.num_changed} of {cost.num_searches} verdicts changed"
        lost = 100 * cost.num_lost / max(cost.num_successes, 1)
        measurements.append(Measurement("futility", what, lost, "%", note=note))
        measurements.append(Measurement("futility", f"futility {share:g}: steps saved", 100 * cost.share_saved, "%"))
    return measurements
