"""Success curves with made-up trials: which are trained, in which order, and what is concluded."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import pytest

from ib_bench.errors import BenchError, InvalidOptionError
from ib_bench.quantities.curve.job import CurveJob
from ib_bench.quantities.curve.measurement import CurveMeasurement
from ib_bench.quantities.curve.prior import PRIOR
from ib_bench.quantities.curve.record import CurveConfig, CurveRecord, CurveSettings
from ib_bench.quantities.known_size import of_curve
from ib_bench.quantities.progress import Progress, ProgressReporter
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.quantities.search.search import Search
from ib_bench.results.codec import UnreadableRecordError, decode, encode
from ib_bench.results.records import Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialConfig, TrialRecord
from ib_bench.studies.comparison import size_interval

BUDGET = 100
Rule = Callable[[TrialConfig], bool]


class Killed(BaseException):
    """As Ctrl-C would be."""


class FakeTrials:
    """Trials that succeed by a rule; remembers which were asked for."""

    def __init__(self, rule: Rule, store: Store, num_before_kill: int = 10**9) -> None:
        self.rule, self.store, self.left = rule, store, num_before_kill
        self.asked: list[TrialConfig] = []

    def __call__(self, configs: list[TrialConfig]) -> None:
        for config in configs:
            if not self.left:
                raise Killed
            self.left -= 1
            self.store.add(self.trial(config))

    def trial(self, config: TrialConfig) -> TrialRecord:
        self.asked.append(config)
        status = "succeeded" if self.rule(config) else "failed"
        steps = config.max_steps // 5 if status == "succeeded" else config.max_steps
        loss = (0.1 if status == "succeeded" else 10) * config.threshold
        return TrialRecord(config.key, config, status, steps, loss, 1, 1, [(1, loss)], {}, "1", 2.0, 1.0, {}, {}, "now")


def needs(size: int) -> Rule:
    return lambda config: config.num_train_sequences >= size


def shallow(config: TrialConfig) -> bool:
    """Not a step: which seeds succeed depends on the size."""
    return config.num_train_sequences * (0.5 + config.seed % 7 / 6) >= 40


def curve_config(experiment: Experiment, search: SearchSettings | None = None, **settings: object) -> CurveConfig:
    search = search or SearchSettings(learning_rates=[0.1], max_steps=BUDGET, max_size=1024)
    return CurveConfig(experiment, search, CurveSettings(**settings), PRIOR)  # type: ignore[arg-type]


def measurement(
    config: CurveConfig, store: Store, trials: FakeTrials, pool_size: int = 10**9, news: list[Progress] | None = None
) -> CurveMeasurement:
    emit = (lambda event: None) if news is None else news.append
    return CurveMeasurement(config, pool_size, 3, store, trials, ProgressReporter(emit))


def test_a_curve_is_measured_and_kept(experiment: Experiment, store: Store) -> None:
    trials, news = FakeTrials(needs(37), store), list[Progress]()
    record = measurement(curve_config(experiment), store, trials, news=news).run()
    assert (record.status, record.ended, record.learning_rate, record.max_size) == ("finished", "narrow", 0.1, 1024)
    assert record.estimate is not None
    n50 = record.estimate.n50
    assert n50.low is not None and n50.high is not None
    assert 18 < n50.low < 37 < n50.high <= 2 * n50.low
    assert store.get(CurveRecord, record.key) == record
    assert decode(CurveRecord, encode(record).encode()) == record
    assert [config.seed for config in trials.asked] == list(range(10, 10 + record.num_trials))
    assert record.trials == [config.key for config in trials.asked]
    assert record.num_steps == sum(trial.num_steps for trial in record.curve_trials)
    assert record.wall_time_s == 2.0 * record.num_trials
    assert record.curve_trials[-1].n50 == n50
    assert news[-1].verdict == f"N50: {record.verdict}" and news[-1].num_evaluations == record.num_trials
    assert f"[{n50.low:.0f}, {n50.high:.0f}]" in record.verdict


def test_the_whole_prior_is_in_the_record_and_the_key(experiment: Experiment) -> None:
    config = curve_config(experiment)
    assert config.to_json()["prior"] == vars(PRIOR)
    assert replace(config, prior=replace(PRIOR, max_spread=3.0)).key != config.key


def test_what_only_a_search_uses_does_not_change_the_trials(experiment: Experiment, store: Store) -> None:
    search = SearchSettings(learning_rates=[0.1], max_steps=BUDGET, max_size=1024)
    other = replace(search, seeds=[1, 2], multiplier=7, exhaustive=True, relative_tolerance=0.5)
    first, second = FakeTrials(needs(37), store), FakeTrials(needs(37), store)
    record = measurement(curve_config(experiment, search), store, first).run()
    assert measurement(curve_config(experiment, other), store, second).run().trials == record.trials
    assert second.asked == []


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("num_before_kill", [0, 1, 5, 9])
def test_after_a_kill_it_goes_on_where_it_was(
    experiment: Experiment, store: Store, num_before_kill: int, batch: int
) -> None:
    config = curve_config(experiment, batch=batch)
    with Store(":memory:") as other:
        undisturbed = measurement(config, other, FakeTrials(shallow, other)).run()
    first, second = FakeTrials(shallow, store, num_before_kill), FakeTrials(shallow, store)
    with pytest.raises(Killed):
        measurement(config, store, first).run()
    unfinished = store.get(CurveRecord, config.key)
    assert unfinished is not None and unfinished.verdict == "unfinished"
    record = measurement(config, store, second).run()
    assert first.asked + second.asked == [store_config(store, key) for key in undisturbed.trials]
    assert replace(record, updated_at="") == replace(undisturbed, updated_at="")


def store_config(store: Store, key: str) -> TrialConfig:
    trial = store.get(TrialRecord, key)
    assert trial is not None
    return trial.config


def test_an_error_ends_it_and_the_next_run_tries_again(experiment: Experiment, store: Store) -> None:
    def train(configs: list[TrialConfig]) -> None:
        raise BenchError("no more memory")

    config = curve_config(experiment)
    with pytest.raises(BenchError):
        CurveMeasurement(config, 10**9, 3, store, train, ProgressReporter(lambda event: None)).run()
    failed = store.get(CurveRecord, config.key)
    assert failed is not None and (failed.status, failed.error, failed.verdict) == (
        "failed",
        "no more memory",
        "failed",
    )
    assert measurement(config, store, FakeTrials(needs(37), store)).run().finished
    finished = store.get(CurveRecord, config.key)
    assert finished is not None and finished.finished and finished.error is None


def test_searches_and_curves_share_trials(experiment: Experiment, store: Store) -> None:
    settings = SearchSettings(learning_rates=[0.1], seeds=[10, 11, 12], max_steps=BUDGET, max_size=1024)
    config = curve_config(experiment, settings)
    with Store(":memory:") as other:
        alone = FakeTrials(needs(37), other)
        measurement(config, other, alone).run()
    of_search = FakeTrials(needs(37), store)
    Search(experiment, settings, 10**9, 3, store, of_search.trial, ProgressReporter(lambda event: None)).run()
    of_curve = FakeTrials(needs(37), store)
    measurement(config, store, of_curve).run()
    shared = {config.key for config in of_search.asked} & {config.key for config in alone.asked}
    assert shared
    assert [config.key for config in of_curve.asked] == [
        config.key for config in alone.asked if config.key not in shared
    ]


def test_n50_above_the_largest_size_or_all_that_exist(experiment: Experiment, store: Store) -> None:
    record = measurement(curve_config(experiment), store, FakeTrials(needs(10**6), store)).run()
    assert (record.ended, record.verdict, record.censored) == ("above", "> 1,024", True)
    assert not record.largest_is_all and not record.is_pool_exhausted
    record = measurement(curve_config(experiment, first_seed=50), store, FakeTrials(needs(10**6), store), 20).run()
    assert (record.verdict, record.max_size, record.largest_is_all) == ("> all 20 that exist", 20, True)
    assert record.is_pool_exhausted


@pytest.mark.parametrize("pool_size", [10**22, 10**5000], ids=["22 zeros", "5000 zeros"])
def test_more_sequences_may_exist_than_64_bits_count(experiment: Experiment, store: Store, pool_size: int) -> None:
    """As of a flip-flop of 16 values with 18 symbols, a cell of the league."""
    record = measurement(curve_config(experiment), store, FakeTrials(needs(37), store), pool_size).run()
    assert decode(CurveRecord, encode(record).encode()) == record == store.get(CurveRecord, record.key)


@pytest.mark.parametrize("value", [0, -1.5, 1e308])
def test_what_is_no_size_makes_a_record_unreadable(value: float, experiment: Experiment, store: Store) -> None:
    """Such numbers would reach figures and posteriors."""
    record = measurement(curve_config(experiment), store, FakeTrials(needs(37), store)).run()
    for path in (["estimate", "n50", "high"], ["curve_trials", 0, "size"], ["saturated_trials", 0, "size"]):
        plain = json.loads(encode(replace(record, saturated_trials=record.curve_trials[:1], num_sequences=2000)))
        assert decode(CurveRecord, json.dumps(plain).encode())
        *above, last = path
        reduce(lambda inner, name: inner[name], above, plain)[last] = value
        with pytest.raises(UnreadableRecordError):
            decode(CurveRecord, json.dumps(plain).encode())
    with pytest.raises(ValueError, match="num_sequences is missing"):
        replace(record, saturated_trials=record.curve_trials[:1])


def test_nothing_can_be_held_out(experiment: Experiment, store: Store) -> None:
    trials = FakeTrials(needs(1), store)
    record = measurement(curve_config(experiment), store, trials, 0).run()
    assert (record.status, record.verdict, record.num_trials) == ("finished", "none held out", 0)
    assert trials.asked == []


def test_a_pilot_picks_the_learning_rate_that_succeeds_most(experiment: Experiment, store: Store) -> None:
    search = SearchSettings(learning_rates=[0.3, 0.1, 0.01], max_steps=BUDGET, max_size=1024)
    config = curve_config(experiment, search, pilot_trials=3)

    def rule(config: TrialConfig) -> bool:
        lucky = {0.3: 0, 0.1: 3, 0.01: 2}[config.learning_rate]
        return config.seed - 10 < lucky or (config.seed >= 13 and config.num_train_sequences >= 37)

    trials = FakeTrials(rule, store)
    record = measurement(config, store, trials).run()
    assert record.learning_rate == 0.1
    pilots = [(pilot.learning_rate, [trial.succeeded for trial in pilot.trials]) for pilot in record.pilot]
    assert pilots == [(0.3, [False] * 3), (0.1, [True] * 3), (0.01, [True, True, False])]
    assert {config.num_train_sequences for config in trials.asked[:9]} == {1024}
    of_curve = trials.asked[9:]
    assert {config.learning_rate for config in of_curve} == {0.1}
    assert [config.seed for config in of_curve] == list(range(13, 13 + len(of_curve))), "not the pilot's seeds"
    assert record.num_trials == 9 + len(record.curve_trials) and record.trials == [one.key for one in trials.asked]


@pytest.mark.parametrize(("spread", "largest"), [(1, 1), (4, 3)])
def test_no_size_has_more_trials_than_are_said(experiment: Experiment, store: Store, spread: int, largest: int) -> None:
    search = SearchSettings(learning_rates=[0.1, 0.01], max_steps=BUDGET, max_size=1024, spread=spread)
    config = curve_config(experiment, search, pilot_trials=3, batch=2)
    news: list[Progress] = []

    def train(configs: list[TrialConfig]) -> None:
        for one in configs:
            reporter.on_trial_start(one)
        FakeTrials(needs(37), store)(configs)

    reporter = ProgressReporter(news.append)
    CurveMeasurement(config, 10**9, 3, store, train, reporter).run()
    assert max(one.num_trials for one in news) == largest
    job = CurveJob(experiment, search, config.settings, 10**9, 3, {})
    assert job.num_configurations == largest


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_a_learning_rate_that_fails_early_is_not_a_fast_one(experiment: Experiment, store: Store, status: str) -> None:
    """No trial of the pilot succeeds: the lowest loss decides, not how soon the others ended."""

    class Early(FakeTrials):
        def trial(self, config: TrialConfig) -> TrialRecord:
            record = super().trial(config)
            if config.learning_rate == 0.01:
                return record
            last = (2, None if status == "diverged" else 3.0)
            return replace(record, status=status, num_steps=5, best_val_loss=2.0, val_curve=[(1, 2.0), last])

    search = SearchSettings(learning_rates=[0.3, 0.01], max_steps=BUDGET, max_size=1024)
    config = curve_config(experiment, search, pilot_trials=2, max_trials=2)
    assert measurement(config, store, Early(lambda config: False, store)).run().learning_rate == 0.01


def test_of_equally_good_learning_rates_the_fastest_is_picked(experiment: Experiment, store: Store) -> None:
    class Slow(FakeTrials):
        def trial(self, config: TrialConfig) -> TrialRecord:
            steps = {0.3: 50, 0.1: 10}[config.learning_rate]
            return replace(super().trial(config), num_steps=steps)

    search = SearchSettings(learning_rates=[0.3, 0.1], max_steps=BUDGET, max_size=1024)
    record = measurement(curve_config(experiment, search), store, Slow(needs(37), store)).run()
    assert record.learning_rate == 0.1


class TestFromRecords:
    def search(self, experiment: Experiment, store: Store, exhaustive: bool) -> SearchSettings:
        settings = SearchSettings(
            learning_rates=[0.1], seeds=list(range(8)), max_steps=BUDGET, max_size=1024, exhaustive=exhaustive
        )
        trials = FakeTrials(shallow, store)
        Search(experiment, settings, 10**9, 3, store, trials.trial, ProgressReporter(lambda event: None)).run()
        return settings

    def test_all_trials_of_the_experiment_are_fitted_and_none_trained(
        self, experiment: Experiment, store: Store
    ) -> None:
        settings = self.search(experiment, store, exhaustive=True)
        num_trials = len(list(store.all(TrialRecord)))
        foreign = settings.trial_config(experiment.with_data(modulus=5), 16, 0.1, 3)
        other_budget = replace(settings, max_steps=7).trial_config(experiment, 16, 0.1, 3)
        for config in (foreign, other_budget):
            store.add(FakeTrials(needs(1), store).trial(config))
        trials = FakeTrials(needs(1), store)
        config = curve_config(experiment, settings, from_records=True)
        record = measurement(config, store, trials).from_records()
        assert trials.asked == []
        assert (record.ended, record.num_trials, record.early_stop_sizes) == ("records", num_trials, [])
        assert record.estimate is not None and record.estimate.n50.low is not None
        assert record.estimate.n50.low < 45 < (record.estimate.n50.high or 10**9)
        assert list(store.all(CurveRecord)) == [], "what depends on the store is not kept in it"

    def test_how_steps_are_run_does_not_matter(self, experiment: Experiment, store: Store) -> None:
        settings = self.search(experiment, store, exhaustive=True)
        config = curve_config(experiment, replace(settings, cuda_graph=False), from_records=True)
        assert measurement(config, store, FakeTrials(needs(1), store)).from_records().num_trials > 0

    def test_a_machine_without_the_store_gets_the_searches(self, experiment: Experiment, store: Store) -> None:
        settings = self.search(experiment, store, exhaustive=False)
        (search,) = store.all(SearchRecord)
        for from_records, needed in ((True, [search]), (False, [])):
            job = CurveJob(experiment, settings, CurveSettings(from_records=from_records), 100, 5)
            assert job.needed(store) == needed
            other = replace(job, experiment=experiment.with_data(modulus=7))
            assert other.needed(store) == []

    def test_it_says_where_searches_stopped_early(self, experiment: Experiment, store: Store) -> None:
        settings = self.search(experiment, store, exhaustive=False)
        config = curve_config(experiment, settings, from_records=True)
        record = measurement(config, store, FakeTrials(shallow, store)).from_records()
        (search,) = store.all(SearchRecord)
        stopped = {one.size for one in search.evaluations if one.succeeded and len(one.trials) < 8}
        assert record.early_stop_sizes == sorted(stopped) and stopped
        smaller = curve_config(experiment, replace(settings, max_size=max(stopped) - 1), from_records=True)
        record = measurement(smaller, store, FakeTrials(shallow, store)).from_records()
        assert record.early_stop_sizes == sorted(stopped - {max(stopped)}), "larger sizes are not fitted"
        self.search(experiment, store, exhaustive=True)
        record = measurement(config, store, FakeTrials(shallow, store)).from_records()
        assert record.early_stop_sizes == [], "another search has trained the rest of the grid"

    def test_without_trials_there_is_nothing_to_fit(self, experiment: Experiment, store: Store) -> None:
        config = curve_config(experiment, from_records=True)
        with pytest.raises(BenchError, match="the store holds no trials of this experiment"):
            measurement(config, store, FakeTrials(shallow, store)).from_records()


@pytest.mark.parametrize(("hold", "option"), [("data", "data_seed"), ("weights", "model_seed")])
def test_all_trials_share_what_is_held(experiment: Experiment, store: Store, hold: str, option: str) -> None:
    free, held = FakeTrials(shallow, store), FakeTrials(shallow, store)
    measurement(curve_config(experiment), store, free).run()
    config = curve_config(experiment, hold=hold)
    assert config.key != curve_config(experiment).key == curve_config(experiment, hold=None).key
    record = measurement(config, store, held).run()
    assert record.trials[0] == free.asked[0].key, "the first trial's seed moves nothing of it"
    others = [store_config(store, key) for key in record.trials[1:]]
    assert others == held.asked and len(others) > 3
    assert {getattr(one, option) for one in others} == {10}
    other_seed = {"data_seed": "model_seed", "model_seed": "data_seed"}[option]
    assert (
        [getattr(one, other_seed) for one in others]
        == [one.seed for one in others]
        == list(range(11, 11 + len(others)))
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [("first_seed", -1), ("batch", 0), ("interval_factor", 1.0), ("max_trials", 0), ("pilot_trials", 0)],
)
def test_options_out_of_range(option: str, value: float) -> None:
    with pytest.raises(InvalidOptionError, match=f"curve.{option} must be"):
        CurveSettings(**{option: value})  # type: ignore[arg-type]


@pytest.mark.system
@pytest.mark.parametrize("spread", [1, 2])
def test_real_trials_are_the_same_in_one_process_and_in_several(
    experiment: Experiment, store: Store, spread: int
) -> None:
    search = SearchSettings(learning_rates=[0.01], max_steps=20, max_size=64, threshold=0.5, spread=spread)
    settings = {"search": search, "curve": CurveSettings(batch=2, max_trials=4)}
    job = CurveJob.of(Request(experiment, settings, 100, 3))
    record = job.run(ProgressReporter(lambda event: None), store)
    assert job.stored(store) is not None
    with Store(":memory:") as other:
        alone = replace(job, search=replace(search, spread=1)).run(ProgressReporter(lambda event: None), other)
    assert [(one.size, one.trial, one.num_steps) for one in record.curve_trials] == [
        (one.size, one.trial, one.num_steps) for one in alone.curve_trials
    ]


def saturating(
    config: CurveConfig, store: Store, trials: FakeTrials, pool_size: int, number: int | None
) -> CurveMeasurement:
    return CurveMeasurement(config, pool_size, 3, store, trials, ProgressReporter(lambda event: None), lambda: number)


def test_where_all_training_sequences_fail_training_on_all_that_exist_bounds_n50(
    experiment: Experiment, store: Store
) -> None:
    trials = FakeTrials(lambda config: config.saturated, store)
    record = saturating(curve_config(experiment), store, trials, 20, 25).run()
    assert (record.ended, record.num_sequences, record.fits_all) == ("above", 25, True)
    assert record.verdict == "21 to 25 (saturated)"
    assert [trial.size for trial in record.saturated_trials] == [25] * 4
    assert [config.seed for config in trials.asked if config.saturated] == [10, 11, 12, 13]
    assert record.trials[-4:] == [trial.trial for trial in record.saturated_trials]
    size = of_curve(record)
    assert size is not None and not size.is_informative
    assert size_interval(size).high == pytest.approx(25)
    assert decode(CurveRecord, encode(record).encode()) == record


def test_saturated_trials_are_counted_beforehand(experiment: Experiment) -> None:
    settings = {"search": SearchSettings([0.1, 0.2], max_size=64), "curve": CurveSettings(max_trials=7, pilot_trials=2)}
    sizes = {0: 15, 63: 4 + 7 + 15, 64: 4 + 7}  # of the training pool; nothing is exhausted where the settings end it
    for pool_size, expected in sizes.items():
        assert CurveJob.of(Request(experiment, settings, pool_size, 3)).max_evaluations == expected


@pytest.mark.parametrize(("batch", "rates", "cores"), [(1, [0.1], 1), (3, [0.1], 3), (9, [0.1], 4), (1, [0.1, 0.2], 2)])
def test_as_many_cores_as_trials_at_once(experiment: Experiment, batch: int, rates: list[float], cores: int) -> None:
    settings = {"search": SearchSettings(rates, spread=4), "curve": CurveSettings(batch=batch, pilot_trials=2)}
    assert CurveJob.of(Request(experiment, settings, 100, 3)).num_cores == cores


def test_a_curve_is_fitted_for_few_thresholds() -> None:
    """Also that of a stranger's record, which ``store check`` fits again."""
    with pytest.raises(InvalidOptionError, match=r"curve\.thresholds must be at most 100 numbers, got 101"):
        CurveSettings(thresholds=[0.1] * 101)


