"""Frozen records of trials and searches, and the configs that determine them.

A config is plain data (what JSON can hold). Its *key* is a hash of all of it: two configs with the same key are the
same experiment, and whatever may change a result is part of some config. Where an experiment runs (which device, how
many of them, under which versions) is not: it is written into the record instead.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

PROTOCOL_VERSION = 2
"""Raised by whoever changes what a trial computes; results of another protocol are never reused."""

MIN_LENGTH = 2
"""Number of symbols in the shortest sequences of any data set (arXiv 2602.18333, section 3: lengths n in 2..L)."""

Json = dict[str, Any]

_DATA_ARGUMENTS = {"supervision", "length_distribution", "max_length", "batch_size", "separator"}


class _Keyed:
    """Content-addressed: the key is a hash of everything in the dataclass."""

    def to_json(self) -> Json:
        """The config as plain data."""
        return asdict(self)  # type: ignore[call-overload]

    @property
    def key(self) -> str:
        """SHA-256 of the canonical JSON, 32 hexadecimal digits of it."""
        return self.key_under(PROTOCOL_VERSION)

    def key_under(self, protocol: int) -> str:
        """The key that results of another protocol have.

        Args:
            protocol: its version, from 1 on.
        """
        data = {"kind": type(self).__name__, "protocol": protocol, **self._keyed()}
        canonical = json.dumps(data, default=vars, sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(canonical.encode()).hexdigest()[:32]

    def _keyed(self) -> Json:
        """What the key is a hash of: the same data as :meth:`to_json`, not copied."""
        return vars(self)


@dataclass(frozen=True)
class Experiment:
    """What a trial and a search have in common.

    Attributes:
        model: ``class_path`` and ``init_args`` of the architecture, without learning rate and vocabulary.
        data: ``class_path`` and ``init_args`` of the DataModule, without size and seed.
        trainer: arguments of Lightning's Trainer that change results, such as ``precision``.
        source_digests: for classes from outside this package, a hash of the module that defines each.
    """

    model: Json
    data: Json
    trainer: Json = field(default_factory=dict)
    source_digests: dict[str, str] = field(default_factory=dict)

    def labels(self) -> Json:
        """The short names by which people tell experiments apart."""
        data = self.data["init_args"]
        return {
            "model": class_name(self.model),
            "task": class_name(self.data),
            "task_args": {name: value for name, value in data.items() if name not in _DATA_ARGUMENTS},
            "supervision": data.get("supervision"),
            "length_distribution": data.get("length_distribution"),
            "max_length": data.get("max_length"),
        }


@dataclass(frozen=True)
class TrialConfig(_Keyed):
    """One training of one configuration at one size.

    Attributes:
        experiment: model, data and trainer.
        num_train_sequences: size of the training set, N.
        learning_rate: of the optimizer.
        seed: of initialisation, dropout, data and order.
        threshold: validation loss below which the trial succeeds, epsilon, in nats.
        max_steps: step budget.
        val_check_interval: optimizer steps between validations, or None for the rule of the training code.
        num_threads: CPU threads of each training; they change the order of sums, and so the last bits.
        options: how the training departs from the plain protocol, such as ``{"compile": True}``; a plain one has none.
    """

    experiment: Experiment
    num_train_sequences: int
    learning_rate: float
    seed: int
    threshold: float
    max_steps: int
    val_check_interval: int | None
    num_threads: int
    options: Json = field(default_factory=dict)

    def to_json(self) -> Json:
        """The config as plain data; no options are no entry, so that plain trials keep their keys."""
        return {name: value for name, value in super().to_json().items() if name != "options" or value}

    def _keyed(self) -> Json:
        return {name: value for name, value in super()._keyed().items() if name != "options" or value}


@dataclass(frozen=True)
class TrialRecord:
    """What came of a trial.

    Attributes:
        key: of the config.
        config: the config, as JSON.
        status: ``succeeded`` (below the threshold), ``failed`` (budget spent), ``diverged`` (loss not finite) or
            ``futile`` (ended by the futility rule).
        num_steps: optimizer steps taken.
        best_val_loss: lowest validation loss, in nats, or None if it never was finite.
        best_step: optimizer steps after which that was seen.
        val_check_interval: optimizer steps between validations.
        val_curve: pairs of optimizer steps and validation loss; None where the loss was not finite.
        metrics: all validation metrics at the end of training, by name; None where not finite.
        metric_definition: version of the metrics' definitions.
        wall_time_s: time from the start of set-up to the end.
        process_time_s: CPU time of this process, all threads, over the same span.
        versions: of Python and the packages that compute.
        environment: device and platform, and the number of processes that trained together if there were several.
        finished_at: UTC, ISO 8601.
    """

    key: str
    config: Json
    status: str
    num_steps: int
    best_val_loss: float | None
    best_step: int | None
    val_check_interval: int
    val_curve: list[tuple[int, float | None]]
    metrics: dict[str, float | None]
    metric_definition: str
    wall_time_s: float
    process_time_s: float
    versions: dict[str, str]
    environment: dict[str, str]
    finished_at: str

    @property
    def succeeded(self) -> bool:
        """Whether the validation loss went below the threshold."""
        return self.status == "succeeded"

    def is_better_than(self, other: TrialRecord | None) -> bool:
        """Whether it replaces the best trial before it in the grid: the first success, else the lowest loss, is best.

        Args:
            other: the best so far, or None.
        """
        if other is None:
            return True
        losses = [math.inf if trial.best_val_loss is None else trial.best_val_loss for trial in (self, other)]
        return not other.succeeded and (self.succeeded or losses[0] < losses[1])


@dataclass(frozen=True)
class SearchConfig(_Keyed):
    """One search for the minimal training set size.

    Attributes:
        experiment: model, data and trainer.
        settings: all of the search's settings (:class:`ib_bench.studies.search.SearchSettings`), as JSON.
    """

    experiment: Experiment
    settings: Json


@dataclass(frozen=True)
class Evaluation:
    """A size that was tried.

    Attributes:
        size: number of training sequences.
        succeeded: whether a trial succeeded there.
        best_val_loss: lowest validation loss of its trials, in nats; None if never finite.
        bracket: (largest failing size or 0, smallest succeeding size or None) after this evaluation.
        trials: keys of its trials, in the order in which they were asked for.
    """

    size: int
    succeeded: bool
    best_val_loss: float | None
    bracket: tuple[int, int | None]
    trials: list[str]


@dataclass(frozen=True)
class SearchRecord:
    """What came of a search.

    Attributes:
        key: of the config.
        config: the config, as JSON.
        labels: model, task and its arguments, supervision, length distribution and maximal length.
        status: ``running`` (or interrupted), ``failed`` (an error ended it; the next run tries again) or ``finished``.
        max_size: the largest size, N_max: the setting or the training pool, whichever is smaller; 0 where so few
            sequences exist that none can be held out, so that nothing can be tried.
        evaluations: the sizes tried so far, in order.
        wall_time_s: time spent on the trials of this search, wherever they ran.
        updated_at: UTC, ISO 8601.
        error: what ended it, if its status is ``failed``.
    """

    key: str
    config: Json
    labels: Json
    status: str
    max_size: int
    evaluations: list[Evaluation]
    wall_time_s: float
    updated_at: str
    error: str | None = None

    @property
    def bracket(self) -> tuple[int, int | None]:
        """(largest failing size or 0, smallest succeeding size or None); N* lies in this half-open interval."""
        return self.evaluations[-1].bracket if self.evaluations else (0, None)

    @property
    def censored(self) -> bool:
        """Whether even the largest size failed: then N* is only known to be larger."""
        return self.status == "finished" and self.bracket[1] is None

    @property
    def min_train_size(self) -> int | None:
        """N*, the smallest size found to succeed; None while unknown and where censored."""
        return self.bracket[1] if self.status == "finished" else None

    @property
    def num_trials(self) -> int:
        """Number of trials that the verdict rests on."""
        return sum(len(evaluation.trials) for evaluation in self.evaluations)

    @property
    def trials(self) -> list[str]:
        """Keys of those trials, in the order in which they were asked for."""
        return [key for evaluation in self.evaluations for key in evaluation.trials]

    @property
    def verdict(self) -> str:
        """N* for people: a number, ``> N_max``, ``none held out``, ``unfinished`` or ``failed``."""
        if self.status == "finished" and not self.max_size:
            return "none held out"
        if self.status != "finished":
            return "failed" if self.status == "failed" else "unfinished"
        return f"> {self.max_size:,}" if self.censored else f"{self.min_train_size:,}"

    def summary(self) -> Json:
        """The fields that lists of searches show, flat."""
        return {
            "key": self.key,
            **self.labels,
            "status": self.status,
            "min_train_size": self.min_train_size,
            "bracket": list(self.bracket),
            "censored": self.censored,
            "max_size": self.max_size,
            "num_evaluations": len(self.evaluations),
            "num_trials": self.num_trials,
            "wall_time_s": self.wall_time_s,
            "updated_at": self.updated_at,
            "error": self.error,
        }


@dataclass(frozen=True)
class ExtrapolationConfig(_Keyed):
    """One measurement of length extrapolation.

    Attributes:
        experiment: model, data and trainer.
        search: settings of the grid, its budget and the largest training set, as JSON.
        settings: :class:`ib_bench.studies.extrapolation.ExtrapolationSettings`, as JSON.
    """

    experiment: Experiment
    search: Json
    settings: Json


@dataclass(frozen=True)
class LengthAccuracy:
    """Accuracy at one length.

    Attributes:
        mode: ``teacher_forced``, or ``generated`` where the model reads the states that it has written itself.
        length: number of symbols.
        num_sequences: number of sequences.
        final_state_accuracy: share of sequences whose last state is right.
        token_accuracy: share of states that are right.
        normalized_final_state_accuracy: (accuracy - chance) / (1 - chance), chance = 1 / num_states.
        normalized_token_accuracy: likewise.
        position_accuracy: share of sequences whose k-th supervised state is right, for every k.
    """

    mode: str
    length: int
    num_sequences: int
    final_state_accuracy: float
    token_accuracy: float
    normalized_final_state_accuracy: float
    normalized_token_accuracy: float
    position_accuracy: list[float]


@dataclass(frozen=True)
class ExtrapolationRecord:
    """How far a trained model extrapolates.

    Attributes:
        key: of the config.
        config: the config, as JSON.
        labels: as of a search.
        num_train_sequences: size of the training set, the largest there is; 0 where so few sequences exist that none
            can be held out, so that nothing can be trained.
        trial: key of the trial whose model was evaluated; None where there is none.
        trial_succeeded: whether its validation loss went below the threshold.
        accuracies: at each length, ascending.
        finished_at: UTC, ISO 8601.
    """

    key: str
    config: Json
    labels: Json
    num_train_sequences: int
    trial: str | None
    trial_succeeded: bool
    accuracies: list[LengthAccuracy]
    finished_at: str

    def at(self, length: float) -> LengthAccuracy | None:
        """The accuracy at a length, generated where the model reads its own states; None where not measured.

        Args:
            length: in symbols.
        """
        found = [accuracy for accuracy in self.accuracies if accuracy.length == length]
        return max(found, key=lambda accuracy: accuracy.mode == "generated", default=None)


def model_texts(records: Sequence[SearchRecord | ExtrapolationRecord]) -> list[str]:
    """The models of searches, told apart by those init arguments in which models of one name differ.

    Args:
        records: the searches that are shown together.

    Returns:
        A text for each, such as ``LSTM``, or ``LSTM(hidden_size=64)`` beside one of another width, or
        ``my_package.LSTM`` beside another class of that name.
    """
    paths: dict[str, set[str]] = {}
    for record in records:
        paths.setdefault(record.labels["model"], set()).add(_model_path(record))
    labels = [str(record.labels["model"]) for record in records]
    names = [
        _model_path(record) if len(paths[name]) > 1 else name for record, name in zip(records, labels, strict=True)
    ]
    first: dict[str, Json] = {}
    differing: dict[str, set[str]] = {}
    for record, name in zip(records, names, strict=True):
        own = _model_arguments(record)
        other = first.setdefault(name, own)
        keys = differing.setdefault(name, set())
        keys |= {key for key in own.keys() | other.keys() if own.get(key) != other.get(key)}
    return [_model_text(name, record, differing[name]) for record, name in zip(records, names, strict=True)]


def _model_text(name: str, record: SearchRecord | ExtrapolationRecord, shown: set[str]) -> str:
    arguments = {key: value for key, value in _model_arguments(record).items() if key in shown}
    return f"{name}({arguments_text(arguments)})" if arguments else name


def _model_arguments(record: SearchRecord | ExtrapolationRecord) -> Json:
    return dict(record.config["experiment"]["model"].get("init_args", {}))


def _model_path(record: SearchRecord | ExtrapolationRecord) -> str:
    return str(record.config["experiment"]["model"]["class_path"])


def task_text(labels: Json) -> str:
    """A task with its arguments, such as ``ModularAddition(modulus=5)``."""
    return f"{labels['task']}({arguments_text(labels['task_args'])})"


def arguments_text(arguments: Json) -> str:
    """Arguments in one line, such as ``modulus=5``."""
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def class_name(spec: Json) -> str:
    """The class's own name in ``{"class_path": "package.module.Name"}``."""
    return str(spec["class_path"]).rpartition(".")[2]


def trial_record(data: Json) -> TrialRecord:
    """The inverse of ``dataclasses.asdict`` for a trial, after a trip through JSON."""
    return TrialRecord(**{**data, "val_curve": [(step, loss) for step, loss in data["val_curve"]]})


def extrapolation_record(data: Json) -> ExtrapolationRecord:
    """The inverse of ``dataclasses.asdict`` for an extrapolation, after a trip through JSON."""
    return ExtrapolationRecord(**{**data, "accuracies": [LengthAccuracy(**item) for item in data["accuracies"]]})


def search_record(data: Json) -> SearchRecord:
    """The inverse of ``dataclasses.asdict`` for a search, after a trip through JSON."""
    evaluations = [Evaluation(**{**item, "bracket": tuple(item["bracket"])}) for item in data["evaluations"]]
    return SearchRecord(**{**data, "evaluations": evaluations})
