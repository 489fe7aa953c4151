"""The base class of records: a config that identifies each, and the classes that the config names.

A *config* says what is measured. Its key is a hash of it (:mod:`ib_bench.results.identity`). A *record* is what was
measured, stored under the key of its config. Where an experiment runs (device, host, package versions) is written into
the record, not into the config.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, ClassVar, get_args, get_origin, get_type_hints

from msgspec import Meta

from ib_bench import catalogue
from ib_bench.results.identity import PROTOCOL_VERSION, Json, canonical, key_of
from ib_bench.user_code import import_class

PAPER_VERSION = "paper v1"
"""Whose definitions and claims these are, in short."""

PAPER_PROTOCOL = f"{PAPER_VERSION} (arXiv 2602.18333, February 2026)"
"""The same in full: what a table of results says of its protocol."""

MIN_LENGTH = 2
"""Number of symbols in the shortest sequences of any data set (arXiv 2602.18333, section 3: lengths n in 2..L)."""

Key = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
MAX_COUNT = 2**63 - 1

Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
"""A number of steps, sequences or trials."""

Size = Annotated[int, Meta(ge=1, le=MAX_COUNT)]
"""Size of a training set."""

NumExisting = Annotated[int, Meta(ge=0)]
"""A number of sequences that exist, which may not fit into 64 bits."""

Seconds = Annotated[float, Meta(ge=0)]


@dataclass(frozen=True)
class ClassSpec:
    """A class and the arguments to build it with. Hashable; resolves its class once.

    Attributes:
        class_path: dotted path of the class.
        init_args: plain data, by parameter name.
    """

    class_path: str
    init_args: dict[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.class_path, json.dumps(self.init_args, sort_keys=True)))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.class_path, self.init_args)  # without the class, which may not pickle

    @property
    def class_name(self) -> str:
        """The last part of the path, such as ``LSTM``."""
        return self.class_path.rpartition(".")[2]

    @property
    def is_shipped(self) -> bool:
        """Whether the class is one of this package."""
        return self.class_path.startswith("ib_bench.")

    @property
    def label(self) -> str:
        """Its name for people: ``LSTM``, or the whole path of a class from elsewhere, such as ``my_models.LSTM``."""
        return self.class_name if self.is_shipped else self.class_path

    @cached_property
    def cls(self) -> type:
        """The class.

        Raises:
            ImportError: there is no such module.
            AttributeError: the module has no such class.
        """
        found: type = import_class(self.class_path)
        return found

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The parameters of the class's constructor, by name, with those that ``**kwargs`` leads to."""
        from ib_bench.constructors import constructor_parameters  # noqa: PLC0415 (listings do without)

        return constructor_parameters(self.cls)

    def with_arguments(self, **changes: Any) -> ClassSpec:
        """The same class with some arguments changed."""
        return type(self)(self.class_path, {**self.init_args, **changes})


@dataclass(frozen=True)
class Presentation:
    """The way in which runs of any task are presented to a model.

    Attributes:
        supervision: name of the regime, or its dotted path.
        length_distribution: name of the distribution, or its dotted path.
        max_length: number of symbols in the longest sequences, L.
        batch_size: sequences per optimizer step.
        separator: whether a ``=`` token follows the input; None does what the regime does.
        min_length: number of symbols in the shortest sequences; None is :data:`MIN_LENGTH`.
        held_out_transitions: pairs of a state and a symbol that are kept out of training.
        held_out_pairs: ordered pairs of consecutive symbols that are kept out of training.
        revealed: probability with which a regime that reveals states sparsely reveals one.
    """

    supervision: str | None = None
    length_distribution: str | None = None
    max_length: int | None = None
    batch_size: int | None = None
    separator: bool | None = None
    min_length: int | None = None
    held_out_transitions: list[list[int]] | None = None
    held_out_pairs: list[list[int]] | None = None
    revealed: float | None = None


