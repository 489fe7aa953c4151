"""The plan of a suite, as a table."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group

from ib_bench.drawing.terminal import terminal_table, titled
from ib_bench.drawing.texts import duration
from ib_bench.plain_text import number_of
from ib_bench.studies.estimate import Estimate


def plan_table(name: str, counts: Mapping[str, tuple[int, int]], estimate: Estimate, num_workers: int) -> Group:
    """The remaining work of a suite.

    Args:
        name: of the suite.
        counts: for each kind of result, how many there are and how many of them the store holds.
        estimate: of what remains.
        num_workers: that it is for.
    """
    times = {"at most": estimate.max_time_s, "likely": estimate.likely_time_s}
    times_text = ", ".join(f"{word} {duration(time)}" for word, time in times.items() if time is not None)
    unknown = "no estimate: the store holds no trials of one of the models"
    rows = [
        [kind, f"{everything:,}", f"{stored:,}", f"{everything - stored:,}"]
        for kind, (everything, stored) in counts.items()
    ]
    table = terminal_table(["", "all", "in the store", "to do"], rows, {""})
    time = f"time with {number_of(num_workers, 'workers')}: {times_text or unknown}"
    note = f"at most {number_of(estimate.max_trials, 'trials')}\n{time}"
    return titled(f"{name}: what there is to do", table, note)
