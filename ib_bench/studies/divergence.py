"""Sizes at which all trials diverged: there the learning rates decide the verdict, not the data.

A trial whose lowest loss is far above that of guessing counts as diverged too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ib_bench.results.records import experiment_text
from ib_bench.results.trial_record import TrialRecord

_MAX_NOTES = 10
_MAX_RESULTS = 300  # whose trials are read
_FAR_FROM_GUESSING = 100.0  # nats; guessing among a million answers costs 14


def divergence_notes(results: Sequence[Any], trials: Callable[[Sequence[str]], Iterable[TrialRecord]]) -> list[str]:
    """Notes below results: for each one the sizes at which the loss of all trials became infinite or NaN.

    Args:
        results: shown together; those that name no trials are passed over.
        trials: returns the trials with these keys, as far as there are any.
    """
    read = results[:_MAX_RESULTS]
    keys = [key for result in read for key in getattr(result, "trials", ())]
    found = {trial.key: trial for trial in trials(list(dict.fromkeys(keys)))}
    notes = []
    for result in read:
        note = _note([found[key] for key in getattr(result, "trials", ()) if key in found])
        if note:
            notes.append(note if len(results) == 1 else f"{experiment_text(result.labels)}: {note}")
    more = [f"and {len(notes) - _MAX_NOTES} more results with such sizes"] if len(notes) > _MAX_NOTES else []
    return [*notes[:_MAX_NOTES], *more]


def _note(trials: Sequence[TrialRecord]) -> str:
    by_size: dict[int, list[str]] = {}
    for trial in trials:
        is_far = trial.best_val_loss is None or trial.best_val_loss > _FAR_FROM_GUESSING
        by_size.setdefault(trial.config.num_train_sequences, []).append("diverged" if is_far else trial.status)
    diverged = {size: len(all_of) for size, all_of in sorted(by_size.items()) if set(all_of) == {"diverged"}}
    texts = [f"{_trials(number)} at {size:,}" for size, number in diverged.items()]
    return f"{', '.join(texts)} diverged: try smaller learning rates" if texts else ""


def _trials(number: int) -> str:
    return "the trial" if number == 1 else f"all {number} trials"
