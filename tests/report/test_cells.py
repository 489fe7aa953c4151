"""What cells of the page open to: their trials, as many as a page can hold, and curves with as many points."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from made_up_records import ACOT, Point, curve, search, trial

from ib_bench.drawing.loss_points import MAX_POINTS
from ib_bench.drawing.tables import Entry, StudyTable
from ib_bench.quantities.curve.record import CurveTrial, Pilot
from ib_bench.quantities.search.figures import _loss_rows
from ib_bench.report.cells import cells_json
from ib_bench.report.html import html_report, packed, page_data, unpacked
from ib_bench.report.study_report import study_report
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import Record

POINTS = [Point("LSTM", ACOT, modulus=modulus) for modulus in (5, 7)]
RECORDS: list[Record] = [search(point, 128) for point in POINTS]
TRIALS = [trial(point, 4096) for point in POINTS]


def cells(*records: Record, **options: Any) -> Json:
    report = study_report({"own": Records.of_all(records)})
    return cells_json(report.study, report.found, report.configs, **options)


def test_a_cell_has_its_labels_its_command_and_its_trials() -> None:
    found = cells(*RECORDS, *TRIALS)
    cell = found["cells"][RECORDS[1].key]
    assert cell["labels"] == ["own", "ModularAddition(modulus=7)", 4, "aligned CoT", "uniform", "LSTM"]
    assert cell["config"].startswith("# ib-bench search --config")
    (place,) = cell["trials"]
    assert found["trials"][place] == [4096, 0.003, 10, "failed", 150, 0.1, 0.0001, 50, [1.0, 0.1, None]]


def test_derived_results_have_commands_that_measure_them_again() -> None:
    lengths = range(2, 5)
    records: list[Record] = [curve(Point("LSTM", ACOT, "fixed", length), 50) for length in lengths]
    joint = curve(Point("LSTM", ACOT, "uniform", 4), 100)
    by_key = cells(*records, joint)["cells"]
    series = commands(by_key[records[-1].key])
    path = f"configs/{records[-1].key}.yaml"
    assert series == [
        f"ib-bench curve --config {path}",
        f"ib-bench growth --config {path} --growth.argument max_length --growth.values '[2, 3, 4]'",
    ]
    assert f"ib-bench sharing --config configs/{joint.key}.yaml --sharing.curves true" in commands(by_key[joint.key])


def test_a_slope_of_searches_has_no_command() -> None:
    records = [search(Point("LSTM", ACOT, "fixed", length), 50) for length in (2, 3, 4)]
    assert all(len(commands(cell)) == 1 for cell in cells(*records)["cells"].values())


def commands(cell: Json) -> list[str]:
    return [line[2:] for line in cell["config"].splitlines() if line.startswith("# ")]


def test_what_pools_several_results_takes_no_cell_over() -> None:
    points = [Point("LSTM", ACOT, max_length=length, modulus=modulus) for modulus in (5, 7) for length in (4, 5, 6)]
    records = [search(point, 64) for point in points]
    labels = [cells(*records)["cells"][record.key]["labels"][1:3] for record in records]
    assert labels == [[f"ModularAddition(modulus={point.modulus})", point.max_length] for point in points]


def test_trials_beyond_the_most_are_told_apart_from_none() -> None:
    found = cells(*RECORDS, *TRIALS, max_trials=1)
    assert len(found["trials"]) == 1
    assert [found["cells"][record.key]["trials"] for record in RECORDS] == [[0], [None]]


def test_missing_trials_are_no_error() -> None:
    assert [cell["trials"] for cell in cells(*RECORDS)["cells"].values()] == [[None], [None]]


def test_long_curves_keep_their_best_and_last_points() -> None:
    losses: list[tuple[int, float | None]] = [(10 * step, 1.0) for step in range(1, 500)]
    losses[301] = (3020, 0.01)
    losses.append((5000, 0.5))
    config = replace(TRIALS[0].config, max_steps=5000)
    long = replace(TRIALS[0], config=config, num_steps=5000, val_curve=losses, best_val_loss=0.01, best_step=3020)
    found = cells(RECORDS[0], long)
    *_, steps, kept = found["trials"][0]
    assert len(kept) == len(steps) <= MAX_POINTS + 2
    assert len(_loss_rows(long)) == len(kept)  # those that the figure draws
    assert (steps[kept.index(0.01)], steps[-1], kept[-1]) == (3020, 5000, 0.5)


def test_a_fitted_curve_has_its_band() -> None:
    record = curve(POINTS[0], 100.0)
    assert cells(record)["cells"][record.key]["band"][0] == [1, 0.0, 0.1, 0.2]


def test_the_trials_of_a_pilot_are_none_of_the_curve() -> None:
    record = curve(POINTS[0], 100.0)
    piloted = replace(record, pilot=[Pilot(0.003, [CurveTrial(4096, False, 150, TRIALS[1].key)])])
    shares = cells(piloted, *TRIALS)["cells"][record.key]["shares"]
    assert shares == [(80, 0, 12), (125, 12, 12), (4096, 12, 12)]


def test_packed_data_are_the_same_and_come_back() -> None:
    data = {"text": "</script><!--", "number": 1.5}
    assert unpacked(packed(data)) == data and packed(data) == packed(data) and "<" not in packed(data)


def test_numbers_that_json_lacks_still_sort() -> None:
    report = study_report({"own": Records.of_all(RECORDS)})
    orders = [float("inf"), float("-inf"), float("nan")]
    table = StudyTable("odd", "Odd", "", ["x"], 0, [[Entry("odd", order)] for order in orders])
    page = html_report(report.study, [table, report.tables[-1]], [], report.claims, {"cells": {}, "trials": []})
    (rows,) = [one["rows"] for one in page_data(page)["tables"]]
    high, low, unknown = (row[0][1] for row in rows)
    assert high > 1e300 and low < -1e300 and unknown == ""
