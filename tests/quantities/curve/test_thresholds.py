"""N50 at other thresholds: what a trial says of them, and how sure the intervals are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import pytest
import torch

from ib_bench.errors import InvalidOptionError
from ib_bench.quantities.curve import QUANTITY
from ib_bench.quantities.curve.job import CurveJob
from ib_bench.quantities.curve.record import CurveRecord, CurveSettings, Sizes, ThresholdEstimate
from ib_bench.quantities.curve.sequential_design import SequentialDesign
from ib_bench.quantities.curve.success_curve import Observation, Outcomes, SuccessCurve
from ib_bench.quantities.curve.thresholds import threshold_estimate
from ib_bench.quantities.progress import ProgressReporter
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.codec import decode, encode
from ib_bench.results.records import Experiment
from ib_bench.results.store import Store
from ib_bench.results.trial_record import Confirmation, TrialConfig, TrialRecord

EPSILON = 0.01


def trial(
    experiment: Experiment,
    losses: Sequence[float | None],
    accuracies: Sequence[float | None] = (),
    size: int = 64,
    seed: int = 10,
    confirmation: Confirmation | None = None,
) -> TrialRecord:
    """A trial whose status its losses lead to; it was trained towards 0.01."""
    config = TrialConfig(experiment, size, 0.1, seed, EPSILON, 100, None, 1)
    status = {True: "succeeded", False: "failed"}[losses[-1] is not None and losses[-1] < EPSILON]
    status = "diverged" if losses[-1] is None else status
    curve = [(step, loss) for step, loss in enumerate(losses, start=1)]
    finite = [loss for loss in losses if loss is not None]
    best, step = min(finite, default=None), losses.index(min(finite)) + 1 if finite else None
    metrics = {"final_state_accuracy": 0.97}
    record = (config.key, config, status, len(losses), best, step, 1, curve, metrics)
    return TrialRecord(*record, "1", 1.0, 1.0, {}, {}, "now", confirmation, list(accuracies))


@pytest.mark.parametrize(
    ("losses", "at_a_tenth", "at_a_hundredth", "at_a_thousandth"),
    [
        ([1.0, 0.5], False, False, False),
        ([1.0, 0.05, 0.5], True, False, False),
        ([1.0, 0.005], True, True, None),
        ([1.0, 0.0005], True, True, True),
        ([1.0, 0.05, None], True, False, False),
        ([1.0, None], False, False, False),
    ],
)
def test_what_a_trial_says_of_other_losses(
    experiment: Experiment,
    losses: list[float | None],
    at_a_tenth: bool,
    at_a_hundredth: bool,
    at_a_thousandth: bool | None,
) -> None:
    record = trial(experiment, losses)
    found = [record.reached("loss", threshold) for threshold in (0.1, 0.01, 0.001)]
    assert found == [at_a_tenth, at_a_hundredth, at_a_thousandth]


@pytest.mark.parametrize(
    ("losses", "accuracies", "expected"),
    [
        ([1.0, 0.5], [0.3, 0.95], True),
        ([1.0, 0.5], [0.95, 0.3], True),
        ([1.0, 0.5], [0.3, 0.94], False),
        ([1.0, 0.005], [0.3, 0.94], None),
        ([1.0, 0.5], [None, 0.94], None),
        ([1.0, None], [0.3, 0.3], False),
        ([1.0, 0.5], [], True),
    ],
)
def test_what_a_trial_says_of_accuracies(
    experiment: Experiment, losses: list[float | None], accuracies: list[float | None], expected: bool | None
) -> None:
    assert trial(experiment, losses, accuracies).reached("accuracy", 0.95) is expected


def test_of_an_older_record_only_the_last_accuracy_is_known(experiment: Experiment) -> None:
    record = trial(experiment, [1.0, 0.5])
    assert (record.reached("accuracy", 0.97), record.reached("accuracy", 0.98)) == (True, None)


def trials(experiment: Experiment, dip: float) -> list[TrialRecord]:
    """Failures at 32 and 45, successes from 64 on that stop at a loss of ``dip``."""
    return [
        trial(experiment, [1.0, dip if size >= 64 else 0.05], size=size, seed=seed)
        for seed, size in enumerate([32, 32, 45, 45, 45, 64, 64, 64, 91, 91, 512])
    ]


def test_at_its_own_threshold_it_is_the_curve_itself(experiment: Experiment) -> None:
    curve, own = SuccessCurve(1024), trials(experiment, 0.005)
    observations = [Observation(one.config.num_train_sequences, one.succeeded, 1) for one in own]
    posterior = curve.posterior(Outcomes.of(observations))
    estimate = threshold_estimate(own, curve, "loss", EPSILON)
    assert estimate.n50 == Sizes(*posterior.n50) and estimate.best_of_15 == Sizes(*posterior.best_of(15))
    assert (estimate.num_succeeded, estimate.num_failed, estimate.num_unknown) == (6, 5, 0)
    assert estimate.bracket == (45, 64) and estimate.mostly_unknown == []


def test_at_a_larger_loss_nothing_is_unknown(experiment: Experiment) -> None:
    estimate = threshold_estimate(trials(experiment, 0.005), SuccessCurve(1024), "loss", 0.1)
    assert (estimate.num_succeeded, estimate.num_failed, estimate.num_unknown) == (11, 0, 0)
    assert estimate.bracket == (0, 32)


def test_unknown_trials_widen_the_interval_to_both_extremes(experiment: Experiment) -> None:
    curve, own = SuccessCurve(1024), trials(experiment, 0.005)
    at_own = threshold_estimate(own, curve, "loss", EPSILON)
    estimate = threshold_estimate(own, curve, "loss", 0.001)
    assert estimate.n50 == Sizes(at_own.n50.low, None, None), "all of them may succeed, or none"
    assert (estimate.num_succeeded, estimate.num_failed, estimate.num_unknown) == (0, 5, 6)
    assert estimate.mostly_unknown == [64, 91, 512] and estimate.bracket == (45, None)
    one_deeper = [replace(own[0], config=own[0].config), *own[1:-1], trial(experiment, [1.0, 1e-5], size=512, seed=99)]
    estimate = threshold_estimate(one_deeper, curve, "loss", 0.001)
    assert (estimate.num_succeeded, estimate.num_unknown, estimate.bracket) == (1, 5, (45, 512))


class Twins:
    """Runs of which it is known whether they would succeed at two thresholds, the second an octave harder."""

    def __init__(self, seed: int, max_size: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.location = 2 + (math.log2(max_size) - 5) * self.uniform()

    def uniform(self) -> float:
        return float(torch.rand((), generator=self.generator, dtype=torch.float64))

    def train(self, experiment: Experiment, size: int, seed: int) -> TrialRecord:
        """A run that stops below 0.01; three of ten successes at 0.001 are seen there at once."""
        octaves = self.location + 0.4 * math.log(1 / self.uniform() - 1)
        if math.log2(size) < octaves:
            return trial(experiment, [0.5], size=size, seed=seed)
        is_deep = math.log2(size) >= octaves + 1 and self.uniform() < 0.3
        return trial(experiment, [0.0005 if is_deep else 0.005], size=size, seed=seed)


def test_intervals_hold_n50_at_a_smaller_loss_and_leaving_unknown_trials_out_would_be_biased(
    experiment: Experiment,
) -> None:
    design = SequentialDesign(SuccessCurve(1024), 1000, batch=4)
    covered, errors = 0, []
    for number in range(30):
        twins, own = Twins(number, 1024), list[TrialRecord]()
        observations: list[Observation] = []
        while design.ended(observations) is None:
            for size in design.next_sizes(observations):
                own.append(twins.train(experiment, size, len(own)))
                observations.append(Observation(size, own[-1].succeeded, 200 if own[-1].succeeded else 1000))
        covered += holds(threshold_estimate(own, design.curve, "loss", 0.001), 2 ** (twins.location + 1))
        known = [one for one in own if one.reached("loss", 0.001) is not None]
        median = threshold_estimate(known, design.curve, "loss", 0.001).n50.median
        errors.append(math.log2(median or 2048) - twins.location - 1)
    assert covered >= 27
    assert fmean(errors) > 0.4, "octaves"


def holds(estimate: ThresholdEstimate, n50: float) -> bool:
    low, high = (math.inf if end is None else end for end in (estimate.n50.low, estimate.n50.high))
    return low <= n50 <= high


class Fake:
    """Trains trials that need 40 sequences and stop at 0.005; those with even seeds are not confirmed."""

    def __init__(self, experiment: Experiment) -> None:
        self.experiment = experiment
        self.num_trained = 0

    def __call__(self, config: TrialConfig, *_: object) -> object:
        self.num_trained += 1
        succeeds = config.num_train_sequences >= 40
        confirmation = Confirmation(0.005 if config.seed % 2 else 0.02, 500) if succeeds else None
        made = trial(self.experiment, [1.0, 0.005 if succeeds else 0.05], [0.2, 0.9], confirmation=confirmation)
        record = replace(made, key=config.key, config=config)
        return type("Trained", (), {"record": record})


def job(experiment: Experiment, train: Fake, **settings: object) -> CurveJob:
    search = SearchSettings(learning_rates=[0.1], threshold=EPSILON, max_steps=100, max_size=256)
    curve = CurveSettings(**settings)  # type: ignore[arg-type]
    return CurveJob.of(Request(experiment, {"search": search, "curve": curve}, 10**6, 3, train=train))


def test_a_curve_brings_its_thresholds_and_confirmations(experiment: Experiment, store: Store) -> None:
    train = Fake(experiment)
    record = job(experiment, train).run(ProgressReporter(lambda event: None), store)
    names = [(one.measure, one.threshold) for one in record.thresholds]
    assert names == [("loss", 10.0**-exponent) for exponent in range(1, 6)] + [
        ("accuracy", share) for share in (0.9, 0.99, 0.999)
    ]
    successes = [trial for trial in record.curve_trials if trial.succeeded]
    assert record.num_checked == len(successes) > record.num_confirmed > 0
    assert record.confirmed_text == f"{record.num_confirmed} of {len(successes)}"
    assert decode(CurveRecord, encode(record).encode()) == record


def test_other_thresholds_train_nothing_and_change_no_key(experiment: Experiment, store: Store) -> None:
    train = Fake(experiment)
    record = job(experiment, train).run(ProgressReporter(lambda event: None), store)
    num_trained = train.num_trained
    other = job(experiment, train, thresholds=[0.3], accuracies=[])
    assert other.key == record.key
    again = other.stored(store)
    assert again is not None and train.num_trained == num_trained
    assert [(one.measure, one.threshold) for one in again.thresholds] == [("loss", 0.3)]
    assert replace(again, thresholds=record.thresholds) == record
    assert store.get(CurveRecord, record.key) == record


def test_a_curve_of_an_earlier_version_is_completed_from_its_trials(experiment: Experiment, store: Store) -> None:
    record = job(experiment, Fake(experiment)).run(ProgressReporter(lambda event: None), store)
    trials = list(store.all(TrialRecord))
    old = replace(record, thresholds=[], num_checked=0, num_confirmed=0)
    assert QUANTITY.results(Records.of_all([old, *trials])) == [record]
    assert QUANTITY.results(Records.of_all([old, *trials[1:]])) == [old], "not all trials are there"
    assert QUANTITY.results(Records.of_all([replace(old, status="running"), *trials])) == []


@pytest.mark.parametrize(("option", "value"), [("thresholds", [0.0]), ("accuracies", [1.1]), ("accuracies", [0.0])])
def test_thresholds_out_of_range(option: str, value: list[float]) -> None:
    with pytest.raises(InvalidOptionError, match=f"curve.{option} must be a list of"):
        CurveSettings(**{option: value})  # type: ignore[arg-type]