_OF_PRESENTATION = {name: get_args(hint)[0] for name, hint in get_type_hints(Presentation).items()}
_PRESENTATION = {name: get_origin(kind) or kind for name, kind in _OF_PRESENTATION.items()}
"""The types of those arguments, besides None."""


_ASKS_OTHERWISE = ("held_out_transitions", "held_out_pairs", "revealed")
"""Arguments that make another task of a task: they are shown wherever it is named."""


@dataclass(frozen=True)
class DataSpec(ClassSpec):
    """A DataModule: a task, and how it is presented. A user's own data may lack either."""

    __hash__ = ClassSpec.__hash__

    @property
    def task_arguments(self) -> Json:
        """Arguments of the task alone."""
        return {name: value for name, value in self.init_args.items() if name not in _PRESENTATION}

    @property
    def presentation(self) -> Presentation:
        """Arguments that every task's data take; an argument of another type is one of a user's own data."""
        given = self.init_args
        return Presentation(
            **{name: given[name] for name, kind in _PRESENTATION.items() if type(given.get(name)) is kind}
        )


@dataclass(frozen=True)
class Labels:
    """The short names by which people tell experiments apart.

    Attributes:
        model: name of the class; for one from outside this package its dotted path.
        task: name of the class.
        task_arguments: of the task, such as ``{"modulus": 5}``, and options that change what is asked for.
        supervision: name of the regime; None for data without one.
        length_distribution: name of the distribution; None for data without one.
        max_length: number of symbols in the longest sequences, L; None for data without lengths.
    """

    model: str
    task: str
    task_arguments: dict[str, Any]
    supervision: str | None
    length_distribution: str | None
    max_length: int | None


@dataclass(frozen=True)
class Experiment:
    """A model and the data that it is trained on.

    Attributes:
        model: the architecture, without learning rate and vocabulary.
        data: the DataModule, without size and seed.
        trainer: arguments of Lightning's Trainer that change results, such as ``precision``.
        source_digests: for classes from outside this package, a hash of the code that each is made of.
        looks_ahead: whether a check has shown that the model's logits depend on later tokens.
    """

    model: ClassSpec
    data: DataSpec
    trainer: dict[str, Any] = field(default_factory=dict)
    source_digests: dict[str, str] = field(default_factory=dict)
    looks_ahead: bool = False

    @property
    def code(self) -> str:
        """A text that changes with the code of classes from outside this package, which a session may edit."""
        return json.dumps(self.source_digests, sort_keys=True)

    def __hash__(self) -> int:
        rest = json.dumps([self.trainer, self.source_digests], sort_keys=True)
        return hash((self.model, self.data, rest, self.looks_ahead))

    @cached_property
    def labels(self) -> Labels:
        """The short names by which people tell experiments apart."""
        presentation = self.data.presentation
        options = {name: getattr(presentation, name) for name in _ASKS_OTHERWISE}
        asked_otherwise = {name: value for name, value in options.items() if value is not None}
        return Labels(
            model=f"{self.model.label} (looks ahead)" if self.looks_ahead else self.model.label,
            task=self.data.class_name,
            task_arguments=self.data.task_arguments | asked_otherwise,
            supervision=presentation.supervision,
            length_distribution=presentation.length_distribution,
            max_length=presentation.max_length,
        )

    @property
    def title(self) -> str:
        """All of its labels, in one line."""
        return experiment_text(self.labels, self.data.presentation.min_length)

    def with_data(self, **changes: Any) -> Experiment:
        """The same experiment with some init arguments of the data changed."""
        data = DataSpec(self.data.class_path, {**self.data.init_args, **changes})
        return replace(self, data=data)


