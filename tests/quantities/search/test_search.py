"""The search for N* with made-up trials: which are run, in which order, and what is concluded."""

from __future__ import annotations

import random as python_random  # noqa: TID251 (an explicit generator)
from collections.abc import Callable

import pytest

from ib_bench.errors import InvalidOptionError
from ib_bench.execution.executor import Emit
from ib_bench.quantities.progress import Progress, ProgressReporter
from ib_bench.quantities.search.record import SearchConfig, SearchRecord, SearchSettings
from ib_bench.quantities.search.search import GridFunction, Search, TrialFunction
from ib_bench.results.identity import canonical
from ib_bench.results.record_store import RecordStore
from ib_bench.results.records import Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import TrialConfig, TrialRecord

Rule = Callable[[TrialConfig], bool]


class FakeTrials:
    """Trials that succeed by a rule; remembers which were asked for."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.asked: list[TrialConfig] = []

    def __call__(self, config: TrialConfig) -> TrialRecord:
        self.asked.append(config)
        status = "succeeded" if self.rule(config) else "failed"
        loss = config.threshold * (0.5 if status == "succeeded" else 1 + 1 / config.num_train_sequences)
        return TrialRecord(config.key, config, status, 1, loss, 1, 1, [(1, loss)], {}, "1", 2.0, 1.0, {}, {}, "now")


def search(
    experiment: Experiment,
    settings: SearchSettings,
    pool_size: int,
    store: RecordStore,
    run_trial: TrialFunction,
    run_grid: GridFunction | None = None,
    emit: Emit = lambda event: None,
) -> Search:
    return Search(experiment, settings, pool_size, 3, store, run_trial, ProgressReporter(emit), run_grid)


def needs(size: int) -> Rule:
    return lambda config: config.num_train_sequences >= size


def settings(**changes: object) -> SearchSettings:
    defaults = {"learning_rates": [0.1, 0.01], "seeds": [1, 2, 3], "max_size": 1000, "multiplier": 10}
    return SearchSettings(**{**defaults, **changes})  # type: ignore[arg-type]


def test_finds_the_size_and_keeps_the_bracket(experiment: Experiment, store: Store) -> None:
    record = search(experiment, settings(), 10**9, store, FakeTrials(needs(37))).run()
    assert record.min_train_size == 37
    assert record.bracket == (36, 37)
    assert record.status == "finished"
    assert store.get(SearchRecord, record.key) == record
    assert record.evaluations[0].size == 1000
    assert record.wall_time_s == 2.0 * record.num_trials


def test_what_is_damaged_is_measured_again(experiment: Experiment, store: Store) -> None:
    record = search(experiment, settings(), 10**9, store, FakeTrials(needs(37))).run()
    damaged = record.evaluations[1].trials[0]
    for table, key in (("searches", record.key), ("trials", damaged)):
        store.database.execute(f"UPDATE {table} SET checksum = 0 WHERE key = ?", (key,))
    trials = FakeTrials(needs(37))
    with pytest.warns(UserWarning, match="is damaged and counts as missing"):
        again = search(experiment, settings(), 10**9, store, trials).run()
    assert [config.key for config in trials.asked] == [damaged]
    assert again.evaluations == record.evaluations
    assert store.get(SearchRecord, record.key) == again
    assert store.get(TrialRecord, damaged) is not None


def test_the_pool_caps_the_size_and_failure_there_is_censored(experiment: Experiment, store: Store) -> None:
    trials = FakeTrials(needs(1000))
    record = search(experiment, settings(), 50, store, trials).run()
    assert (record.verdict, record.censored, record.max_size) == ("> all 50 that exist", True, 50)
    assert record.is_pool_exhausted
    assert [config.num_train_sequences for config in trials.asked] == [50] * 6
    assert record.evaluations[0].best_val_loss == settings().threshold * (1 + 1 / 50)


def test_a_size_stops_at_its_first_success_and_the_last_success_goes_first(
    experiment: Experiment, store: Store
) -> None:
    trials = FakeTrials(lambda config: config.num_train_sequences >= 60 and config.seed == 2)
    search(experiment, settings(max_evaluations=3), 10**9, store, trials).run()
    asked = [(config.num_train_sequences, config.learning_rate, config.seed) for config in trials.asked]
    assert asked[:3] == [(1000, 0.1, 1), (1000, 0.1, 2), (100, 0.1, 2)]
    assert asked[3:] == [(10, 0.1, 2), (10, 0.1, 1), (10, 0.1, 3), (10, 0.01, 1), (10, 0.01, 2), (10, 0.01, 3)]


@pytest.mark.parametrize("seed", range(30))
def test_same_verdict_as_the_full_grid(experiment: Experiment, store: Store, seed: int) -> None:
    def luck(config: TrialConfig) -> bool:
        chance = min(1.0, config.num_train_sequences / 300)
        return python_random.Random(f"{seed} {config.key}").random() < chance**2

    economical, full = FakeTrials(luck), FakeTrials(luck)
    quick = search(experiment, settings(), 1000, store, economical).run()
    thorough = search(experiment, settings(exhaustive=True), 1000, store, full).run()
    assert quick.bracket == thorough.bracket
    assert [(e.size, e.succeeded) for e in quick.evaluations] == [(e.size, e.succeeded) for e in thorough.evaluations]
    assert thorough.num_trials == 6 * len(thorough.evaluations)
    assert quick.num_trials <= thorough.num_trials
    stored = {config.key for config in economical.asked}
    assert not stored & {config.key for config in full.asked}, "trials in the store were trained again"


def test_a_finished_search_trains_nothing(experiment: Experiment, store: Store) -> None:
    first = search(experiment, settings(), 1000, store, FakeTrials(needs(37))).run()
    again = FakeTrials(needs(37))
    assert search(experiment, settings(), 1000, store, again).run() == first
    assert again.asked == []


def test_a_search_that_another_process_has_finished_ends_like_others(experiment: Experiment, store: Store) -> None:
    heard: list[Progress] = []
    first = search(experiment, settings(), 1000, store, FakeTrials(needs(37))).run()
    search(experiment, settings(), 1000, store, FakeTrials(needs(37)), emit=heard.append).run()
    assert [event.verdict for event in heard] == [first.in_short]


def test_a_trial_that_a_finished_search_has_lost_is_measured_again(experiment: Experiment, store: Store) -> None:
    record = search(experiment, settings(), 1000, store, FakeTrials(needs(37))).run()
    lost = record.evaluations[1].trials[0]
    store.database.execute("DELETE FROM trials WHERE key = ?", (lost,))
    assert store.finished(SearchRecord, record.key) is None
    trials = FakeTrials(needs(37))
    assert search(experiment, settings(), 1000, store, trials).run().evaluations == record.evaluations
    assert [config.key for config in trials.asked] == [lost]
    assert store.finished(SearchRecord, record.key) == record


@pytest.mark.parametrize("crash_after", range(1, 12))
def test_an_interrupted_search_goes_on_where_it_was(experiment: Experiment, store: Store, crash_after: int) -> None:
    class Crash(FakeTrials):
        def __call__(self, config: TrialConfig) -> TrialRecord:
            if len(self.asked) == crash_after:
                raise KeyboardInterrupt
            return super().__call__(config)

    crashing, resumed, undisturbed = (cls(needs(37)) for cls in (Crash, FakeTrials, FakeTrials))
    with pytest.raises(KeyboardInterrupt):
        search(experiment, settings(), 1000, store, crashing).run()
    unfinished = next(store.all(SearchRecord))
    assert unfinished.verdict == "unfinished"
    record = search(experiment, settings(), 1000, store, resumed).run()
    with Store(":memory:") as fresh:
        expected = search(experiment, settings(), 1000, fresh, undisturbed).run()
    assert [vars(e) for e in record.evaluations] == [vars(e) for e in expected.evaluations]
    assert crashing.asked + resumed.asked == undisturbed.asked


def test_a_failure_is_recorded_and_the_next_run_tries_again(experiment: Experiment, store: Store) -> None:
    def broken(config: TrialConfig) -> TrialRecord:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        search(experiment, settings(), 1000, store, broken).run()
    (failed,) = store.all(SearchRecord)
    assert (failed.verdict, failed.error) == ("failed", "RuntimeError: out of memory")
    assert search(experiment, settings(), 1000, store, FakeTrials(needs(37))).run().min_train_size == 37


@pytest.mark.parametrize(
    "change", [{"threshold": 0.5}, {"seeds": [1, 2]}, {"max_steps": 7}, {"midpoint": "geometric"}, {"exhaustive": True}]
)
def test_other_settings_are_another_search(experiment: Experiment, store: Store, change: dict[str, object]) -> None:
    searches = [search(experiment, s, 1000, store, FakeTrials(needs(1))) for s in (settings(), settings(**change))]
    assert searches[0].config.key != searches[1].config.key


def test_progress_is_reported_in_order(experiment: Experiment, store: Store) -> None:
    heard: list[tuple[object, ...]] = []
    one = settings(learning_rates=[0.1], seeds=[1], max_evaluations=2)

    def emit(event: Progress) -> None:
        heard.append((event.size, event.num_trials, event.num_evaluations, event.judged_size, event.verdict))

    search(experiment, one, 20, store, FakeTrials(needs(5)), emit=emit).run()
    assert heard == [
        (20, 1, 0, None, None),
        (None, 0, 1, 20, None),
        (2, 1, 1, 20, None),
        (None, 0, 2, 2, None),
        (None, 0, 2, 2, "N* = 20 (2, 20]"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rates": []}, "search.learning_rates must be a list of at least one number"),
        ({"learning_rates": [0.0]}, "search.learning_rates"),
        ({"learning_rates": [0.1, 0.1]}, "none twice"),
        ({"seeds": []}, "search.seeds"),
        ({"seeds": [-1]}, "search.seeds"),
        ({"learning_rates": [float("inf")]}, "finite"),
        ({"threshold": float("nan")}, "search.threshold must be a finite number"),
        ({"threshold": 0.0}, "search.threshold must be a finite number above 0, got 0.0"),
        ({"max_steps": 0}, "search.max_steps must be an integer of at least 1, got 0"),
        ({"max_size": -5}, "search.max_size"),
        ({"multiplier": 1}, "search.multiplier must be an integer of at least 2, got 1"),
        ({"max_evaluations": 0}, "search.max_evaluations"),
        ({"relative_tolerance": 1.0}, "search.relative_tolerance"),
        ({"val_check_interval": 0}, "search.val_check_interval"),
        ({"num_threads": 0}, "search.num_threads"),
    ],
)
def test_settings_out_of_range(change: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        settings(**change)


def test_the_defaults_are_the_papers_protocol() -> None:
    paper = SearchSettings()
    assert (paper.learning_rates, paper.seeds) == ([1e-3, 1e-4, 1e-5], [10, 20, 30, 40, 50])
    assert len(paper.grid()) == 15
    assert (paper.threshold, paper.max_steps, paper.max_size) == (1e-4, 250_000, 250_000 * 64)
    assert (paper.multiplier, paper.max_evaluations, paper.relative_tolerance) == (1000, 20, 0.0)


class TestOptions:
    def test_a_search_by_the_protocol_has_the_key_it_always_had(self, experiment: Experiment) -> None:
        plain = settings()
        assert not {"vectorize", "compile", "cuda_graph", "futility"} & canonical(plain).keys()
        options: list[dict[str, object]] = [{}, {"compile": True}, {"futility": 0.5}]
        assert len({SearchConfig(experiment, settings(**option)).key for option in options}) == 3
        assert len({settings(**option).trial_config(experiment, 9, 0.1, 1).key for option in options}) == 3
        assert not {"options", "cuda_graph"} & plain.trial_config(experiment, 9, 0.1, 1).to_json().keys()

    def test_replayed_steps_change_no_key(self, experiment: Experiment) -> None:
        one, other = settings(cuda_graph=True), settings(cuda_graph=False)
        assert SearchConfig(experiment, one).key == SearchConfig(experiment, other).key
        with_graph, without = (choice.trial_config(experiment, 9, 0.1, 1) for choice in (one, other))
        assert with_graph.key == without.key
        assert (with_graph.cuda_graph, without.cuda_graph) == (True, False)
        assert settings().trial_config(experiment, 9, 0.1, 1).cuda_graph
