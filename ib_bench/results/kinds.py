"""The kinds of records that there are: trials, and what each registered quantity stores."""

from __future__ import annotations

from ib_bench import catalogue
from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialRecord


def record_kinds() -> list[type[Record]]:
    """All kinds; trials come first, as the others rest on them."""
    of_quantities = [
        kind
        for quantity in catalogue.quantities()
        for kind in (quantity.record, *quantity.other_records)
        if kind is not None
    ]
    return [TrialRecord, *of_quantities]
