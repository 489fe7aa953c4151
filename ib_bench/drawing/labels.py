"""The labels of results in tables and figures.

A label names what differs among the results that are shown together: a model's text names those init arguments in
which models of one name differ, and a setting names those options in which searches of one source differ.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from ib_bench.drawing.styles import DISTRIBUTIONS, REGIMES, place
from ib_bench.plain_text import one_line
from ib_bench.results.identity import options
from ib_bench.results.records import Config, Labels, arguments_text, task_text

_PER_MODEL = {"learning_rates"}
"""Settings that architectures may differ in without counting as different: each has the grid that suits it."""


class Labelled(Protocol):
    """Something measured of an experiment: a record, or something made from records."""

    @property
    def key(self) -> str:
        """The key of the record that figures and tables link to."""

    @property
    def labels(self) -> Labels:
        """The labels of the experiment."""

    @property
    def config(self) -> Config:
        """The config that was measured."""


class Result(Labelled, Protocol):
    """A measurement of one experiment: a record, or something derived from records."""

    @property
    def num_states(self) -> int | None:
        """The number of states of the task's machine; None where the record lacks it."""


AnyResult = TypeVar("AnyResult", bound=Result)
AnyResult_co = TypeVar("AnyResult_co", bound=Result, covariant=True)


@dataclass(frozen=True)
class Label:
    """The label by which a reader distinguishes a result from others.

    Attributes:
        source: name of the store or archive that it is from.
        task: with its arguments, such as ``ModularAddition(modulus=5)``.
        num_states: of the task's machine; None where the record does not say.
        max_length: number of symbols in the longest training sequences, L.
        supervision: regime.
        lengths: distribution of the training sequences' lengths.
        model: its class, with those arguments or that path in which models of one name differ.
        setting: options in which it differs from others of its source; empty where it does not.
        group: short name of source and setting, for figures; empty where all results have the same.
    """

    source: str
    task: str
    num_states: int | None
    max_length: int | None
    supervision: str | None
    lengths: str | None
    model: str
    setting: str
    group: str

    @property
    def family(self) -> str:
        """The task without its arguments."""
        return self.task.partition("(")[0]

    @property
    def order(self) -> tuple[Any, ...]:
        """The sort key of results, without the model."""
        return (
            self.source,
            self.family,
            self.num_states or 0,
            _natural(self.task),
            self.max_length or 0,
            place(self.supervision, list(REGIMES)),
            place(self.lengths, list(DISTRIBUTIONS)),
            self.setting,
        )


def _one_line(text: str | None) -> str | None:
    return None if text is None else one_line(text)


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts texts by the numbers in them: ``modulus=5`` comes before ``modulus=10``."""
    return [(int(number or 0), rest) for number, rest in re.findall(r"(\d{0,18})(\D*)", text)]


@dataclass(frozen=True)
class Shown(Generic[AnyResult_co]):
    """A result and its label."""

    result: AnyResult_co
    label: Label


def model_texts(results: Sequence[Labelled]) -> list[str]:
    """The models of results, distinguished by those init arguments in which models of one name differ.

    Args:
        results: that are shown together.

    Returns:
        A text for each, such as ``LSTM``, or ``LSTM(hidden_size=64)`` beside one of another width, or
        ``my_package.LSTM@1a2b3c`` beside the same class with other code.
    """
    names = _model_names(results)
    specs = [result.config.experiment.model for result in results]
    arguments = [spec.init_args for spec in specs]
    differing = _differing(zip(names, arguments, strict=True), may_lack=False)
    texts = []
    for name, own, result in zip(names, arguments, results, strict=True):
        classes = _own_classes(result)
        shown = {key: value for key, value in own.items() if (name, key) in differing or key in classes}
        texts.append(one_line(f"{name}({arguments_text(shown)})" if shown else name))
    return texts


def _model_names(results: Sequence[Labelled]) -> list[str]:
    """The models' labels; with the start of a digest where results of one label were made by different code."""
    labels = [result.labels.model for result in results]
    digests = [_model_digest(result) for result in results]
    built = [(label, json.dumps(_own_classes(result))) for label, result in zip(labels, results, strict=True)]
    versions: dict[tuple[str, str], set[str]] = {}
    for one, digest in zip(built, digests, strict=True):
        versions.setdefault(one, set()).add(digest)
    return [
        f"{label}@{digest}" if len(versions[one]) > 1 else label
        for label, digest, one in zip(labels, digests, built, strict=True)
    ]


def _own_classes(result: Labelled) -> dict[str, str]:
    """The arguments of a result's model that are a user's own classes or functions, such as a mixer: always shown."""
    experiment = result.config.experiment
    given = experiment.model.init_args.items()
    return {name: value for name, value in given if isinstance(value, str) and value in experiment.source_digests}


def _model_digest(result: Labelled) -> str:
    """The start of the digests of the code that only the model is made of; empty for a shipped one."""
    digests = result.config.experiment.source_digests
    return "+".join(digest[:6] for path, digest in digests.items() if _is_of_model(path, result))