class Config:
    """Says what is measured: a dataclass whose fields are all that determines the result."""

    experiment: Experiment

    def to_json(self) -> Json:
        """The canonical form, plain data."""
        plain: Json = canonical(self)
        return plain

    @property
    def key(self) -> str:
        """The key under which the result is stored: 32 hexadecimal digits."""
        return self.key_under(PROTOCOL_VERSION)

    def key_under(self, protocol: int) -> str:
        """The key of the same config under another version of the protocol.

        Args:
            protocol: its version, at least 1.
        """
        return key_of(type(self).__name__, self.to_json(), protocol)


class Record:
    """A measurement: a frozen dataclass, kept in a table of the store under the key of its config.

    A subclass is found and read by its class attributes; see :mod:`ib_bench.results.codec` for how it is checked.

    Attributes:
        table: name of the store's table, a plural noun that people read too.
        shape: version of the record's fields. Raise it when a field changes its meaning or has no default, and define
            :meth:`upgraded`; a new field with a default needs neither.
        incidental: fields that the config does not determine, such as times, or that earlier versions did not measure;
            merges do not compare them.
        headline: fields or properties that say in short what was measured; merges print those that differ.
        key: of the config.
        config: what was measured.
    """

    table: ClassVar[str]
    shape: ClassVar[int] = 1
    incidental: ClassVar[frozenset[str]] = frozenset()
    headline: ClassVar[tuple[str, ...]] = ()

    key: str
    config: Config

    @classmethod
    def upgraded(cls, data: Json, shape: int) -> Json:
        """The fields of an older shape as fields of this one.

        Args:
            data: the record as plain data.
            shape: its version, below :attr:`shape`.
        """
        return data

    @property
    def labels(self) -> Labels:
        """The short names by which people tell experiments apart."""
        return self.config.experiment.labels

    @property
    def title(self) -> str:
        """The measured experiment, in one line."""
        return self.config.experiment.title

    @property
    def finished(self) -> bool:
        """Whether it is final: a finished record is never overwritten."""
        return True

    @property
    def trials(self) -> Sequence[str]:
        """Keys of the trials that it rests on."""
        return ()

    def __str__(self) -> str:
        """The table of the quantity that stores such records, as its command prints it."""
        return str(self._repr_mimebundle_().get("text/plain", repr(self)))

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Json:
        """What a notebook shows: the drawing of the quantity that stores such records; nothing special without one."""
        quantities = [quantity for quantity in catalogue.quantities() if quantity.record is type(self)]
        shown: Json = quantities[0].drawing(self)._repr_mimebundle_() if quantities else {}
        return shown

    def supersedes(self, other: Record) -> bool:
        """Whether it is a later state of an unfinished record with the same key.

        Args:
            other: with the same key.
        """
        return self.finished and not other.finished


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Arguments in one line, such as ``modulus=5``."""
    return ", ".join(f"{name}={value}" for name, value in arguments.items())


def task_text(labels: Labels) -> str:
    """A task with its arguments, such as ``ModularAddition(modulus=5)``."""
    return f"{labels.task}({arguments_text(labels.task_arguments)})"


def listing_order(labels: Labels) -> tuple[str, str, int, str, str, str, int]:
    """Sorts experiments by model, then by task, regime and length, so that what is alike stands together."""
    task = task_text(labels)
    regime = str(labels.supervision), str(labels.length_distribution)
    return labels.model, labels.task, len(task), task, *regime, labels.max_length or 0


def experiment_text(labels: Labels, min_length: int | None = None) -> str:
    """An experiment in one line, such as ``LSTM · ModularAddition(modulus=5) · outcome · uniform · L=6``.

    Args:
        labels: of the experiment.
        min_length: number of symbols in its shortest sequences; shown, as in ``L=4..6``, if not :data:`MIN_LENGTH`.
    """
    regime = [part for part in (labels.supervision, labels.length_distribution) if part]
    shortest = f"{min_length}.." if (min_length or MIN_LENGTH) > MIN_LENGTH else ""
    length = [] if labels.max_length is None else [f"L={shortest}{labels.max_length}"]
    return " \N{MIDDLE DOT} ".join([labels.model, task_text(labels), *regime, *length])
