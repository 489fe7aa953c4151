"""Curves as columns, tables, figures and W&B runs."""

from __future__ import annotations

import io
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from ib_bench.drawing.columns import json_row
from ib_bench.drawing.study import Study, study_of
from ib_bench.quantities.curve import QUANTITY
from ib_bench.quantities.curve.figures import figures
from ib_bench.quantities.curve.prior import PRIOR
from ib_bench.quantities.curve.record import (
    Bounds,
    CurveConfig,
    CurveEstimate,
    CurvePoint,
    CurveRecord,
    CurveSettings,
    CurveTrial,
    Pilot,
    Sizes,
    ThresholdEstimate,
)
from ib_bench.quantities.curve.tables import COLUMNS, curve_table, thresholds_table
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.codec import decode, encode
from ib_bench.results.records import Experiment

POINTS = [CurvePoint(size, Bounds(low, low + 0.1, low + 0.2)) for size, low in ((16, 0.1), (64, 0.4), (512, 0.75))]
MEASURED = CurveEstimate(
    n50=Sizes(62.4, 91.0, 119.3),
    n90=Sizes(120.0, 300.0, None),
    best_of_15=Sizes(8.04, 20.0, 33.0),
    spread=Bounds(0.2, 0.5, 0.9),
    ceiling=Bounds(0.6, 0.93, 0.98),
    probability_above=0.01,
    points=POINTS,
)
NOWHERE = CurveEstimate(
    n50=Sizes(None, None, None),
    n90=Sizes(None, None, None),
    best_of_15=Sizes(8.0, 20.0, None),
    spread=MEASURED.spread,
    ceiling=MEASURED.ceiling,
    probability_above=0.97,
    points=POINTS,
)
THRESHOLDS = [
    ThresholdEstimate("loss", 0.1, Sizes(30.2, 45.0, 70.0), Sizes(8.0, 12.0, 20.0), 3, 1, 0, [], (16, 64)),
    ThresholdEstimate("loss", 0.001, Sizes(62.4, None, None), Sizes(8.0, None, 400.0), 0, 2, 2, [64, 512], (64, None)),
    ThresholdEstimate("accuracy", 0.9, Sizes(None, None, None), Sizes(8.0, None, None), 0, 4, 0, [], (512, None)),
]


def curve(experiment: Experiment, estimate: CurveEstimate = MEASURED, **changes: Any) -> CurveRecord:
    search = SearchSettings(learning_rates=[0.1], max_size=512)
    config = CurveConfig(experiment, search, CurveSettings(), PRIOR)
    runs = [(16, False, 1000), (64, True, 200), (64, False, 1000), (512, True, 150)]
    trials = [
        CurveTrial(size, succeeded, num_steps, f"{index:032x}", estimate.n50 if index else Sizes(None, 91.0, None))
        for index, (size, succeeded, num_steps) in enumerate(runs)
    ]
    given = {
        **{"max_size": 512, "pool_size": 10**6, "ended": "narrow", "learning_rate": 0.1},
        **{"curve_trials": trials, "estimate": estimate, "num_states": 3},
    }
    return CurveRecord(config.key, config, "finished", **{**given, **changes})


def study(*records: CurveRecord) -> Study:
    return study_of(
        {"own": Records.of_all(records)}, [("own", record) for record in records], lambda one: one.num_states
    )


def printed(record: CurveRecord) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(QUANTITY.detail(record))
    return console.export_text()


def test_a_curve_says_where_larger_sets_do_worse(experiment: Experiment) -> None:
    runs = [(64, True), (64, True), (128, True), (512, False), (512, False), (512, False)]
    trials = [
        CurveTrial(size, succeeded, 100, f"{index:032x}", Sizes(None, 91.0, None))
        for index, (size, succeeded) in enumerate(runs)
    ]
    falling = curve(experiment, curve_trials=trials)
    said = "3 of 3 runs succeed at N = 64 to 128, but 0 of 3 at N = 512"
    assert json_row(falling, COLUMNS)["decline"] == said and json_row(curve(experiment), COLUMNS)["decline"] is None
    assert f"{said}: a larger set may need more steps (search.max_steps)" in " ".join(printed(falling).split())
    assert "but 0 of" not in printed(curve(experiment))


def test_the_columns_say_everything(experiment: Experiment) -> None:
    row = json_row(curve(experiment), COLUMNS)
    expected = {
        **{"n50": 91.0, "n50_low": 62.4, "n50_high": 119.3, "n50_is_above": None, "n90": 300.0, "n90_high": None},
        **{"best_of_15": 20.0, "spread": 0.5, "ceiling": 0.93, "ceiling_low": 0.6, "num_trials": 4},
        **{"num_steps": 2350, "ended": "narrow", "learning_rate": 0.1, "status": "finished", "pool_exhausted": False},
    }
    assert {name: row[name] for name in expected} == expected
    assert row["prior"] == vars(PRIOR) and row["curve"]["batch"] == 1
    json.dumps(row, allow_nan=False)


