"""The cheap cells of the demo have on a GPU an N50 that agrees with that on a CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulation.real_cells import agree, row_of, stored_rows, suite_of

import ib_bench

pytestmark = [pytest.mark.gpu, pytest.mark.system, pytest.mark.filterwarnings("default")]

CELLS = ["DenseSSM, aligned_chain_of_thought", "LSTM, aligned_chain_of_thought", "LSTM, outcome"]


@pytest.mark.parametrize("cell", CELLS)
def test_n50_agrees_with_that_on_a_cpu(accelerator: str, cell: str, tmp_path: Path) -> None:
    suite = suite_of(0)
    model, supervision = cell.split(", ")
    suite["base"]["trainer"] = {"accelerator": accelerator}
    axes = {"model": model, "supervision": supervision}
    found = ib_bench.run(suite, axes=axes, store=tmp_path / "store.sqlite", wandb={"mode": "disabled"})
    (on_this_device,) = map(row_of, found["curve"])
    on_a_cpu = next(row for row in stored_rows() if row["cell"] == cell)  # the first is the demo's own
    assert agree(on_this_device, on_a_cpu), f"{on_this_device['verdict']} and {on_a_cpu['verdict']}"