def _is_of_model(path: str, result: Labelled) -> bool:
    """Whether the model of a result is, or has as an argument, the class at a path, or a file."""
    model = result.config.experiment.model
    named = path.removeprefix("file ")
    return path.rpartition(".")[2] == model.class_name or named in json.dumps(model.init_args)


def labelled(
    results: Sequence[tuple[str, AnyResult]], num_states: Callable[[AnyResult], int | None] = lambda one: one.num_states
) -> tuple[list[Shown[AnyResult]], dict[str, str]]:
    """Results with their labels, in order.

    Args:
        results: all that are shown together, each with the name of its source.
        num_states: returns the number of the task's states; by default what the result says.

    Returns:
        The results, sorted, and the setting that each short name in a group stands for.
    """
    models = model_texts([result for _, result in results])
    settings = _setting_texts(results)
    named = {text: f"setting {number}" for number, text in enumerate(filter(None, dict.fromkeys(settings)), start=1)}
    several_sources = len({source for source, _ in results}) > 1
    shown = []
    for (source, result), model, setting in zip(results, models, settings, strict=True):
        labels = result.labels
        label = Label(
            source=one_line(source),
            task=one_line(task_text(labels)),
            num_states=num_states(result),
            max_length=labels.max_length,
            supervision=_one_line(labels.supervision),
            lengths=_one_line(labels.length_distribution),
            model=model,
            setting=setting,
            group=", ".join(filter(None, [one_line(source) if several_sources else "", named.get(setting, "")])),
        )
        shown.append(Shown(result, label))
    return sorted(shown, key=lambda one: one.label.order), {name: text for text, name in named.items()}


def setting_texts(results: Sequence[Labelled]) -> list[str]:
    """Those options of each result in which results of one source differ; empty where it has none."""
    return _setting_texts([("", result) for result in results])


def _setting_texts(results: Sequence[tuple[str, Labelled]]) -> list[str]:
    """Those options of each result in which results of its source differ.

    An architecture has its own learning rates. They count only among results of one architecture that are otherwise
    alike, so that a model with other rates in another suite is still compared with the models of that suite.
    """
    chosen = [_Options.of(result) for _, result in results]
    sources = [source for source, _ in results]
    differing = _differing(zip(sources, (own.choices for own in chosen), strict=True), may_lack=False)
    differing |= _differing(zip(sources, (own.settings for own in chosen), strict=True), may_lack=True)
    shared = [
        {name: value for name, value in {**own.settings, **own.choices}.items() if (source, name) in differing}
        for source, own in zip(sources, chosen, strict=True)
    ]
    alike = [
        (source, result.labels.model, json.dumps(own, sort_keys=True, default=str))
        for (source, result), own in zip(results, shared, strict=True)
    ]
    differing_alike = _differing(zip(alike, (own.of_model for own in chosen), strict=True), may_lack=True)
    texts = []
    for scope, own, common in zip(alike, chosen, shared, strict=True):
        of_model = {name: value for name, value in own.of_model.items() if (scope, name) in differing_alike}
        texts.append(one_line(arguments_text(dict(sorted({**common, **of_model}.items())))))
    return texts


class _Options(NamedTuple):
    """Everything about a result that was chosen and is no label.

    Attributes:
        choices: how data are presented, arguments of the Trainer; each may be missing.
        settings: of what was measured, and digests of the data's own code; results of another kind have others.
        of_model: those settings that each architecture has of its own.
    """

    choices: dict[str, Any]
    settings: dict[str, Any]
    of_model: dict[str, Any]

    @classmethod
    def of(cls, result: Labelled) -> _Options:
        experiment = result.config.experiment
        presented = vars(experiment.data.presentation)
        named = {*vars(result.labels), *result.labels.task_arguments}
        choices = {name: value for name, value in presented.items() if name not in named}
        choices |= experiment.trainer
        digests = experiment.source_digests.items()
        settings: dict[str, Any] = {
            f"code of {path}": digest[:6] for path, digest in digests if not _is_of_model(path, result)
        }
        for name, section in options(result.config).items():
            if name != "experiment":
                settings |= options(section) if is_dataclass(section) else {name: section}
        of_model = {name: settings.pop(name) for name in _PER_MODEL & settings.keys()}
        return cls(choices, settings, of_model)


def _differing(values: Iterable[tuple[Hashable, Mapping[str, Any]]], may_lack: bool) -> set[tuple[Hashable, str]]:
    """The names, with the scope, of which values of one scope differ.

    Args:
        values: by name, each with its scope.
        may_lack: whether a name that some of a scope lack differs only if the others do.
    """
    first: dict[tuple[Hashable, str], Any] = {}
    num_with: Counter[tuple[Hashable, str]] = Counter()
    num_in: Counter[Hashable] = Counter()
    differing = set()
    for scope, own in values:
        num_in[scope] += 1
        for name, value in own.items():
            num_with[scope, name] += 1
            if first.setdefault((scope, name), value) != value:
                differing.add((scope, name))
    if may_lack:
        return differing
    return differing | {key for key, number in num_with.items() if number < num_in[key[0]]}
