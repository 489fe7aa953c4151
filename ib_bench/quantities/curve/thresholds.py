r"""N50 at other thresholds, from the validation curves of finished trials.

A trial is trained towards one threshold :math:`\epsilon` and stops at its first success. At another threshold it
*succeeded* if any of its validations gets there. It *failed* if none does and it was trained to its end: until the
budget was spent, or until it diverged or was futile. If none does and it stopped because it succeeded at
:math:`\epsilon`, its outcome is *unknown*: more training might have changed it.

- At larger :math:`\epsilon` nothing is unknown. The trials are those that a measurement with that threshold would have
  trained with the same seeds and sizes.
- At smaller :math:`\epsilon` only trials that succeeded can be unknown. To leave them out would be wrong: among the
  others all failures are left and only some of the successes, so the chance of success would look too small. What is
  missing depends on the outcome, beyond what is known, so the trials are not missing at random. Nor is the share of
  unknown trials that would succeed known. So N50 is fitted twice, as if all of them succeeded and as if all failed,
  and the interval reaches from the lower end of the first fit to the upper end of the second. It needs no assumption
  about the unknown trials, and holds N50 at least as often as an interval without any. There is no median.

The sizes were chosen by the outcomes at :math:`\epsilon`. That leaves the fit sound, as the outcome of each trial given
its size does not depend on earlier ones; but they may lie far from N50 at the other threshold, and then the interval is
wide.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ib_bench.quantities.curve.record import BEST_OF, CurveRecord, CurveSettings, Sizes, ThresholdEstimate
from ib_bench.quantities.curve.success_curve import Interval, Outcomes, Posterior, SuccessCurve
from ib_bench.results.archive import Records
from ib_bench.results.record_store import RecordStore
from ib_bench.results.trial_record import Measure, TrialRecord


def with_trials(record: CurveRecord, trials: Sequence[TrialRecord], settings: CurveSettings) -> CurveRecord:
    """A curve with all that its trials say besides: N50 at other thresholds, and how many successes are confirmed.

    Args:
        record: of the curve.
        trials: of the curve, without those of a pilot; all of them.
        settings: which thresholds.
    """
    if not trials:
        return record
    curve = SuccessCurve(record.max_size, record.config.prior)
    confirmed = [trial.confirmed for trial in trials if trial.confirmed is not None]
    return replace(
        record,
        thresholds=[threshold_estimate(trials, curve, measure, threshold) for measure, threshold in _wanted(settings)],
        num_checked=len(confirmed),
        num_confirmed=sum(confirmed),
    )


def curve_trials(record: CurveRecord, store: RecordStore) -> list[TrialRecord]:
    """The trials of a curve, without those of a pilot, as far as the store has them."""
    found = (store.get(TrialRecord, trial.trial) for trial in record.curve_trials)
    return [trial for trial in found if trial is not None]


def completed(record: CurveRecord, records: Records) -> CurveRecord:
    """A curve of an earlier version with what its trials say besides, as far as all of them are there.

    Args:
        record: finished.
        records: that may hold its trials.
    """
    if record.thresholds or not record.curve_trials:
        return record
    keys = {trial.trial for trial in record.curve_trials}
    trials = [trial for trial in records.trials_of(record) if trial.key in keys]
    return with_trials(record, trials, record.config.settings) if len(trials) == len(keys) else record


def has_thresholds(record: CurveRecord, settings: CurveSettings) -> bool:
    """Whether a curve has N50 at the thresholds that settings ask for."""
    return [(one.measure, one.threshold) for one in record.thresholds] == _wanted(settings)


def _wanted(settings: CurveSettings) -> list[tuple[Measure, float]]:
    losses: list[tuple[Measure, float]] = [("loss", threshold) for threshold in settings.thresholds]
    return losses + [("accuracy", threshold) for threshold in settings.accuracies]


def threshold_estimate(
    trials: Iterable[TrialRecord], curve: SuccessCurve, measure: Measure, threshold: float
) -> ThresholdEstimate:
    """N50 at a threshold.

    Args:
        trials: of one learning rate; each with a seed of its own.
        curve: whose sizes and prior they are fitted with.
        measure: as of :meth:`~ib_bench.results.trial_record.TrialRecord.reached`.
        threshold: likewise.
    """
    outcomes = [(trial.config.num_train_sequences, trial.reached(measure, threshold)) for trial in trials]
    if_succeeded, if_failed = (_posterior(curve, outcomes, unknown) for unknown in (1.0, 0.0))
    by_size: dict[int, list[bool | None]] = {}
    for size, outcome in sorted(outcomes, key=lambda pair: pair[0]):
        by_size.setdefault(size, []).append(outcome)
    unknown = Counter(size for size, outcome in outcomes if outcome is None)
    return ThresholdEstimate(
        measure=measure,
        threshold=threshold,
        n50=_between(if_succeeded.n50, if_failed.n50, bool(unknown)),
        best_of_15=_between(if_succeeded.best_of(BEST_OF), if_failed.best_of(BEST_OF), bool(unknown)),
        num_succeeded=sum(outcome is True for _, outcome in outcomes),
        num_failed=sum(outcome is False for _, outcome in outcomes),
        num_unknown=unknown.total(),
        mostly_unknown=[size for size, own in by_size.items() if 2 * unknown[size] >= len(own)],
        bracket=_bracket(by_size),
    )


def _posterior(curve: SuccessCurve, outcomes: Iterable[tuple[int, bool | None]], unknown: float) -> Posterior:
    counted = Outcomes()
    for size, outcome in outcomes:
        counted.add(size, unknown if outcome is None else float(outcome))
    return curve.posterior(counted)


def _bracket(by_size: Mapping[int, Sequence[bool | None]]) -> tuple[int, int | None]:
    """(Largest size, below the other, all of whose trials failed, or 0; smallest with a success, or None]."""
    succeeding = min((size for size, own in by_size.items() if True in own), default=None)
    all_failed = [size for size, own in by_size.items() if set(own) == {False}]
    return max((size for size in all_failed if succeeding is None or size < succeeding), default=0), succeeding


def _between(lower: Interval, upper: Interval, has_unknown: bool) -> Sizes:
    """From the lower end of one interval to the upper end of the other."""
    median = math.inf if has_unknown else lower.median
    return Sizes(*(size if math.isfinite(size) else None for size in (lower.low, median, upper.high)))
