"""Costs and savings of the futility rule, computed on curves that were recorded without it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ib_bench.drawing.labels import Result
from ib_bench.quantities.search.record import Evaluation, SearchRecord, SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.reference import reference_records
from ib_bench.results.trial_record import TrialRecord
from ib_bench.training.judgement import is_hopeless


@dataclass(frozen=True)
class FutilityCost:
    """The effect that the rule would have had.

    Attributes:
        share: of its budget after which a trial may be ended.
        num_trials: trials that were recorded with their whole curves.
        num_successes: how many of these succeeded.
        num_lost: successes that the rule would have ended before.
        share_saved: of all optimizer steps, how many it would have saved.
        num_searches: finished searches.
        num_changed: searches in which a size would have failed that succeeded.
    """

    share: float
    num_trials: int
    num_successes: int
    num_lost: int
    share_saved: float
    num_searches: int
    num_changed: int

    def __str__(self) -> str:
        rate = 100 * self.num_lost / max(self.num_successes, 1)
        return (
            f"futility {self.share:g}: in the reference results this rule ends {self.num_lost} of {self.num_successes} "
            f"training runs that succeed ({rate:.1f} %), changes {self.num_changed} of {self.num_searches} verdicts, "
            f"and saves {100 * self.share_saved:.0f} % of the steps"
        )


def back_test(records: Records, share: float) -> FutilityCost:
    """Hold the rule against recorded curves.

    Args:
        records: of trials without the rule, and their searches.
        share: of its budget after which a trial may be ended, in (0, 1).
    """
    trials = {trial.key: trial for trial in records.trials if trial.status != "futile" and trial.val_curve}
    ended = {key: _ended_after(trial, share) for key, trial in trials.items()}
    saved = {key: trials[key].num_steps - num_steps for key, num_steps in ended.items() if num_steps is not None}
    lost = {key for key in saved if trials[key].succeeded}
    successes = {key for key, trial in trials.items() if trial.succeeded}

    searches = records.finished(SearchRecord)

    def is_lost(evaluation: Evaluation) -> bool:
        succeeded = successes.intersection(evaluation.trials)
        return bool(succeeded) and succeeded <= lost

    return FutilityCost(
        share=share,
        num_trials=len(trials),
        num_successes=len(successes),
        num_lost=len(lost),
        share_saved=sum(saved.values()) / max(sum(trial.num_steps for trial in trials.values()), 1),
        num_searches=len(searches),
        num_changed=sum(any(map(is_lost, search.evaluations)) for search in searches),
    )


def futility_notes(results: Iterable[Result]) -> list[str]:
    """Notes below results: how often the rule is wrong, for each share that was used.

    Args:
        results: shown together.
    """
    settings = (part for result in results for part in vars(result.config).values() if isinstance(part, SearchSettings))
    shares = {one.futility for one in settings if one.futility is not None}
    return [str(_reference_cost(share)) for share in sorted(shares)]


@cache
def _reference_cost(share: float) -> FutilityCost:
    return back_test(reference_records(), share)


def _ended_after(trial: TrialRecord, share: float) -> int | None:
    """Optimizer steps after which the rule would have ended a trial; None if it would not have."""
    curve = [(step, loss) for step, loss in trial.val_curve if loss is not None]
    for index, (step, _) in enumerate(curve):
        is_due = share * trial.config.max_steps <= step < trial.num_steps
        if is_due and is_hopeless(curve[: index + 1]):
            return step
    return None
