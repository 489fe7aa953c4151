"""What a cell of a table opens to: its trials with their losses, its success curve, its config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ib_bench.drawing.labels import Result
from ib_bench.drawing.loss_points import fewer_points
from ib_bench.drawing.study import Study
from ib_bench.drawing.styles import distribution_text, regime_text
from ib_bench.quantities.quantity import Quantity
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import Record
from ib_bench.results.trial_record import TrialRecord

MAX_TRIALS = 10_000
"""Trials that a page holds; more would make it too large to open."""

_DIGITS = 3
_CHUNK = 500

Found = Sequence[tuple[str, Quantity[Any], Result]]
"""Every result, with the name of its source and its quantity."""


def cells_json(study: Study, found: Found, configs: Mapping[str, str], max_trials: int = MAX_TRIALS) -> Json:
    """Plain data for the page.

    Args:
        study: the results.
        found: the same results.
        configs: text of the config of every result, by its key.
        max_trials: that the page holds; those of the first results are taken.

    Returns:
        ``cells`` by key, each with its ``labels``, ``config``, ``band``, ``shares`` and the ``trials`` it rests on, as
        indices into ``trials`` (None for one that the page does not hold).
    """
    cells: dict[str, Json] = {}
    stored_first = sorted(study.results, key=lambda one: not isinstance(one.result, Record))  # others may pool several
    for one in stored_first:
        label = one.label
        texts = [label.task, label.max_length, regime_text(label.supervision), distribution_text(label.lengths)]
        cells.setdefault(one.result.key, {"labels": [label.source, *texts, label.model]})
    wanted: dict[str, list[str]] = {}
    for source, quantity, result in found:
        cell = cells[result.key]
        cell["config"] = configs[result.key]
        if band := [[size, *map(_rounded, chances)] for size, *chances in quantity.band(result)]:
            cell["band"] = band
        if shares := quantity.shares(result):
            cell["shares"] = shares
        if isinstance(result, Record) and "trials" not in cell:
            keys = list(dict.fromkeys(result.trials))
            cell["trials"] = keys
            wanted.setdefault(source, []).extend(keys)
    places: dict[str, int] = {}
    trials: list[list[Any]] = []
    for source, keys in wanted.items():
        room = max_trials - len(trials)
        for trial in _trials(study.sources[source], list(dict.fromkeys(keys)), room):
            if trial.key not in places:
                places[trial.key] = len(trials)
                trials.append(_trial(trial))
    for cell in cells.values():
        cell["trials"] = [places.get(key) for key in cell.get("trials", ())]
    return {"cells": cells, "trials": trials}


def _trials(records: Records, keys: Sequence[str], most: int) -> Iterable[TrialRecord]:
    """The first trials of those that are there."""
    for start in range(0, min(len(keys), max(most, 0)), _CHUNK):
        yield from records.trials_with_keys(keys[start : min(start + _CHUNK, most)])


def _trial(trial: TrialRecord) -> list[Any]:
    """Size, learning rate, seed, status, steps, best loss, epsilon, and the validation curve: steps and losses."""
    config = trial.config
    curve = fewer_points(trial.val_curve)
    interval = trial.val_check_interval
    steps = [step for step, _ in curve]
    is_regular = steps == [interval * place for place in range(1, len(steps) + 1)]
    return [
        config.num_train_sequences,
        config.learning_rate,
        config.seed,
        trial.status,
        trial.num_steps,
        _rounded(trial.best_val_loss),
        config.threshold,
        interval if is_regular else steps,
        [_rounded(loss) for _, loss in curve],
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
