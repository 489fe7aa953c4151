"""Records as a store would hold them, made up: what the tests of claims and of reports rest on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ib_bench.quantities.curve.prior import PRIOR
from ib_bench.quantities.curve.record import (
    Bounds,
    CurveConfig,
    CurveEstimate,
    CurvePoint,
    CurveRecord,
    CurveSettings,
    CurveTrial,
    Sizes,
)
from ib_bench.quantities.extrapolation.record import (
    ExtrapolationConfig,
    ExtrapolationRecord,
    ExtrapolationSettings,
    LengthAccuracy,
    Mode,
)
from ib_bench.quantities.search.record import Evaluation, SearchConfig, SearchRecord, SearchSettings
from ib_bench.quantities.search.saturation import SaturationConfig, SaturationRecord
from ib_bench.results.archive import Records
from ib_bench.results.records import ClassSpec, DataSpec, Experiment, Record
from ib_bench.results.trial_record import TrialRecord

OUTCOME, COT, ACOT = "outcome", "chain_of_thought", "aligned_chain_of_thought"


@dataclass(frozen=True)
class Point:
    """Where a result lies in the grid."""

    model: str
    supervision: str
    length_distribution: str = "uniform"
    max_length: int = 4
    modulus: int = 5
    max_size: int = 4096
    seeds: tuple[int, ...] = (10,)

    @property
    def experiment(self) -> Experiment:
        init_args: dict[str, Any] = {
            "modulus": self.modulus,
            "supervision": self.supervision,
            "length_distribution": self.length_distribution,
            "max_length": self.max_length,
            "batch_size": 64,
            "separator": None,
        }
        return Experiment(
            model=ClassSpec(f"ib_bench.models.{self.model}", {"hidden_size": 8}),
            data=DataSpec("ib_bench.data.ModularAddition", init_args),
        )

    @property
    def settings(self) -> SearchSettings:
        rates = [{"Transformer": 0.001}.get(self.model, 0.003)]
        return SearchSettings(learning_rates=rates, seeds=list(self.seeds), max_size=self.max_size)


def search(point: Point, min_train_size: int | None, max_size: int | None = None) -> SearchRecord:
    """A finished search with an exact verdict; None is censored. A ``max_size`` of its own is all that exists."""
    max_size = point.max_size if max_size is None else max_size
    config = SearchConfig(point.experiment, point.settings)
    bracket = (max_size, None) if min_train_size is None else (min_train_size - 1, min_train_size)
    trials = [trial(point, max_size).key]
    evaluations = [Evaluation(max_size, min_train_size is not None, 0.1, bracket, trials)] if max_size else []
    num_states = point.modulus
    return SearchRecord(
        config.key, config, "finished", max_size, evaluations, 60.0, "2026-01-01", num_states=num_states
    )


def saturation(record: SearchRecord, size: int, succeeded: bool) -> SaturationRecord:
    """The saturated evaluation of a search that has exhausted its pool."""
    config = SaturationConfig(record.config.experiment, record.config.settings)
    rate = record.config.settings.learning_rates[0]
    trial_config = record.config.settings.trial_config(record.config.experiment, size, rate, 10).on_all_sequences(size)
    loss = 1e-5 if succeeded else 0.1
    return SaturationRecord(config.key, config, size, succeeded, loss, [trial_config.key], 2.0, "2026-01-01", 5)


def trial(point: Point, size: int) -> TrialRecord:
    config = point.settings.trial_config(point.experiment, size, point.settings.learning_rates[0], 10)
    curve: list[tuple[int, float | None]] = [(50, 1.0), (100, 0.1), (150, None)]
    return TrialRecord(config.key, config, "failed", 150, 0.1, 100, 50, curve, {}, "1", 1.0, 1.0, {}, {}, "2026-01-01")


def extrapolation(point: Point, accuracy_at_2x: float) -> ExtrapolationRecord:
    """Perfect at the training length, as given from twice that on."""
    config = ExtrapolationConfig(point.experiment, point.settings, ExtrapolationSettings())
    values = {1: 1.0, 2: accuracy_at_2x, 16: accuracy_at_2x}
    modes: tuple[Mode, ...] = ("teacher_forced", "generated") if point.supervision == COT else ("teacher_forced",)
    accuracies = [
        LengthAccuracy(mode, multiple * point.max_length, 100, value, value, value, value, [value])
        for multiple, value in values.items()
        for mode in modes
    ]
    key = trial(point, point.max_size).key
    return ExtrapolationRecord(config.key, config, point.max_size, key, True, accuracies, "2026-01-01", point.modulus)


def curve(point: Point, n50: float, max_size: int | None = None, num_trials: int = 12) -> CurveRecord:
    """A finished curve; an N50 above the largest size is infinite.

    The trials fail a quarter below N50 and succeed a quarter above it, and at the largest size. With 12 each, the 90 %
    interval is about a factor of 1.5 wide.
    """
    max_size = point.max_size if max_size is None else max_size
    settings = CurveSettings(first_seed=point.seeds[0])
    config = CurveConfig(point.experiment, point.settings, settings, PRIOR)
    is_above = n50 > max_size
    sizes = Sizes(None, None, None) if is_above else Sizes(n50 / 1.3, n50, n50 * 1.3)
    outcomes = [(max_size, not is_above)]
    if not is_above:
        outcomes += [(max(1, round(n50 / 1.25)), n50 < 1), (min(max_size, round(n50 * 1.25)), True)]
    key = trial(point, max_size).key
    trials = [CurveTrial(size, succeeded, 150, key, sizes) for size, succeeded in outcomes * num_trials]
    chances = [(1, 0.0), (int(min(n50, max_size)), 0.4), (max_size, 0.4 if is_above else 0.8)]
    estimate = CurveEstimate(
        n50=sizes,
        n90=Sizes(None, None, None),
        best_of_15=Sizes(1.0, 2.0, 4.0),
        spread=Bounds(0.2, 0.4, 0.9),
        ceiling=Bounds(0.3, 0.4, 0.5) if is_above else Bounds(0.8, 0.93, 0.98),
        probability_above=0.97 if is_above else 0.01,
        points=[CurvePoint(size, Bounds(chance, chance + 0.1, chance + 0.2)) for size, chance in chances],
    )
    return CurveRecord(
        key=config.key,
        config=config,
        status="finished",
        max_size=max_size,
        pool_size=max_size if max_size < point.max_size else 10**6,
        learning_rate=point.settings.learning_rates[0],
        curve_trials=trials,
        estimate=estimate,
        ended="above" if is_above else "narrow",
        wall_time_s=60.0,
        updated_at="2026-01-01",
        num_states=point.modulus,
    )


def paper_like() -> Records:
    """What the paper would have seen on five moduli at two lengths, by searches and by curves."""
    records: list[Record] = []
    for modulus in (2, 3, 4, 5, 10):
        for model in ("Transformer", "LSTM", "DenseSSM"):
            for supervision in (OUTCOME, COT, ACOT):
                records += _column(model, supervision, modulus)
    return Records.of_all(records)


def _column(model: str, supervision: str, modulus: int) -> list[Record]:
    records: list[Any] = []
    transformer = model == "Transformer"
    alone, kappa, curriculum = _PAPER[transformer, supervision]

    def measured(length_distribution: str, length: int, size: float) -> Point:
        point = Point(model, supervision, length_distribution, length, modulus, max_size=2**16)
        if transformer and supervision == OUTCOME and modulus > 5 and length > 5:
            size = float("inf")
        records.append(search(point, None if size > point.max_size else round(size)))
        if size > point.max_size and length_distribution == "fixed":
            records.append(saturation(records[-1], modulus**length, succeeded=False))
        records.append(curve(point, size))
        return point

    for length in range(2, 9):
        measured("fixed", length, alone(length))
    for length in (4, 8):
        total = sum(map(alone, range(2, length + 1))) / kappa(length)
        point = measured("uniform", length, total)
        records.append(trial(point, point.max_size))
        records.append(extrapolation(point, 0.0 if transformer or supervision == COT else 1.0))
        measured("short_to_long", length, total * curriculum)
    return records


_PAPER: dict[tuple[bool, str], Any] = {
    (True, OUTCOME): (lambda length: 4000, lambda length: 1.0, 1.0),
    (True, COT): (lambda length: 60 * length, lambda length: 0.35, 1.0),
    (True, ACOT): (lambda length: 6000, lambda length: 1.0, 1.0),
    (False, OUTCOME): (lambda length: 250, lambda length: length - 1.0, 0.6),
    (False, COT): (lambda length: 2000, lambda length: 1.0, 1.0),
    (False, ACOT): (lambda length: 64 / 1.6 ** (length - 2), lambda length: length - 1.0, 1.7),
}
"""Of (transformer or not, supervision): N at one length, kappa at L, and N under short-to-long over N under uniform."""
