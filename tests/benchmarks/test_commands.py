"""Benchmarks of whole commands work on few records; how long they take is no matter of a test."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks.large_store import TRIALS_PER_SEARCH, large_store, write_made_up_store
from benchmarks.measurement import Measurement
from benchmarks.scheduling import scheduling
from benchmarks.startup import startup
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.quantities.sharing.record import sharings
from ib_bench.results.archive import stored_records


def quiet(what: str) -> None:
    """Nobody watches."""


def test_the_made_up_store_is_like_a_real_one(tmp_path: Path) -> None:
    write_made_up_store(tmp_path / "store.sqlite", num_searches=54)
    records = stored_records(tmp_path / "store.sqlite")
    searches = records.finished(SearchRecord)
    assert (len(searches), len(records.trials)) == (54, 54 * TRIALS_PER_SEARCH)
    assert {len(records.trials_of(search)) for search in searches} == {TRIALS_PER_SEARCH}
    assert all(trial.succeeded == (trial.best_val_loss < 1e-4) for trial in records.trials)  # type: ignore[operator]
    assert {search.censored for search in searches} == {True, False}
    assert len(sharings(searches)) == 18  # each uniform search has its parts


@pytest.mark.slow
@pytest.mark.system
def test_both_commands_are_timed_on_it() -> None:
    measurements = large_store(quiet, num_searches=27)
    assert [measurement.target for measurement in measurements] == [2.0, 30.0]
    assert all(measurement.value > 0 and "27 searches, 540 trials" in measurement.what for measurement in measurements)


@pytest.mark.slow
@pytest.mark.system
def test_the_start_of_commands_is_timed() -> None:
    measurements = startup(num_rounds=1, on_round=quiet)
    assert [measurement.target for measurement in measurements] == [0.3, 0.3, None, 6.0]
    assert all(measurement.value > 0 for measurement in measurements)


@pytest.mark.slow
@pytest.mark.system
def test_calls_that_do_nothing_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(root), str(root / "tests")]))  # Ray's workers import it
    measurements = scheduling(quiet, num_calls=3)
    assert [measurement.target for measurement in measurements] == [None, 5.0]
    assert all(measurement.value >= 0 for measurement in measurements)


def test_bench_prints_figures_for_programs(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def small_store(options: object, on_round: object) -> object:
        return [Measurement("store", "results", 1.5, "s", 2.0)]

    monkeypatch.setitem(command._BENCHMARKS, "store", small_store)
    assert command.main(["store", "--format", "json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert set(printed["machine"]) >= {"platform", "python", "torch"}
    (row,) = printed["measurements"]
    assert (row["benchmark"], row["value"], row["target"], row["reached"]) == ("store", 1.5, 2.0, True)
    assert command.main(["store"]) == 0
    assert "<= 2s" in capsys.readouterr().out


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["stor"]) == 2
    assert "store" in capsys.readouterr().err
