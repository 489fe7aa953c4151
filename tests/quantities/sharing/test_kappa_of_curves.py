"""Kappa from success curves."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from made_up_records import ACOT, Point, search
from made_up_records import curve as made_up_curve
from rich.console import Console

from ib_bench import catalogue
from ib_bench.drawing.columns import json_text
from ib_bench.quantities.curve.prior import PRIOR
from ib_bench.quantities.curve.record import CurveConfig, CurveRecord, CurveSettings, CurveTrial
from ib_bench.quantities.curve.success_curve import Observation, Outcomes, SuccessCurve
from ib_bench.quantities.search.record import SearchConfig, SearchSettings
from ib_bench.quantities.sharing.curves import FactorEstimate, FinishedCurves, SharingCurves
from ib_bench.quantities.sharing.record import Sharing, part_configs, sharings
from ib_bench.report.study_report import study_report
from ib_bench.results.archive import Records
from ib_bench.results.records import Experiment

MAX_SIZE = 1024
SETTINGS = SearchSettings(learning_rates=[0.01])
KEY = "0" * 32


def curve(
    experiment: Experiment,
    n50: float,
    num_trials: int = 40,
    max_size: int = MAX_SIZE,
    settings: CurveSettings | None = None,
) -> CurveRecord:
    """A curve whose trials succeed from ``n50`` on, tried on both sides of it."""
    config = CurveConfig(experiment, SETTINGS, settings or CurveSettings(), PRIOR)
    sizes = [min(max_size, max(1, round(n50 * factor))) for factor in (0.6, 0.8, 1.25, 1.7)] * (num_trials // 4)
    trials = [CurveTrial(size, size >= n50, 100, KEY) for size in (sizes if max_size else [])]
    is_above = n50 > max_size > 0
    return CurveRecord(
        *(config.key, config, "finished", max_size, max_size, 0.01, [], trials),
        ended="above" if is_above else "narrow",
    )


def curves(experiment: Experiment, joint: float, parts: Sequence[float], **options: int) -> SharingCurves:
    configs = part_configs(SearchConfig(experiment, SETTINGS))
    measured = {
        length: curve(config.experiment, n50, **options)
        for (length, config), n50 in zip(configs.items(), parts, strict=True)
    }
    return SharingCurves(curve(experiment, joint, **options), measured)


def test_kappa_is_the_ratio_of_sharp_curves(experiment: Experiment) -> None:
    estimate = curves(experiment, joint=100, parts=[50, 100, 50]).estimate
    assert estimate.median == pytest.approx(2, rel=0.1)
    assert 1.5 < estimate.low < 2 < estimate.high < 2.7
    assert str(estimate).startswith(f"{estimate.median:.2f} [1.")


def test_curves_whose_trials_share_data_count_only_without_others(experiment: Experiment) -> None:
    configs = part_configs(SearchConfig(experiment, SETTINGS))

    def all_of(settings: CurveSettings, num_trials: int) -> list[CurveRecord]:
        wanted = [experiment, *(config.experiment for config in configs.values())]
        return [curve(one, 100, num_trials, settings=settings) for one in wanted]

    held = all_of(CurveSettings(hold="data"), 80)
    for there, hold in ((held, "data"), (held + all_of(CurveSettings(), 40), None)):
        found = FinishedCurves(there).of(SearchConfig(experiment, SETTINGS), configs)
        assert found is not None and found.joint.config.settings.hold == hold


def test_more_trials_narrow_it(experiment: Experiment) -> None:
    few, many = (curves(experiment, 100, [50, 100, 50], num_trials=number).estimate for number in (12, 120))
    assert many.high / many.low < few.high / few.low


def test_the_same_curves_give_the_same_numbers(experiment: Experiment) -> None:
    first, second = (curves(experiment, 100, [50, 100, 50]).estimate for _ in range(2))
    assert first == second
    assert curves(experiment.with_data(batch_size=8), 100, [50, 100, 50]).estimate == first


def test_the_interval_is_that_of_the_posteriors(experiment: Experiment) -> None:
    """A joint curve that is nearly certain: kappa is then the distribution of a single part over a number."""
    part = curve(part_configs(SearchConfig(experiment, SETTINGS))[2].experiment, 50, num_trials=16)
    joint = curve(experiment, 1, num_trials=400)
    estimate = SharingCurves(joint, {2: part}).estimate
    runs = [Observation(trial.size, trial.succeeded, 1) for trial in part.curve_trials]
    exact = SuccessCurve(MAX_SIZE).posterior(Outcomes.of(runs)).n50
    assert (estimate.low, estimate.median, estimate.high) == pytest.approx(tuple(exact), rel=0.05)


def test_a_few_censored_samples_leave_the_median_known(experiment: Experiment) -> None:
    found = curves(experiment, joint=100, parts=[50, 100, 50])
    unsure = curve(found.parts[4].config.experiment, 0.7 * MAX_SIZE, num_trials=12)
    some = SharingCurves(found.joint, {**found.parts, 4: unsure}).estimate
    assert some.median == pytest.approx((150 + 0.7 * MAX_SIZE) / 100, rel=0.25)
    assert some.high == math.inf or some.high > some.median


def test_a_part_above_all_that_exist_leaves_kappa_without_an_upper_end(experiment: Experiment) -> None:
    found = curves(experiment, joint=100, parts=[10_000, 100, 100])
    assert found.estimate.high == math.inf and found.estimate.median is None
    assert found.estimate.low > (MAX_SIZE + 150) / 130
    rest = found.unexhausted_estimate
    assert rest is not None and rest.median == pytest.approx(2, rel=0.1)
    assert curves(experiment, joint=100, parts=[10_000] * 3).unexhausted_estimate is None


def test_a_joint_curve_above_the_largest_size_leaves_it_without_a_lower_end(experiment: Experiment) -> None:
    estimate = curves(experiment, joint=10_000, parts=[50, 100, 50]).estimate
    assert estimate.low == 0 and estimate.median is None
    assert estimate.high < 260 / MAX_SIZE
    assert str(estimate).startswith("[0, 0.2")


def test_nothing_held_out_is_at_least_one_sequence(experiment: Experiment) -> None:
    found = curves(experiment, joint=100, parts=[50, 100, 50])
    parts = {**found.parts, 2: curve(found.parts[2].config.experiment, 1, max_size=0)}
    some = SharingCurves(found.joint, parts)
    assert some.estimate.high == math.inf and 1.2 < some.estimate.low < 1.6
    assert some.unexhausted_estimate is not None and some.unexhausted_estimate.median == pytest.approx(1.5, rel=0.1)
    assert str(FactorEstimate(0.0, None, math.inf)) == "unknown"


def test_curves_are_found_by_the_searches_of_the_same_experiments(experiment: Experiment) -> None:
    joint = SearchConfig(experiment, SETTINGS)
    configs = part_configs(joint)
    measured = [curve(one, 50) for one in (experiment, *(part.experiment for part in configs.values()))]
    found = FinishedCurves(measured).of(joint, configs)
    assert found is not None and found.joint == measured[0] and list(found.parts.values()) == measured[1:]
    assert FinishedCurves(measured[:-1]).of(joint, configs) is None
    assert FinishedCurves([*measured[:-1], replace(measured[-1], status="running")]).of(joint, configs) is None
    assert FinishedCurves(measured).of(replace(joint, settings=SearchSettings(threshold=0.5)), configs) is None
    others = [curve(one.config.experiment, 50, 48, settings=CurveSettings(first_seed=99)) for one in measured]
    assert FinishedCurves([*measured[:-1], others[-1]]).of(joint, configs) is None  # not measured alike
    chosen = FinishedCurves([*measured, *others]).of(joint, configs)
    assert chosen is not None and chosen.joint == others[0]  # more trials


def test_saturated_trials_give_kappa_its_upper_end(experiment: Experiment) -> None:
    found = curves(experiment, joint=100, parts=[10_000, 100, 100])
    saturated = [CurveTrial(1100, True, 100, KEY)] * 4
    part = replace(found.parts[2], num_sequences=1100, saturated_trials=saturated)
    known = SharingCurves(found.joint, {**found.parts, 2: part}).estimate
    assert known.low == pytest.approx(found.estimate.low)
    assert (MAX_SIZE + 200) / 130 < known.high < (1100 + 300) / 70


SIZES = {("fixed", 2): 50.0, ("fixed", 3): 100.0, ("fixed", 4): 50.0, ("uniform", 4): 100.0}


class TestWithoutSearches:
    """Kappa of a store that holds curves alone."""

    @pytest.fixture
    def measured(self) -> list[CurveRecord]:
        return [made_up_curve(Point("LSTM", ACOT, *place), size) for place, size in SIZES.items()]

    @pytest.fixture
    def sharing(self, measured: list[CurveRecord]) -> Sharing:
        (found,) = sharings([], [], measured)
        return found

    def test_it_is_that_of_the_curves(self, sharing: Sharing, measured: list[CurveRecord]) -> None:
        joint = measured[-1]
        assert sharing.key == joint.key
        assert sharing.config == SearchConfig(joint.config.experiment, joint.config.search)
        assert sharing.factor is None and sharing.joint_need is None and sharing.point is None
        assert sharing.estimate is not None and sharing.estimate.median == pytest.approx(2, rel=0.2)
        assert (sharing.low, sharing.high) == (sharing.estimate.low, sharing.estimate.high)
        assert sharing.lengths == [2, 3, 4] and sharing.min_length == 2 and sharing.exhausted == []

    def test_searches_take_its_place(self, measured: list[CurveRecord]) -> None:
        searches = [search(Point("LSTM", ACOT, *place), round(size)) for place, size in SIZES.items()]
        (found,) = sharings(searches, [], measured)
        assert found.joint is not None and found.curves is not None and found.curves.joint == measured[-1]

    def test_both_kinds_stand_in_one_list(self, sharing: Sharing) -> None:
        searches = [search(Point("GRU", ACOT, *place), round(size)) for place, size in SIZES.items()]
        console = Console(width=200, file=io.StringIO())
        console.print(catalogue.quantity("sharing").listing([sharing, *sharings(searches)], "2 kappa"))
        said = console.file.getvalue()  # type: ignore[attr-defined]
        (row,) = [line for line in said.splitlines() if line.startswith("LSTM")]
        assert str(sharing.estimate) in row and "kappa: the sum of N* at each length" in said
        assert "exhausted: lengths at which all" in said and "exhausted, without searches: lengths at which N50" in said

    def test_its_wandb_run_is_that_of_the_searches(self, sharing: Sharing, measured: list[CurveRecord]) -> None:
        """So that a kappa that is searched for later takes the place of this one."""
        searches = [search(Point("LSTM", ACOT, *place), round(size)) for place, size in SIZES.items()]
        (searched,) = sharings(searches, [], measured)
        quantity = catalogue.quantity("sharing")
        assert quantity.run_id(sharing) == quantity.run_id(searched)

    def test_a_missing_part_leaves_none(self, measured: list[CurveRecord]) -> None:
        assert sharings([], [], measured[1:]) == []

    def test_lists_tables_figures_and_wandb_show_it(self, sharing: Sharing, measured: list[CurveRecord]) -> None:
        quantity = catalogue.quantity("sharing")
        text = str(sharing.estimate)
        console = Console(width=200, file=io.StringIO())
        console.print(quantity.listing([sharing], "1 kappa"))
        console.print(quantity.detail(sharing))
        said = console.file.getvalue()  # type: ignore[attr-defined]
        assert said.count(text) == 2 and "sum alone" not in said and "2..4 together" in said
        assert "N*" not in said and "exhausted, without searches: lengths at which N50 lies above" in said
        records = Records.of_all(measured)
        report = study_report({"own": records})
        tables = {table.name: table for table in report.tables}
        assert text in [entry.text for entry in tables["kappa_n50"].rows[0]] and not tables["kappa_parts"].rows
        (figure,) = [figure for figure in report.figures if figure.name == "kappa"]
        (row,) = [row for rows in figure.spec["datasets"].values() for row in rows]
        assert (row["of"], row["text"], row["href"]) == ("N50", text, f"#{measured[-1].key}")
        assert (row["sum"], row["joint"]) == ("200", measured[-1].verdict)
        logged = quantity.logged(sharing, records)
        assert logged.summary["sharing_factor_n50_text"] == text
        assert [step["length"] for step in logged.steps] == [2, 3, 4] and logged.steps[0]["sharing/n50_low"] > 0
        assert json.loads(json_text([quantity.detail_json(sharing)]))[0]["joint"] is None