def test_a_bound_is_no_number(experiment: Experiment) -> None:
    row = json_row(curve(experiment, NOWHERE, ended="above"), COLUMNS)
    assert (row["n50"], row["n50_low"], row["n50_high"], row["n50_is_above"]) == (None, None, None, 512)


def test_verdicts_for_people(experiment: Experiment) -> None:
    assert curve(experiment).verdict == "91 [62, 119]"
    assert curve(experiment, NOWHERE, ended="above").verdict == "> 512"
    assert curve(experiment, NOWHERE, ended="above", pool_size=512).verdict == "> 512", "as large as was asked for"
    exhausted = curve(experiment, NOWHERE, ended="above", pool_size=20, max_size=20)
    assert exhausted.verdict == "> all 20 that exist"
    assert curve(experiment).sizes_text(MEASURED.n90) == "300 [120, > 512]"
    assert curve(experiment).sizes_text(MEASURED.best_of_15) == "20 [8.0, 33]"
    assert curve(experiment).sizes_text(Sizes(1.0, None, None)) == "> 512 [1.0, > 512]"


def test_one_curve_on_a_terminal(experiment: Experiment) -> None:
    text = printed(curve(experiment))
    assert "N50: 91 [62, 119]" in text and "interval narrow enough" in text
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "0 of 1" in lines["16"] and "1 of 2" in lines["64"] and "0.50" in lines["64"]
    assert "[" + " " * 4 + "----|----" in lines["16"]
    assert "stopped at its first success" not in text
    stopped = printed(curve(experiment, early_stop_sizes=[64, 1024]))
    assert "A search stopped at its first success at N = 64, 1,024" in stopped


def test_every_size_that_was_tried_has_a_row(experiment: Experiment) -> None:
    """Trials of a search lie between the sizes of a curve."""
    between = [CurveTrial(21, True, 200, "a" * 32), CurveTrial(21, False, 200, "b" * 32)]
    text = printed(curve(experiment, curve_trials=[*curve(experiment).curve_trials, *between]))
    lines = {line.split()[0]: line.split() for line in text.splitlines() if line.strip()}
    assert lines["21"] == ["21", "1", "of", "2"] and lines["16"][-1] == "]"


def test_a_pilot_says_what_it_chose_among(experiment: Experiment) -> None:
    pilot = [
        Pilot(0.1, [CurveTrial(512, True, 9, "a" * 32)] * 3),
        Pilot(0.01, [CurveTrial(512, False, 9, "b" * 32)] * 3),
    ]
    record = curve(experiment, pilot=pilot)
    assert "learning rate 0.1, chosen by a pilot at N = 512 (0.1: 3 of 3, 0.01: 0 of 3 succeeded)" in printed(record)
    assert json_row(record, COLUMNS)["pilot"] == {"0.1": "3 of 3", "0.01": "0 of 3"}
    assert "pilot at" not in printed(curve(experiment)) and json_row(curve(experiment), COLUMNS)["pilot"] is None


def test_without_a_success_best_of_15_has_no_median(experiment: Experiment) -> None:
    """It would be that of the prior."""
    failures = [replace(trial, succeeded=False) for trial in curve(experiment).curve_trials]
    record = curve(experiment, NOWHERE, ended="above", curve_trials=failures)
    assert record.best_of_15_text == "[8.0, > 512]" and curve(experiment).best_of_15_text == "20 [8.0, 33]"
    row = json_row(record, COLUMNS)
    assert (row["best_of_15"], row["best_of_15_low"]) == (None, 8.0)
    nowhere = ThresholdEstimate(
        "loss", 0.001, Sizes(None, None, None), Sizes(8.0, 20.0, None), 0, 4, 0, [], (512, None)
    )
    other = replace(record, thresholds=[nowhere])
    assert other.threshold_text(nowhere, nowhere.best_of_15) == "[8.0, > 512]"
    (plain,) = json_row(other, COLUMNS)["thresholds"].values()
    assert (plain["best_of_15"], plain["best_of_15_low"]) == (None, 8.0)


def test_a_small_pool_is_no_exhausted_one(experiment: Experiment) -> None:
    known = json_row(curve(experiment, max_size=20, pool_size=20), COLUMNS)
    exhausted = json_row(curve(experiment, NOWHERE, ended="above", max_size=20, pool_size=20), COLUMNS)
    assert [row["max_size_is_all"] for row in (known, exhausted)] == [True, True]
    assert [row["pool_exhausted"] for row in (known, exhausted)] == [False, True]


