"""Series of cells: which are found, and how their slopes are shown."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from made_up_records import ACOT, COT, OUTCOME, Point, curve, search
from rich.console import Console

from ib_bench.drawing.columns import json_row
from ib_bench.drawing.study import Study, study_of
from ib_bench.errors import InvalidOptionError
from ib_bench.quantities.curve.record import CurveRecord, CurveSettings
from ib_bench.quantities.growth import QUANTITY
from ib_bench.quantities.growth.record import Growth, GrowthSettings, growth_of, growths
from ib_bench.quantities.growth.tables import COLUMNS, growth_table, points_text
from ib_bench.quantities.quantity import Request
from ib_bench.results.archive import Records
from ib_bench.results.records import DataSpec, Record

LENGTHS = (4, 6, 8)


def series(modulus: int = 5, supervision: str = ACOT, exponent: float = 2.0) -> list[Record]:
    """Curves at three lengths, as one power law."""
    return [
        curve(Point("LSTM", supervision, "fixed", length, modulus), 8 * modulus * (length / 4) ** exponent)
        for length in LENGTHS
    ]


def found(*records: Record) -> list[Growth]:
    return growths(Records.of_all(records))


def study(*records: Record) -> Study:
    results = [("own", growth) for growth in found(*records)]
    return study_of({"own": Records.of_all(records)}, results, lambda one: one.num_states)


def test_a_series_over_lengths() -> None:
    (growth,) = found(*series())
    assert (growth.variable, growth.argument, growth.measure, growth.is_pooled) == ("L", "max_length", "N50", False)
    assert growth.labels.max_length is None and growth.labels.task_arguments == {"modulus": 5}
    assert [cell.x for cell in growth.cells] == [4, 6, 8] and growth.num_states == 5
    assert growth.fit is not None and growth.fit.exponent.median == pytest.approx(2.0, abs=0.2)
    assert growth.key == growth.cells[-1].record.key and QUANTITY.run_id(growth) != growth.key


def test_series_over_lengths_and_states_and_both_pooled() -> None:
    growths = found(*series(5), *series(10), *series(20))
    told = [(growth.variable, growth.is_pooled, points_text(growth)) for growth in growths]
    assert told.count(("L", False, "L = 4, 6, 8")) == 3
    assert told.count(("states", False, "states = 5, 10, 20")) == 3
    pooled = [growth for growth in growths if growth.is_pooled]
    assert {points_text(growth) for growth in pooled} == {"L = 4, 6, 8 (3 series)", "states = 5, 10, 20 (3 series)"}
    assert len({QUANTITY.run_id(growth) for growth in growths}) == len(growths) == 8
    for growth in pooled:
        assert growth.labels.task_arguments == {} and growth.labels.max_length is None
        truth = 2.0 if growth.variable == "L" else 1.0
        assert growth.fit is not None and growth.fit.exponent.median == pytest.approx(truth, abs=0.2)


def cycle(num_positions: int, length: int = 4) -> CurveRecord:
    """A curve as every command stores it: without ``num_positions`` at its default, 5."""
    record = curve(Point("LSTM", ACOT, "fixed", length), 20 * num_positions * length)
    named = {} if num_positions == 5 else {"num_positions": num_positions}
    given = {name: value for name, value in record.config.experiment.data.init_args.items() if name != "modulus"}
    data = DataSpec("ib_bench.data.CycleNavigation", {**named, **given})
    config = replace(record.config, experiment=replace(record.config.experiment, data=data))
    return replace(record, key=config.key, config=config, num_states=num_positions)


def test_a_cell_at_a_default_is_part_of_the_series() -> None:
    (growth,) = found(*(cycle(num_positions) for num_positions in (5, 3, 7)))
    assert (growth.argument, points_text(growth)) == ("num_positions", "states = 3, 5, 7")
    growths = found(*(cycle(num_positions, length) for num_positions in (5, 3, 7) for length in LENGTHS))
    pooled = {points_text(growth) for growth in growths if growth.is_pooled}
    assert pooled == {"L = 4, 6, 8 (3 series)", "states = 3, 5, 7 (3 series)"}


def test_cells_that_differ_in_anything_else_are_no_series() -> None:
    mixed = [curve(Point("LSTM", supervision, "fixed", length), 100) for supervision, length in ((ACOT, 4), (COT, 6))]
    assert found(*mixed, curve(Point("LSTM", ACOT, "uniform", 8), 100)) == []
    assert found(*(curve(Point("LSTM", ACOT, "fixed", 4, 5, 2**size), 100) for size in (10, 12, 14))) == []


def test_seeds_are_repeats_of_one_cell() -> None:
    points = [Point("LSTM", ACOT, "fixed", length, seeds=seeds) for length in LENGTHS for seeds in ((1,), (2,), (1, 2))]
    sizes = [search(point, 100) for point in points]
    singles, pairs = sorted(found(*sizes), key=lambda growth: -len(growth.cells))
    assert (len(singles.cells), len(pairs.cells), singles.measure) == (6, 3, "N*")
    overlapping = [search(Point("LSTM", ACOT, "fixed", length, seeds=(2, 3)), 100) for length in LENGTHS]
    assert len(found(*sizes, *overlapping)) == 2, "pairs that share a seed count once"


def test_of_two_curves_of_one_cell_the_longer_counts() -> None:
    longer = [curve(Point("LSTM", ACOT, "fixed", length, seeds=(99,)), 100, num_trials=30) for length in LENGTHS]
    (growth,) = found(*series(), *longer)
    assert [cell.record for cell in growth.cells] == longer


def test_curves_take_the_place_of_searches() -> None:
    searches = [search(Point("LSTM", ACOT, "fixed", length), 100) for length in (*LENGTHS, 10)]
    assert [growth.measure for growth in found(*series(), *searches)] == ["N50", "N*"], "the searches reach further"
    assert [growth.measure for growth in found(*series(), *searches[:3])] == ["N50"]


def test_columns_hold_everything_and_no_infinity() -> None:
    above = [curve(Point("LSTM", OUTCOME, "fixed", length), math.inf) for length in LENGTHS]
    exhausted = curve(Point("LSTM", ACOT, "fixed", 2), math.inf, max_size=20)
    rows = [json_row(growth, COLUMNS) for growth in found(*series(), exhausted, *above)]
    json.dumps(rows, allow_nan=False)
    known, unknown = rows
    assert (known["x"], known["num_cells"], known["num_left_out"], known["num_bounds"]) == ([2, 4, 6, 8], 4, 1, 0)
    assert known["exponent_low"] < known["exponent"] < known["exponent_high"] and known["better_law"] == "undecided"
    assert (unknown["exponent"], unknown["better_law"], unknown["num_bounds"]) == (None, None, 3)


def test_too_few_sizes_are_said_to_be() -> None:
    above = [curve(Point("LSTM", OUTCOME, "fixed", length), math.inf) for length in LENGTHS]
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(QUANTITY.listing(found(*above), "growth"))
    text = console.export_text()
    assert "too few sizes" in text and "L = 4, 6, 8" in text and QUANTITY.note in text
    (row,) = growth_table(study(*above).shown(Growth)).rows
    assert [entry.text for entry in row[-3:]] == ["too few sizes", "too few sizes", ""]


def test_the_table_begins_with_what_series_share() -> None:
    table = growth_table(study(*series(5), *series(10)).shown(Growth))
    assert table.rows[0][table.columns.index("over")].text == "L = 4, 6, 8 (2 series)"
    assert all(entry.key for row in table.rows for entry in row[-3:-1])


@pytest.mark.system
def test_the_figure_draws_intervals(tmp_path: Path) -> None:
    steep = [
        curve(Point("LSTM", COT, "fixed", 4), 900),
        *(curve(Point("LSTM", COT, "fixed", n), math.inf) for n in (6, 8)),
    ]
    (figure,) = QUANTITY.figures(study(*series(), *steep, *series(5, OUTCOME, -1.0)))
    rows = [row for own in figure.spec["datasets"].values() for row in own]
    assert len(rows) == 2 and all(row["low"] < row["exponent"] < row["high"] for row in rows)
    assert all(file.stat().st_size > 1000 for file in figure.save(tmp_path / "growth"))


def test_the_wandb_run_has_a_step_for_each_cell() -> None:
    (growth,) = found(*series())
    logged = QUANTITY.logged(growth, Records())
    assert [step["growth/x"] for step in logged.steps] == [4, 6, 8]
    assert logged.steps[0]["growth/size"] == 40 and logged.summary["exponent"] == pytest.approx(2.0, abs=0.2)
    assert "model" not in logged.summary


class TestCommand:
    def request(self, point: Point, **growth: object) -> Request:
        settings = {"search": point.settings, "curve": CurveSettings(), "growth": GrowthSettings(**growth)}  # type: ignore[arg-type]
        return Request(point.experiment, settings, 100, 5)

    def test_a_curve_for_each_length(self) -> None:
        jobs = QUANTITY.jobs(self.request(Point("LSTM", ACOT, "fixed", 5)))
        assert [job.config.experiment.labels.max_length for job in jobs] == [2, 3, 4, 5]
        assert [job.pool_size for job in jobs][:2] == [20, 100]  # type: ignore[attr-defined]

    def test_or_for_each_size_of_the_task(self) -> None:
        jobs = QUANTITY.jobs(self.request(Point("LSTM", ACOT), argument="modulus", values=[3, 7, 5]))
        assert [job.config.experiment.labels.task_arguments for job in jobs] == [{"modulus": m} for m in (3, 7, 5)]
        assert [job.num_states for job in jobs] == [3, 7, 5]  # type: ignore[attr-defined]

    def test_states_are_not_answers(self) -> None:
        request = self.request(Point("LSTM", ACOT), argument="modulus", values=[2, 3, 5])
        data = DataSpec("ib_bench.data.ModularArithmetic", request.experiment.data.init_args)
        jobs = QUANTITY.jobs(replace(request, experiment=replace(request.experiment, data=data)))
        assert [job.num_states for job in jobs] == [4, 9, 25]  # type: ignore[attr-defined]

    def of_task(self, task: str, values: list[int], argument: str, **arguments: object) -> Request:
        """A request for a task whose arguments are at their defaults."""
        request = self.request(Point("LSTM", ACOT), argument=argument, values=values)
        given = {name: value for name, value in request.experiment.data.init_args.items() if name != "modulus"}
        data = DataSpec(f"ib_bench.data.{task}", {**given, **arguments})
        return replace(request, experiment=replace(request.experiment, data=data))

    def test_an_argument_at_its_default_can_vary_and_keeps_the_key_of_its_cell(self) -> None:
        request = self.of_task("CycleNavigation", [3, 5, 7], "num_positions")
        jobs = QUANTITY.jobs(request)
        assert [job.num_states for job in jobs] == [3, 5, 7]  # type: ignore[attr-defined]
        assert jobs[1].config.experiment == request.experiment
        assert jobs[2].config.experiment == request.experiment.with_data(num_positions=7)

    def test_states_that_stay_the_same_are_refused_before_anything_is_trained(self) -> None:
        message = (
            r"growth.values must be values of automaton_seed with .* 3 different numbers of states, not only 8, got"
        )
        with pytest.raises(InvalidOptionError, match=message):
            QUANTITY.jobs(self.of_task("RandomAutomaton", [0, 1, 2], "automaton_seed"))

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"argument": "num_elements"}, "growth.argument must be one of max_length, modulus"),
            ({"argument": "batch_size"}, "growth.argument must be one of max_length, modulus"),
            ({"argument": "modulus"}, "growth.values must be a list of at least 3 values of modulus"),
            ({"values": [4, 5]}, "growth.values must be a list of at least 3 integers"),
            ({"values": [4, 5, 5]}, "growth.values must be a list of at least 3 integers, none twice"),
        ],
    )
    def test_what_cannot_be_measured(self, settings: dict[str, object], message: str) -> None:
        with pytest.raises(InvalidOptionError, match=message):
            QUANTITY.jobs(self.request(Point("LSTM", ACOT), **settings))

    def test_too_short_a_maximal_length(self) -> None:
        with pytest.raises(InvalidOptionError, match="at least 3 values of max_length"):
            QUANTITY.jobs(self.request(Point("LSTM", ACOT, "fixed", 3)))

    def test_the_result_of_its_curves(self) -> None:
        curves = [curve(Point("LSTM", ACOT, "fixed", length), 10 * length) for length in (6, 2, 4)]
        growth = growth_of(curves)
        assert [cell.x for cell in growth.cells] == [2, 4, 6] and growth.argument == "max_length"
        curves = [curve(Point("LSTM", ACOT, modulus=modulus), 10 * modulus) for modulus in (3, 5, 7)]
        growth = growth_of(curves)
        assert [cell.x for cell in growth.cells] == [3, 5, 7] and growth.variable == "states"

    def test_the_result_with_a_cell_at_a_default(self) -> None:
        growth = growth_of([cycle(num_positions) for num_positions in (5, 3, 7)])
        assert (growth.argument, points_text(growth)) == ("num_positions", "states = 3, 5, 7")

    def test_a_cell_with_nothing_held_out_has_its_number_of_states(self) -> None:
        request = self.request(Point("LSTM", ACOT, "fixed", 2), argument="modulus", values=[2, 3, 5])
        none_held_out, *_ = QUANTITY.jobs(request)
        assert (none_held_out.pool_size, none_held_out.num_states) == (0, None)  # type: ignore[attr-defined]
        record = curve(Point("LSTM", ACOT, "fixed", 2, 2), math.inf, max_size=0, num_trials=0)
        record = replace(record, num_states=None, estimate=None, ended=None)
        others = [curve(Point("LSTM", ACOT, "fixed", 2, modulus), 10 * modulus) for modulus in (3, 5)]
        assert points_text(growth_of([record, *others])) == "states = 2, 3, 5"
