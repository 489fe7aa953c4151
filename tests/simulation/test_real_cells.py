"""Repeated measurements of real cells: what their table says."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulation.presentation import Json
from simulation.real_cells import cells, published_table, row_of, scatter, stored_rows, table

import ib_bench


def rows(*ends: tuple[float | None, float | None, float | None]) -> list[Json]:
    names = ("n50_low", "n50", "n50_high")
    counts = {"num_trials": 20, "num_steps": 30_000, "num_checked": 12, "num_confirmed": 11, "ended": "narrow"}
    return [{"cell": "LSTM", "verdict": "text", **counts, **dict(zip(names, own, strict=True))} for own in ends]


def test_scatter_is_in_octaves_and_predicted_by_the_intervals() -> None:
    measured, predicted, holding = scatter(rows((32, 64, 128), (64, 128, 256), (8, 16, 32)))
    assert measured == pytest.approx(1.5275, abs=1e-3), "of 6, 7 and 4 octaves"
    assert predicted == pytest.approx(2 / 3.29)
    assert holding == 1, "the mean is 50.8"
    assert scatter(rows((32, 64, 128), (64, 128, None))) == (None, None, None)
    assert scatter(rows((32, 64, 128))) == (None, None, None)


def test_the_readme_shows_the_stored_results() -> None:
    assert published_table() == table(stored_rows())
    assert {row["cell"] for row in stored_rows()} <= set(cells())
    seeds = [(row["cell"], row["first_seed"]) for row in stored_rows()]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.system
def test_a_row_of_a_real_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # caused by Lightning's calls, as in the command
    config = cells()["DenseSSM"]
    assert config["data"]["init_args"]["supervision"] == "aligned_chain_of_thought"
    quick = {**config, "search": {**config["search"], "max_steps": 20}}
    record = ib_bench.measure("curve", **quick, curve={"max_trials": 2}, store=tmp_path / "store.sqlite")
    row = row_of("DenseSSM", record)
    assert row["verdict"] == record.verdict and row["num_trials"] == 2
    assert "2" in table([row])