@pytest.mark.parametrize(
    ("succeeds", "fits", "number"), [(lambda seed: False, False, 4), (lambda seed: seed % 2, None, 15)]
)
def test_a_budget_that_is_missing_leaves_n50_without_an_upper_end(
    experiment: Experiment, store: Store, succeeds: Callable[[int], bool], fits: bool | None, number: int
) -> None:
    trials = FakeTrials(lambda config: config.saturated and bool(succeeds(config.seed)), store)
    record = saturating(curve_config(experiment), store, trials, 20, 25).run()
    assert (record.fits_all, len(record.saturated_trials)) == (fits, number)
    assert record.verdict == "> all 20 that exist" + (" (budget missing)" if fits is False else "")
    size = of_curve(record)
    assert size is not None and size_interval(size).high == math.inf


def test_where_nothing_can_be_held_out_only_saturated_trials_are_trained(experiment: Experiment, store: Store) -> None:
    trials = FakeTrials(lambda config: True, store)
    record = saturating(curve_config(experiment), store, trials, 0, 4).run()
    assert (record.verdict, record.max_size, record.curve_trials) == ("at most 4 (saturated)", 0, [])
    size = of_curve(record)
    assert size is not None and size_interval(size).high == pytest.approx(4)


def test_no_saturated_trials_where_n50_is_known_or_data_cannot(experiment: Experiment, store: Store) -> None:
    def no_question() -> int:
        raise AssertionError("nothing to ask for")

    trials = FakeTrials(needs(37), store)
    emit = ProgressReporter(lambda event: None)
    known = CurveMeasurement(curve_config(experiment), 200, 3, store, trials, emit, no_question).run()
    assert known.ended == "narrow" and known.num_sequences is None
    unable = saturating(curve_config(experiment), store, FakeTrials(needs(10**6), store), 20, None).run()
    assert (unable.saturated_trials, unable.fits_all, unable.verdict) == ([], None, "> all 20 that exist")


