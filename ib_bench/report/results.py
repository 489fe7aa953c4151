"""The results that a report is about, side by side from one or several sources, as flat rows.

A *source* is a store or the reference results. A row holds what people tell experiments apart by (``source``, ``task``,
``L``, ``supervision``, ``lengths``, ``model``, ``setting``), what was measured, and the ``key`` of the record. Rows of
one ``group`` have one source and one setting; its name is empty where all rows have. A group's name is short enough for
a figure, and :attr:`Results.settings` says what it stands for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ib_bench.errors import InvalidOptionError
from ib_bench.report.styles import colours
from ib_bench.results.archive import Records
from ib_bench.results.records import (
    ExtrapolationRecord,
    Json,
    SearchRecord,
    TrialRecord,
    arguments_text,
    model_texts,
    task_text,
)
from ib_bench.studies.claims import headline_accuracies
from ib_bench.studies.sharing import ALONE, JOINT, Sharing, sharings

Row = dict[str, Any]


@dataclass(frozen=True)
class Results:
    """Everything that was measured, as rows.

    Attributes:
        sources: the records, by the name of where they are from.
        searches: a row for each finished search.
        sharings: a row for each kappa.
        extrapolations: a row for each accuracy at a length.
        settings: the setting that each of the short names in groups stands for; empty where there is only one.
    """

    sources: Mapping[str, Records]
    searches: list[Row]
    sharings: list[Row]
    extrapolations: list[Row]
    settings: dict[str, str]

    @property
    def records(self) -> list[SearchRecord | ExtrapolationRecord]:
        """All records that a row can point to by its key."""
        found: list[SearchRecord | ExtrapolationRecord] = []
        for source in self.sources.values():
            found += [*source.finished, *source.extrapolations]
        return found


@dataclass(frozen=True)
class LossCurves:
    """A search whose validation losses are drawn.

    Attributes:
        search: finished.
        trials: of the search, from the smallest training set to the largest.
    """

    search: SearchRecord
    trials: Sequence[TrialRecord]

    @property
    def title(self) -> str:
        """The search in a few words."""
        labels = self.search.labels
        regime = [str(labels[name]) for name in ("supervision", "length_distribution") if labels[name]]
        texts = [labels["model"], task_text(labels), *regime, f"L={labels['max_length']}", f"N* {self.search.verdict}"]
        return " \N{MIDDLE DOT} ".join(texts)

    @property
    def threshold(self) -> float:
        """Epsilon, in nats."""
        return float(self.search.config["settings"]["threshold"])

    def rows(self) -> list[Row]:
        """A row for each validation whose loss was finite."""
        return [
            {
                "trial": trial.key,
                "size": trial.config["num_train_sequences"],
                "learning_rate": trial.config["learning_rate"],
                "seed": trial.config["seed"],
                "status": trial.status,
                "step": step,
                "loss": loss,
            }
            for trial in self.trials
            for step, loss in trial.val_curve
            if loss is not None
        ]


def loss_curves(sources: Mapping[str, Records], key: str | None) -> LossCurves | None:
    """The trials of one search.

    Args:
        sources: the records, by the name of where they are from.
        key: of the search, or its start; None takes the search with the most trials.

    Returns:
        None if there is no finished search at all.

    Raises:
        InvalidOptionError: no search has this key, or several have.
    """
    searches = [(record, records) for records in sources.values() for record in records.finished]
    fitting = [pair for pair in searches if key is None or pair[0].key.startswith(key)]
    if key is not None and len({record.key for record, _ in fitting}) != 1:
        raise InvalidOptionError("search", key, f"the key of one search, or its start (it fits {len(fitting)})")
    if not fitting:
        return None
    search, records = max(fitting, key=lambda pair: pair[0].num_trials)
    return LossCurves(
        search, sorted(records.trials_of(search), key=lambda trial: int(trial.config["num_train_sequences"]))
    )


def collect(sources: Mapping[str, Records]) -> Results:
    """Arrange records.

    Args:
        sources: the records, by the name of where they are from.
    """
    searches = [(name, record) for name, records in sources.items() for record in records.finished]
    extrapolations = [(name, record) for name, records in sources.items() for record in records.extrapolations]
    labels = _labels([*searches, *extrapolations])
    settings = {row["setting_name"]: row["setting"] for row in labels if row["setting_name"]}
    by_key = {(name, record.key): label for (name, record), label in zip(searches, labels, strict=False)}
    return Results(
        sources=sources,
        searches=_in_order(
            {**label, **_search_row(record)} for (_, record), label in zip(searches, labels, strict=False)
        ),
        sharings=_in_order(
            {**by_key[name, sharing.joint.key], **_sharing_row(sharing, accuracies)}
            for name, records in sources.items()
            for accuracies in [headline_accuracies(records.extrapolations)]
            for sharing in sharings(records.searches)
        ),
        extrapolations=_in_order(
            {**label, **row}
            for (_, record), label in zip(extrapolations, labels[len(searches) :], strict=True)
            for row in _extrapolation_rows(record)
        ),
        settings=settings,
    )


def _in_order(rows: Iterable[Row]) -> list[Row]:
    """By task and length; otherwise as they come."""
    return sorted(rows, key=lambda row: (row["task"].partition("(")[0], row["size"] or 0, row["L"] or 0))


def _search_row(record: SearchRecord) -> Row:
    failing, succeeding = record.bracket
    return {
        "key": record.key,
        "N*": record.min_train_size,
        "text": record.verdict,
        "failing": failing,
        "succeeding": succeeding,
        "censored": record.censored,
        "drawn": record.max_size if record.censored else record.min_train_size,
        "trials": record.num_trials,
        "time_s": record.wall_time_s,
    }


def _sharing_row(sharing: Sharing, accuracies: Mapping[str, float]) -> Row:
    factor = sharing.factor
    return {
        "key": sharing.joint.key,
        "kappa": factor.value,
        "kind": factor.kind,
        "text": str(factor),
        "joint": sharing.joint.verdict,
        "sum": sharing.sum_text,
        "parts": {length: (part.verdict, part.key) for length, part in sharing.parts.items()},
        "accuracy_2x": accuracies.get(sharing.joint.key),
    }


def _extrapolation_rows(record: ExtrapolationRecord) -> list[Row]:
    max_length = record.labels["max_length"]
    # 1.5 L is no whole number if L is odd; of several multiples that give one length the most exact counts
    inexact = sorted(record.config["settings"]["multiples"], key=lambda m: -abs(m * max_length - round(m * max_length)))
    nominal = {round(multiple * max_length): multiple for multiple in inexact}
    return [
        {
            "key": record.key,
            "mode": item.mode,
            "headline": item is record.at(item.length),
            "length": item.length,
            "multiple": nominal.get(item.length, item.length / max_length),
            "final": item.normalized_final_state_accuracy,
            "token": item.normalized_token_accuracy,
            "solved": record.trial_succeeded,
        }
        for item in record.accuracies
    ]


def _labels(records: Sequence[tuple[str, SearchRecord | ExtrapolationRecord]]) -> list[Row]:
    models = model_texts([record for _, record in records])
    colour = colours(models)
    settings = _setting_texts(records)
    told_apart = [text for text in dict.fromkeys(settings) if text]
    short = {"": "", **{text: f"setting {number}" for number, text in enumerate(told_apart, start=1)}}
    num_sources = len({source for source, _ in records})
    return [
        {
            "source": source,
            "task": task_text(record.labels),
            "size": _size(record.labels["task_args"]),
            "L": record.labels["max_length"],
            "supervision": record.labels["supervision"],
            "lengths": record.labels["length_distribution"],
            "model": model,
            "setting": setting,
            "group": ", ".join(filter(None, [source * (num_sources > 1), short[setting]])),
            "setting_name": short[setting],
            "colour": colour[model],
        }
        for (source, record), model, setting in zip(records, models, settings, strict=True)
    ]


def _size(task_args: Json) -> int | None:
    """The one number by which tasks of a family differ, such as the modulus."""
    numbers = [value for value in task_args.values() if isinstance(value, int)]
    return numbers[0] if len(numbers) == 1 else None


def _setting_texts(records: Sequence[tuple[str, SearchRecord | ExtrapolationRecord]]) -> list[str]:
    """What else differs between experiments of one source and model: the search's settings, batch size, precision.

    Learning rates may differ between architectures: they are shown for those alone that have several. Extrapolations
    are told apart by the number of sequences at each length too, where they differ in that.
    """
    settings = [_settings(record) for _, record in records]
    evaluated: dict[str, set[int]] = {}
    for source, record in records:
        if _is_extrapolation(record):
            evaluated.setdefault(source, set()).add(record.config["settings"]["num_sequences"])
    first: dict[tuple[str, str], Json] = {}
    differing: dict[str, set[str]] = {}
    several_rates = set()
    for (source, record), setting in zip(records, settings, strict=True):
        other = first.setdefault((source, record.labels["model"]), setting)
        names = {name for name in setting.keys() | other.keys() if setting.get(name) != other.get(name)}
        if "learning_rates" in names:
            several_rates.add((source, record.labels["model"]))
        differing.setdefault(source, set()).update(names - {"learning_rates"})
    texts = []
    for (source, record), setting in zip(records, settings, strict=True):
        names = differing[source] | ({"learning_rates"} if (source, record.labels["model"]) in several_rates else set())
        shown = {name: setting.get(name) for name in sorted(names)}
        if _is_extrapolation(record) and len(evaluated[source]) > 1:
            shown["num_sequences"] = record.config["settings"]["num_sequences"]
        texts.append(arguments_text(shown))
    return texts


def _is_extrapolation(record: SearchRecord | ExtrapolationRecord) -> bool:
    return isinstance(record, ExtrapolationRecord)


def _settings(record: SearchRecord | ExtrapolationRecord) -> Json:
    experiment = record.config["experiment"]
    settings = record.config["search" if isinstance(record, ExtrapolationRecord) else "settings"]
    shown = set(record.labels) | set(record.labels["task_args"])
    data = {name: value for name, value in experiment["data"]["init_args"].items() if name not in shown}
    digests = [f"{name.rpartition('.')[2]}@{digest[:6]}" for name, digest in experiment["source_digests"].items()]
    return {**settings, **data, **experiment["trainer"], **({"source": " ".join(digests)} if digests else {})}


def without_parts(rows: Iterable[Row]) -> list[Row]:
    """Rows of searches, without those at one length that are only there as parts of a kappa.

    That is, fixed lengths below the L of a search over all lengths, unless another distribution has that L too.
    """
    rows = list(rows)
    identity = ("source", "task", "model", "supervision", "setting")
    longest: dict[str, int] = {}
    others = set()
    for row in rows:
        group = json.dumps([row[name] for name in identity])
        if row["lengths"] != ALONE:
            others.add((group, row["L"]))
        if row["lengths"] == JOINT:
            longest[group] = max(row["L"], longest.get(group, 0))

    def is_only_a_part(row: Row) -> bool:
        group = json.dumps([row[name] for name in identity])
        return row["lengths"] == ALONE and row["L"] < longest.get(group, 0) and (group, row["L"]) not in others

    return [row for row in rows if not is_only_a_part(row)]