def test_a_list_says_how_many_curves_searches_cut_short(experiment: Experiment) -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(QUANTITY.listing([curve(experiment, early_stop_sizes=[64]), curve(experiment)], "curves"))
    assert "1 of 2 are less sure where a search stopped early" in console.export_text()


def test_nothing_held_out_prints_too(experiment: Experiment) -> None:
    nothing = {"estimate": None, "curve_trials": [], "ended": None}
    config = curve(experiment).config
    record = CurveRecord(config.key, config, "finished", 0, 0, **nothing)  # type: ignore[arg-type]
    assert "none held out" in printed(record)
    assert figures(study(record)) == []
    assert curve_table(study(record).shown(CurveRecord)).rows[0][-1].text == "none held out"


def test_the_table_of_a_study(experiment: Experiment) -> None:
    other = curve(experiment.with_data(max_length=8), NOWHERE, ended="above")
    table = curve_table(study(curve(experiment), other).shown(CurveRecord))
    assert [[entry.text for entry in row] for row in table.rows] == [["4", "91 [62, 119]"], ["8", "> 512"]]


def test_the_figure_holds_band_and_trials(experiment: Experiment) -> None:
    (figure,) = figures(study(curve(experiment)))
    (rows,) = figure.spec["datasets"].values()
    band = [(row["size"], row["low"], row["chance"], row["high"]) for row in rows if "low" in row]
    assert band == [(point.size, *vars(point.chance).values()) for point in POINTS]
    tried = [(row["size"], row["chance"], row["trials"]) for row in rows if "trials" in row]
    assert tried == [(16, 0.0, 1), (64, 0.5, 2), (512, 1.0, 1)]


def test_a_suite_of_several_curves_ends_with_their_n50(experiment: Experiment) -> None:
    curves = [curve(experiment), curve(experiment.with_data(max_length=8), NOWHERE, ended="above")]
    figure = QUANTITY.overview(study(*curves), "demo")
    assert figure is not None and figure.name == "demo_n50"
    drawn = {row["L"]: row for rows in figure.spec["datasets"].values() for row in rows}
    assert [drawn[4][name] for name in ("low", "size", "high", "text")] == [62.4, 91.0, 119.3, "91 [62, 119]"]
    assert "arrow" not in drawn[4]
    assert [drawn[8][name] for name in ("size", "text", "arrow")] == [512, "> 512", "up"]
    assert QUANTITY.overview(study(curves[0]), "demo") is None, "one curve is better drawn as such"


def test_a_list_of_curves_is_as_wide_as_a_terminal(experiment: Experiment) -> None:
    curves = [
        curve(experiment, num_checked=43, num_confirmed=41),
        curve(experiment.with_data(max_length=8), NOWHERE, ended="max_trials"),
    ]
    text = printed_list(*curves)
    (line,) = (line for line in text.splitlines() if "91 [62, 119]" in line)
    assert line.split()[2:8] == ["91", "[62,", "119]", "20", "[8.0,", "33]"]
    assert "1 of 2 used all trials" in text and "41 of 43 successes are confirmed" in text
    assert "used all trials" not in printed_list(curves[0])


def test_curves_that_differ_in_an_option_alone_are_told_apart(experiment: Experiment) -> None:
    """Also those read from a store, which lack attributes for what was left at its default."""
    plain, other = curve(experiment), curve(experiment, NOWHERE, ended="above")
    config = replace(other.config, settings=CurveSettings(hold="data"))
    held = replace(other, key=config.key, config=config)
    read = [decode(CurveRecord, encode(one).encode()) for one in (plain, held)]
    text = printed_list(*read)
    assert "hold=None" in text and "hold=data" in text
    table = curve_table(study(*read).shown(CurveRecord))
    rows = [[entry.text for entry in row] for row in table.rows]
    assert sorted(rows) == [["hold=None", "91 [62, 119]"], ["hold=data", "> 512"]]
    assert "hold" not in printed_list(read[0])
    alike = study(read[0], replace(read[0], key="1" * 32))
    rows = [[entry.text for entry in row] for row in curve_table(alike.shown(CurveRecord)).rows]
    assert [row[-1] for row in rows] == ["91 [62, 119]"] * 2, "no number is hidden behind another"


def printed_list(*records: CurveRecord) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(QUANTITY.listing(records, "curves"))
    return console.export_text()


@pytest.mark.system
def test_the_figure_can_be_drawn(experiment: Experiment, tmp_path: Any) -> None:
    (figure,) = figures(study(curve(experiment)))
    files = figure.save(tmp_path / "curve")
    assert all(file.stat().st_size > 1000 for file in files)
    assert "chance of success" in (tmp_path / "curve.svg").read_text()