def test_a_small_chance_that_the_pool_is_too_small_calls_for_saturated_trials(
    experiment: Experiment, store: Store
) -> None:
    """Of several lengths summed, each with such a chance, one is above with more than 5 %."""
    trials = FakeTrials(lambda one: one.saturated or (one.num_train_sequences >= 37 and one.seed != 15), store)
    record = saturating(curve_config(experiment), store, trials, 150, 190).run()
    assert record.estimate is not None and 0.01 < record.estimate.probability_above < 0.05
    assert record.ended == "narrow" and record.fits_all and "saturated" not in record.verdict
    size = of_curve(record)
    assert size is not None and size.is_informative and 2**size.most == pytest.approx(190)
    assert record.verdict == replace(record, saturated_trials=[]).verdict


def test_saturated_trials_are_found_again_after_a_kill(experiment: Experiment, store: Store) -> None:
    config = curve_config(experiment)
    with Store(":memory:") as other:
        whole = saturating(config, other, FakeTrials(lambda one: one.saturated, other), 20, 25).run()
    first = FakeTrials(lambda one: one.saturated, store, whole.num_trials - 2)
    with pytest.raises(Killed):
        saturating(config, store, first, 20, 25).run()
    second = FakeTrials(lambda one: one.saturated, store)
    record = saturating(config, store, second, 20, 25).run()
    assert len(second.asked) == 2
    assert replace(record, updated_at="") == replace(whole, updated_at="")
