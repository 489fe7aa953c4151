"""Cards of the shipped tasks and models: what the docstrings of a class say, and what an instance of it shows."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, Literal

from docstring_parser import parse

from ib_bench import catalogue
from ib_bench.catalogue import Entry
from ib_bench.constructors import constructor_parameters
from ib_bench.results.identity import Json
from ib_bench.runner.docstrings import MATH, Form, plain
from ib_bench.scoring.league import shipped_leagues
from ib_bench.studies.published import PUBLISHED, PublishedResult

FROM_DATA = ("vocab_size", "num_classes", "solution")
"""Arguments that a model takes from its data, so that a card does not list them."""

_REFERENCE = re.compile(r"References?: (.+)", re.DOTALL)


@dataclass(frozen=True)
class Argument:
    """One init argument.

    Attributes:
        name: of the argument.
        default: its default, or the value that was given; None where it is required.
        required: whether it has no default.
        description: from the docstring.
    """

    name: str
    default: Any
    required: bool
    description: str


@dataclass(frozen=True)
class Card:
    """The description of one shipped class.

    Attributes:
        kind: of class.
        name: of the class.
        path: its dotted path.
        summary: first line of its docstring.
        description: the rest of its docstring without arguments; empty where there is none.
        recurrence: the docstring of its module, if that has equations; else None.
        references: papers that the docstrings name.
        arguments: of the constructor, without those that come from the data.
        published: results that others have published, see :mod:`ib_bench.studies.published`.
        scores: of a model, those that ship with the package, with their ranks in the league.
        facts: what an instance shows; see :func:`model_card` and :func:`task_card`.
    """

    kind: Literal["model", "task"]
    name: str
    path: str
    summary: str
    description: str
    recurrence: str | None
    references: Sequence[str]
    arguments: Sequence[Argument]
    published: Sequence[Json]
    scores: Sequence[Json]
    facts: Json

    def to_json(self) -> Json:
        """All of it as plain data, the facts beside the rest."""
        everything = asdict(self)
        facts = everything.pop("facts")
        return {**everything, **facts}


def unset_arguments(entry: Entry) -> set[str]:
    """Init arguments of a model that no card sets: those from the data, and those without a default.

    Args:
        entry: of a model, or of a task, of which there are none.
    """
    if not entry.module.startswith(catalogue.MODELS):
        return set()
    parameters = constructor_parameters(entry.load())
    return {name for name, one in parameters.items() if name in FROM_DATA or one.default is one.empty}


def model_card(entry: Entry, given: Mapping[str, Any] | None = None, form: Form = plain) -> Card:
    """The card of a model.

    Args:
        entry: of the catalogue.
        given: init arguments that replace defaults.
        form: of its texts; they have equations as LaTeX, unless it is ``readable``.

    Returns:
        A card with the facts ``num_tokens``, ``num_answers`` (of the data that the model is built for: sums modulo 5),
        ``num_parameters``, ``state_sizes`` (numbers after 4 and after 8 tokens; empty where ``decode`` reads all tokens
        again) and ``state_grows``. The last three are None where the model has required arguments.

    Raises:
        BenchError: an argument lies outside its range.
    """
    card = _card("model", entry, given or {}, form)
    return replace(card, facts=_model_facts(card, given or {}), scores=_scores(card.path))


def task_card(entry: Entry, given: Mapping[str, Any] | None = None, form: Form = plain) -> Card:
    """The card of a task.

    Args:
        entry: of the catalogue.
        given: init arguments of one machine; None takes those of the task's examples.
        form: see :func:`model_card`.

    Returns:
        A card with the fact ``machines``: for each machine its properties, and under ``task`` its arguments.

    Raises:
        BenchError: an argument lies outside its range.
    """
    task_class = entry.load()
    tasks = [example.task for example in task_class.examples()] if given is None else [task_class(**given)]
    machines = [{"task": str(task), **task.properties()} for task in tasks]
    return replace(_card("task", entry, given or {}, form), facts={"machines": machines})


def explanation(cls: type, form: Form) -> str:
    """What the docstrings of a class say, its module's first.

    Args:
        cls: that is explained.
        form: of the text.
    """
    return form("\n\n".join(inspect.getdoc(one) or "" for one in (inspect.getmodule(cls), cls)))


def _card(kind: Literal["model", "task"], entry: Entry, given: Mapping[str, Any], form: Form) -> Card:
    cls = entry.load()
    text = inspect.getdoc(cls) or ""
    docstring = parse(text)
    descriptions = {one.arg_name: form(one.description or "") for one in docstring.params}
    module = inspect.getdoc(inspect.getmodule(cls)) or ""
    arguments = [
        Argument(
            name=name,
            default=given.get(name, None if one.default is one.empty else one.default),
            required=one.default is one.empty,
            description=descriptions.get(name, ""),
        )
        for name, one in constructor_parameters(cls).items()
        if name not in FROM_DATA
    ]
    return Card(
        kind=kind,
        name=entry.class_name,
        path=f"{cls.__module__.rpartition('.')[0]}.{entry.class_name}",
        summary=form(docstring.short_description or ""),
        description=_without_references(docstring.long_description or "", form),
        recurrence=_without_references(module, form) if MATH in module else None,
        references=list(dict.fromkeys([*_references(text), *_references(module)])),
        arguments=arguments,
        published=[_published(one) for one in PUBLISHED if getattr(one, kind) == entry.class_name],
        scores=[],
        facts={},
    )


def _scores(path: str) -> list[Json]:
    return [score for score in _shipped_scores() if score["class_path"] == path]


@cache
def _shipped_scores() -> list[Json]:
    leagues = shipped_leagues({}, with_shipped=True)
    return [
        {
            "protocol": own.budget.protocol,
            "budget": own.budget.name,
            "class_path": place.score.model.class_path,
            "model": place.score.name,
            "place": place.score.kind or f"rank {place.rank}",
            own.number.name: own.number.text(place.score),
        }
        for own in leagues
        for place in own.places
    ]


def _published(one: PublishedResult) -> Json:
    return {**asdict(one), "scaled": one.scaled, "model_text": one.model_text, "task_text": one.task_text}


def _model_facts(card: Card, given: Mapping[str, Any]) -> Json:
    from ib_bench.data import ModularAddition  # noqa: PLC0415 (loads torch)
    from ib_bench.models.sequence_model import SequenceModel  # noqa: PLC0415
    from ib_bench.results.records import ClassSpec  # noqa: PLC0415
    from ib_bench.runner.building import build_or_explain, built_model  # noqa: PLC0415
    from ib_bench.training.gradient_check import num_parameters  # noqa: PLC0415
    from ib_bench.training.model_check import state_sizes  # noqa: PLC0415

    data = ModularAddition(modulus=5, max_length=8)
    facts: Json = {"num_tokens": data.vocab_size, "num_answers": data.num_classes}
    if any(argument.required for argument in card.arguments):
        return {**facts, "num_parameters": None, "state_sizes": None, "state_grows": None}
    spec = ClassSpec(card.path, dict(given))
    model = built_model(spec, data).eval()
    assert isinstance(model, SequenceModel)  # as all shipped models
    sizes = build_or_explain("model", spec, lambda: state_sizes(model, data.vocab_size))
    grows = sizes[0] != sizes[1] if sizes else None
    return {**facts, "num_parameters": num_parameters(model), "state_sizes": sizes, "state_grows": grows}


def _paragraphs(text: str) -> list[str]:
    return text.split("\n\n")


def _references(text: str) -> list[str]:
    found = (_REFERENCE.match(paragraph) for paragraph in _paragraphs(text))
    texts = [plain(" ".join(match[1].split())).removesuffix(".") for match in found if match is not None]
    return [reference for one in texts for reference in one.split("; ")]


def _without_references(text: str, form: Form) -> str:
    kept = [paragraph for paragraph in _paragraphs(text) if _REFERENCE.match(paragraph) is None]
    return form("\n\n".join(kept)).strip("\n")


def shipped_cards() -> Json:
    """The cards of all shipped models and tasks, as plain data; builds every model."""
    models = [model_card(entry).to_json() for entry in catalogue.entries(catalogue.MODELS)]
    tasks = [task_card(entry).to_json() for entry in catalogue.entries(catalogue.TASKS)]
    return {"models": models, "tasks": tasks}
