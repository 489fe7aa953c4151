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
        return SearchSettings(learning_rates=[{"Transformer": 0.001}.get(self.model, 0.003)], seeds=[10])


def search(point: Point, min_train_size: int | None, max_size: int = 4096) -> SearchRecord:
    """A finished search with an exact verdict; None is censored."""
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
    key = trial(point, 4096).key
    return ExtrapolationRecord(config.key, config, 4096, key, True, accuracies, "2026-01-01", point.modulus)


def curve(point: Point, n50: float, max_size: int = 4096) -> CurveRecord:
    """A finished curve that rests on one trial; an N50 above the largest size is infinite."""
    config = CurveConfig(point.experiment, point.settings, CurveSettings(), PRIOR)
    is_above = n50 > max_size
    sizes = Sizes(None, None, None) if is_above else Sizes(n50 / 1.3, n50, n50 * 1.3)
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
        pool_size=10**6,
        learning_rate=point.settings.learning_rates[0],
        curve_trials=[CurveTrial(max_size, False, 150, trial(point, max_size).key, sizes)],
        estimate=estimate,
        ended="above" if is_above else "narrow",
        wall_time_s=60.0,
        updated_at="2026-01-01",
        num_states=point.modulus,
    )


def paper_like() -> Records:
    """What the paper would have seen on three moduli at two lengths."""
    records: list[Record] = []
    for modulus in (2, 5, 10):
        for model in ("Transformer", "LSTM", "DenseSSM"):
            for supervision in (OUTCOME, COT, ACOT):
                records += _column(model, supervision, modulus)
    return Records.of_all(records)


def _column(model: str, supervision: str, modulus: int) -> list[Record]:
    records: list[Any] = []
    transformer = model == "Transformer"
    alone, kappa = _PAPER[transformer, supervision]
    for length in range(2, 9):
        point = Point(model, supervision, "fixed", length, modulus)
        size = alone if transformer or supervision == COT else alone - 8 * length
        size = None if _is_too_much(model, supervision, modulus, length) else size
        records.append(search(point, size))
        if size is None:
            records.append(saturation(records[-1], modulus**length, succeeded=False))
    for length in (4, 8):
        point = Point(model, supervision, "uniform", length, modulus)
        total = round((length - 1) * alone / kappa(length)) + (16 - length)
        total = None if _is_too_much(model, supervision, modulus, length) else total
        records.append(search(point, total))
        records.append(trial(point, 4096))
        records.append(curve(point, float("inf") if total is None else total))
        records.append(extrapolation(point, 0.0 if transformer or supervision == COT else 1.0))
        curriculum = Point(model, supervision, "short_to_long", length, modulus)
        below = supervision == OUTCOME and not transformer
        records.append(search(curriculum, None if total is None else total - 9 if below else total + 30))
    return records


def _is_too_much(model: str, supervision: str, modulus: int, length: int) -> bool:
    return model == "Transformer" and supervision == OUTCOME and modulus > 5 and length > 5


_PAPER: dict[tuple[bool, str], Any] = {
    (True, OUTCOME): (4000, lambda length: 1.0),
    (True, COT): (100, lambda length: 0.2),
    (True, ACOT): (3000, lambda length: 1.0),
    (False, OUTCOME): (200, lambda length: length - 1.0),
    (False, COT): (2000, lambda length: 1.0),
    (False, ACOT): (100, lambda length: length - 1.0),
}
"""N* at one length, and kappa at L, of (transformer or not, supervision)."""
