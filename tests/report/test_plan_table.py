from __future__ import annotations

import io

import pytest
from rich.console import Console

from ib_bench.drawing.terminal import show
from ib_bench.report.plan_table import plan_table
from ib_bench.studies.estimate import Estimate


@pytest.mark.parametrize(
    ("number", "trials", "workers"), [(1, "1 trial", "1 worker"), (2000, "2,000 trials", "2,000 workers")]
)
def test_trials_and_workers_are_counted(number: int, trials: str, workers: str) -> None:
    console = Console(file=io.StringIO(), width=100)
    show(plan_table("demo", {"searches": (1, 0)}, Estimate(number, 60.0, None), number), console)
    assert f"at most {trials}\ntime with {workers}: at most 1m 00s" in console.file.getvalue()  # type: ignore[attr-defined]