def test_n50_at_other_thresholds_everywhere(experiment: Experiment) -> None:
    record = curve(experiment, thresholds=THRESHOLDS)
    text = printed(record)
    lines = {" ".join(line.split()[:3]): line.split() for line in text.splitlines()}
    assert lines["loss < 0.1"][3:] == ["45", "[30,", "70]", "12", "[8.0,", "20]", "(16,", "64]", "3", "1", "0"]
    assert lines["loss < 0.001"][3:6] == ["[62,", ">", "512]"] and lines["accuracy >= 0.9"][3:5] == [">", "512"]
    assert "unknown: the trial stopped" in text
    assert "loss < 0.001: half of the trials or more are unknown at N = 64, 512" in text
    assert "unknown: the trial stopped" not in printed(curve(experiment, thresholds=THRESHOLDS[:1]))
    assert "Other thresholds" not in printed(curve(experiment))
    row = json_row(record, COLUMNS)["thresholds"]
    assert list(row) == ["loss_0.1", "loss_0.001", "accuracy_0.9"]
    assert (row["loss_0.1"]["n50"], row["loss_0.1"]["n50_high"]) == (45.0, 70.0)
    assert (row["loss_0.001"]["n50"], row["loss_0.001"]["text"]) == (None, "[62, > 512]")
    assert QUANTITY.exported([record])["thresholds.loss_0.1.n50_low"] == [30.2]
    logged = QUANTITY.logged(record, Records.of_all([record]))
    assert logged.summary["thresholds"]["loss_0.001"]["num_unknown"] == 2
    table = thresholds_table(study(record, curve(experiment.with_data(max_length=8))).shown(CurveRecord))
    assert table.columns[-3:] == ["loss < 0.1", "loss < 0.001", "accuracy >= 0.9"]
    assert [entry.text for entry in table.rows[0][-3:]] == ["45 [30, 70]", "[62, > 512]", "> 512"]
    assert len(table.rows) == 1, "a curve of an earlier version has none"


def test_the_figure_of_thresholds(experiment: Experiment) -> None:
    _, figure = figures(study(curve(experiment, thresholds=THRESHOLDS)))
    (rows,) = figure.spec["datasets"].values()
    drawn = [(row["threshold"], row["low"], row["size"], row["high"], row.get("arrow")) for row in rows]
    assert drawn == [(0.1, 30.2, 45.0, 70.0, None), (0.001, 62.4, 62.4, 512, "up")]
    assert len(figures(study(curve(experiment, thresholds=THRESHOLDS[2:])))) == 1, "accuracies are no losses"


def test_how_many_successes_are_confirmed_everywhere(experiment: Experiment) -> None:
    record = curve(experiment, num_checked=43, num_confirmed=41)
    text = printed(record)
    assert "41 of 43" in text and "confirmed: successes" in text
    assert "confirmed: successes" not in printed(curve(experiment))
    row = json_row(record, COLUMNS)
    assert (row["num_confirmed"], row["num_checked"]) == (41, 43)
    assert row["share_not_confirmed"] == pytest.approx(2 / 43)
    assert json_row(curve(experiment), COLUMNS)["share_not_confirmed"] is None
    assert QUANTITY.logged(record, Records.of_all([record])).summary["num_confirmed"] == 41
    table = curve_table(
        study(record, curve(experiment.with_data(max_length=8), num_checked=7, num_confirmed=7)).results
    )
    assert "48 of 50 successes are confirmed on a second held-out set" in table.note
    assert "confirmed" not in curve_table(study(curve(experiment)).results).note
    (figure,) = figures(study(record))
    (rows,) = figure.spec["datasets"].values()
    assert rows[0]["text"] == "91 [62, 119] (41 of 43 confirmed)"


def test_the_wandb_run_grows_by_a_step_for_each_trial(experiment: Experiment) -> None:
    record = curve(experiment)
    logged = QUANTITY.logged(record, Records.of_all([record]))
    assert logged.run_id == record.key
    assert logged.steps[0] == {
        **{"trial": 1, "curve/size": 16, "curve/succeeded": 0, "curve/num_steps": 1000, "curve/n50": 91.0}
    }
    assert logged.steps[-1]["curve/n50_high"] == 119.3
    assert (logged.summary["n50"], logged.summary["ended"], logged.summary["num_steps"]) == (91.0, "narrow", 2350)
    assert logged.config["prior"] == vars(PRIOR)
    values = [value for step in logged.steps for value in step.values()]
    assert all(math.isfinite(value) for value in values)
