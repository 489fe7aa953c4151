"""Results that others have published, compared with the records.

Does a model that generalises there do so here? Numbers of different protocols are not equal, so what is compared is the
side of one bound. A model *generalises* if its final-state accuracy on sequences several times as long as those it was
trained on is at least 0.9, scaled so that chance is 0. Papers average over lengths or name one; here it is the longest
that was measured, of at least 8 training lengths. A model that should generalise and does not even *solve* its training
lengths lacks budget: that says nothing against the paper. It solves them if its training succeeded, or if its accuracy
at the longest of them is at least 0.99.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ib_bench.quantities.extrapolation.record import ExtrapolationRecord, LengthAccuracy
from ib_bench.results.archive import Records
from ib_bench.results.records import ClassSpec

Outcome = Literal["agrees", "differs", "budget missing", "not measured"]

GENERALISES = 0.9
"""Scaled accuracy from which on a model generalises."""

SOLVES = 0.99
"""Scaled accuracy at the longest training length from which on a model solves it."""

MIN_MULTIPLE = 8.0
"""Of the training length, at least so long are the sequences that count."""

Choice = Mapping[str, Any]


@dataclass(frozen=True)
class PublishedResult:
    """One published accuracy beyond the training length.

    Attributes:
        source: where it stands.
        model: name of our class.
        arguments: of the model, those that matter.
        task: name of our DataModule.
        task_arguments: of the task, those that matter.
        supervision: name of the regime.
        accuracy: as published, in [0, 1].
        chance: accuracy of guessing in the same units; 0 where the published number is scaled.
    """

    source: str
    model: str
    arguments: Choice
    task: str
    task_arguments: Choice
    supervision: str
    accuracy: float
    chance: float = 0.0

    @property
    def scaled(self) -> float:
        """The accuracy, scaled so that chance is 0."""
        return (self.accuracy - self.chance) / (1 - self.chance)

    @property
    def generalises(self) -> bool:
        """Whether the published model does."""
        return self.scaled >= GENERALISES

    @property
    def model_text(self) -> str:
        """The model for people."""
        return _text(self.model, self.arguments)

    @property
    def task_text(self) -> str:
        """The task for people."""
        return _text(self.task, self.task_arguments)

    def is_of(self, record: ExtrapolationRecord) -> bool:
        """Whether a record is of this model, task and supervision."""
        experiment = record.config.experiment
        labels = experiment.labels
        if not (experiment.model.is_shipped and experiment.data.is_shipped):
            return False  # another class of this name
        if labels.task_arguments != experiment.data.task_arguments:
            return False  # steps are held out, or other things asked for
        if labels.supervision != self.supervision or labels.model != self.model or labels.task != self.task:
            return False
        return _fits(experiment.model, self.arguments) and _fits(experiment.data, self.task_arguments)


@dataclass(frozen=True)
class Replication:
    """A published result next to the measured one.

    Attributes:
        published: the result.
        record: with the highest accuracy at the longest length; None where there is none.
        accuracy: at that length.
    """

    published: PublishedResult
    record: ExtrapolationRecord | None = None
    accuracy: LengthAccuracy | None = None

    @property
    def outcome(self) -> Outcome:
        """By the rule above."""
        if self.record is None or self.accuracy is None:
            return "not measured"
        generalises = self.accuracy.normalized_final_state_accuracy >= GENERALISES
        if generalises == self.published.generalises:
            return "agrees"
        return "differs" if generalises or self.solves else "budget missing"

    @property
    def solves(self) -> bool:
        """Whether the measured model solves its training lengths."""
        if self.record is None or self.record.trial_succeeded:
            return self.record is not None
        longest = self.record.at(self.record.max_length)
        return longest is not None and longest.normalized_final_state_accuracy >= SOLVES


def replications(records: Records) -> Iterator[Replication]:
    """Every published result, compared with records.

    Args:
        records: of one store. Of several records of one result, the one with the highest accuracy counts, as papers
            report the best of their settings.
    """
    found = records.of(ExtrapolationRecord)
    for published in PUBLISHED:
        measured = [
            Replication(published, record, accuracy)
            for record in found
            if published.is_of(record) and (accuracy := _farthest(record)) is not None
        ]
        yield max(measured, key=_order, default=Replication(published))


def _order(one: Replication) -> tuple[float, str]:
    assert one.record is not None and one.accuracy is not None
    return one.accuracy.normalized_final_state_accuracy, one.record.key


def _farthest(record: ExtrapolationRecord) -> LengthAccuracy | None:
    """The accuracy at the longest length, if that is long enough."""
    longest = max((accuracy.length for accuracy in record.accuracies), default=0)
    return record.at(longest) if longest >= MIN_MULTIPLE * record.max_length else None


def _fits(spec: ClassSpec, arguments: Choice) -> bool:
    """Whether a class has these arguments, given or by default."""
    defaults = inspect.signature(spec.cls).parameters
    return all(
        spec.init_args.get(name, defaults[name].default if name in defaults else None) == value
        for name, value in arguments.items()
    )


def _text(name: str, arguments: Choice) -> str:
    listed = ", ".join(f"{argument}={value}" for argument, value in arguments.items())
    return f"{name} ({listed})" if listed else name


@dataclass(frozen=True)
class _Table:
    """Several results of one source on tasks of its own."""

    source: str
    tasks: Mapping[str, tuple[str, Choice, float]]
    supervision: str
    rows: list[tuple[str, Choice, Mapping[str, float]]] = field(default_factory=list)

    def results(self) -> Iterator[PublishedResult]:
        for model, arguments, accuracies in self.rows:
            for task, accuracy in accuracies.items():
                name, task_arguments, chance = self.tasks[task]
                yield PublishedResult(
                    self.source, model, arguments, name, task_arguments, self.supervision, accuracy, chance
                )


_POSITIVE, _NEGATIVE = {"negative_eigenvalues": False}, {"negative_eigenvalues": True}
_PLAIN_DELTA = {"num_householders": 1, "gate": False, "write_term": True}

_GRAZZI = _Table(
    "arXiv 2411.12537, table 2 (scaled)",
    {"parity": ("ModularAddition", {"modulus": 2}, 0.0)},
    "outcome",
    [
        ("Transformer", {}, {"parity": 0.02}),
        ("SLSTM", {}, {"parity": 1.0}),
        ("Mamba2", {**_POSITIVE, "rotation": False}, {"parity": 0.0}),
        ("Mamba2", {**_NEGATIVE, "rotation": False}, {"parity": 1.0}),
        ("DeltaNet", {**_POSITIVE, **_PLAIN_DELTA}, {"parity": 0.02}),
        ("DeltaNet", {**_NEGATIVE, **_PLAIN_DELTA}, {"parity": 1.0}),
    ],
)

_PD_SSM = _Table(
    "arXiv 2509.22284, table 2",
    {
        "parity": ("ModularAddition", {"modulus": 2}, 0.5),
        "cycle": ("CycleNavigation", {"num_positions": 5}, 0.2),
    },
    "outcome",
    [
        ("LSTM", {}, {"parity": 1.0, "cycle": 1.0}),
        ("PDSSM", {}, {"parity": 0.999, "cycle": 0.995}),
        ("Transformer", {}, {"parity": 0.52, "cycle": 0.24}),
        ("RWKV7", {}, {"parity": 0.51, "cycle": 0.38}),
        ("DeltaNet", {**_POSITIVE, **_PLAIN_DELTA}, {"parity": 0.58, "cycle": 0.49}),
        ("DeltaNet", {**_NEGATIVE, **_PLAIN_DELTA}, {"parity": 0.97, "cycle": 0.47}),
    ],
)


def _householder(num: int, accuracies: Mapping[str, tuple[float, float]]) -> list[tuple[str, Choice, dict[str, float]]]:
    """With and without the write term."""
    return [
        (
            "DeltaNet",
            {"exact_reflections": True, "num_householders": num, "write_term": writes},
            {group: pair[0 if writes else 1] for group, pair in accuracies.items()},
        )
        for writes in (True, False)
    ]


_HOUSEHOLDER = _Table(
    "arXiv 2609.18966 (position 512)",
    {
        "S4": ("FiniteGroup", {"group": "S4", "generators": "standard", "point": 0}, 0.25),
        "A5": ("FiniteGroup", {"group": "A5", "generators": "standard", "point": 0}, 0.2),
        "S5": ("FiniteGroup", {"group": "S5", "generators": "standard", "point": 0}, 0.2),
    },
    "aligned_chain_of_thought",
    [
        *_householder(3, {"S4": (0.26, 1.0)}),
        *_householder(4, {"A5": (0.22, 1.0), "S5": (0.20, 1.0)}),
    ],
)

PUBLISHED = tuple(result for table in (_GRAZZI, _PD_SSM, _HOUSEHOLDER) for result in table.results())
"""All of them."""
