"""List what is shipped: tasks, models, suites and more; or describe one of them.

`ib-bench ls FiniteGroup` describes a task and the machines of its examples, `ib-bench ls FiniteGroup --group A5` the
machine with these arguments. `ib-bench ls LSTM --hidden_size 64` describes a model, `ib-bench ls study` says why a
suite is as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from jsonargparse import ArgumentParser
from rich.console import Console

from ib_bench import catalogue
from ib_bench.cli.parsing import parse
from ib_bench.drawing.columns import json_text
from ib_bench.drawing.terminal import say
from ib_bench.errors import UnknownNameError
from ib_bench.plain_text import number_of
from ib_bench.results.identity import Json
from ib_bench.runner.class_cards import (
    Argument,
    Card,
    explanation,
    model_card,
    shipped_cards,
    task_card,
    unset_arguments,
)
from ib_bench.runner.docstrings import Form, plain, readable
from ib_bench.runner.suites import opening_comment, shipped_files, shipped_suites
from ib_bench.scoring.protocol import shipped_protocols

_KINDS = (
    ("tasks", "--data", catalogue.TASKS, "class_name"),
    ("supervision", "--data.supervision", catalogue.SUPERVISION, "name"),
    ("length distributions", "--data.length_distribution", catalogue.LENGTH_DISTRIBUTIONS, "name"),
    ("models", "--model", catalogue.MODELS, "class_name"),
)
_CARDS = {catalogue.MODELS: model_card, catalogue.TASKS: task_card}

_Rows = list[tuple[str, str]]


def main(command: str, arguments: Sequence[str]) -> int:
    """Print one line for each class, quantity, suite and protocol, or the card of one task or model."""
    if arguments and not arguments[0].startswith("-"):
        return _describe(command, arguments[0], arguments[1:])
    usage = "%(prog)s [-h] [--json] | %(prog)s NAME [...]"
    parser = ArgumentParser(prog=f"ib-bench {command}", usage=usage, description=__doc__, exit_on_error=False)
    parser.add_argument("--json", action="store_true", help="Print JSON, with the cards of all models and tasks.")
    options = parse(parser, arguments)
    listing = _listing()
    if options.json:
        named = {title.replace(" ", "_"): _named(rows) for (title, _), rows in listing.items()}
        print(json_text({**named, **shipped_cards()}), end="")
        return 0
    console = Console()
    for (title, use), rows in listing.items():
        _print(console, f"{title} ({use})", rows)
    say("ib-bench ls NAME describes one of them.", console)
    return 0


def _listing() -> dict[tuple[str, str], _Rows]:
    """Name and summary of everything that is shipped, by what it is and how it is used."""
    listing = {
        (title, use): [(getattr(entry, shown), entry.summary) for entry in catalogue.entries(package)]
        for title, use, package, shown in _KINDS
    }
    listing["quantities", "ib-bench NAME"] = [(one.name, one.summary) for one in catalogue.quantities()]
    listing["suites", "ib-bench run"] = shipped_suites()
    listing["protocols of scores", "--protocol"] = [
        (name, path.read_text(encoding="utf-8").partition("\n")[0].partition(": ")[2])
        for name, path in shipped_protocols().items()
    ]
    return listing


def _named(rows: _Rows) -> list[dict[str, str]]:
    return [{"name": name, "summary": summary} for name, summary in rows]


def _describe(command: str, name: str, arguments: Sequence[str]) -> int:
    """Print the card of a task or model with its arguments, or the explanation of something else."""
    found = {entry.class_name: (entry, package) for package in _CARDS for entry in catalogue.entries(package)}
    others = _explanations()
    if name in others:
        parser = ArgumentParser(prog=f"ib-bench {command} {name}", exit_on_error=False)
        parser.add_argument("--json", action="store_true", help="Print JSON.")
        is_json = parse(parser, arguments).json
        use, text = others[name](plain if is_json else readable)
        if is_json:
            print(json_text({"name": name, "use": use, "text": text}), end="")
        else:
            say(f"{name} ({use})", style="bold")
            _print_text(text, Console())
        return 0
    if name not in found:
        raise UnknownNameError("name", name, [*found, *others])
    entry, package = found[name]
    parser = ArgumentParser(prog=f"ib-bench {command} {name}", description=entry.summary, exit_on_error=False)
    parser.add_argument("--json", action="store_true", help="Print JSON.")
    own = parser.add_class_arguments(entry.load(), None, skip=unset_arguments(entry))
    options = parse(parser, arguments)
    given = {option: options[option] for option in own}
    is_given = any(argument != "--json" for argument in arguments)
    card = _CARDS[package](entry, given if is_given else None, plain if options.json else readable)
    if options.json:
        print(json_text(card.to_json()), end="")
    else:
        _print_card(card, Console())
    return 0


def _explanations() -> dict[str, Callable[[Form], tuple[str, str]]]:
    """How each shipped thing that is neither task nor model is used, and what there is to read about it."""

    def of_class(name: str, cls: Callable[[], type], use: str) -> Callable[[Form], tuple[str, str]]:
        return lambda form: (f"{use} {name}", explanation(cls(), form))

    def of_file(path: Path, use: str) -> Callable[[Form], tuple[str, str]]:
        return lambda _: (f"{use} {path.stem}", opening_comment(path))

    found: dict[str, Callable[[Form], tuple[str, str]]] = {}
    for _, option, package, _ in _KINDS:
        if package not in _CARDS:
            found |= {one.name: of_class(one.name, one.load, option) for one in catalogue.entries(package)}
    found |= {one.name: of_class(one.name, partial(type, one), "ib-bench") for one in catalogue.quantities()}
    found |= {name: of_file(path, "ib-bench run") for name, path in shipped_files().items()}
    return found | {
        name: of_file(path, "ib-bench score MODEL --protocol") for name, path in shipped_protocols().items()
    }


def _print_text(text: str, console: Console) -> None:
    console.print()
    for line in text.splitlines():
        say(f"  {line}", console)


def _print_card(card: Card, console: Console) -> None:
    say(f"{card.name}: {card.summary}", console, style="bold")
    for text in filter(None, [card.description, card.recurrence]):
        _print_text(text, console)
    console.print()
    sections = {
        "arguments": [(_argument_text(one), one.description) for one in card.arguments],
        "size": _sizes(card.facts) if card.kind == "model" else [],
        "machines": [_machine(machine) for machine in card.facts.get("machines", [])],
        "references": [(reference, "") for reference in card.references],
        "published accuracies": [_published(one) for one in card.published],
        "scores": [_score(one) for one in card.scores],
    }
    for title, rows in sections.items():
        if rows:
            _print(console, title, rows)


def _argument_text(argument: Argument) -> str:
    return argument.name if argument.required else f"{argument.name}={argument.default!r}"


def _sizes(facts: Json) -> _Rows:
    if facts["num_parameters"] is None:
        return [("parameters", "depend on the required arguments")]
    state = "unknown: the model reads all tokens again"
    if facts["state_sizes"]:
        short, long = facts["state_sizes"]
        numbers = number_of(short, "numbers")
        growing = f"{numbers} after 4 tokens, {long:,} after 8: it grows"
        state = growing if facts["state_grows"] else f"{numbers}; it does not grow"
    vocabulary = f"with {facts['num_tokens']} tokens and {facts['num_answers']} answers"
    return [("parameters", f"{facts['num_parameters']:,} {vocabulary}"), ("state", state)]


def _machine(machine: Json) -> tuple[str, str]:
    facts = {name.replace("_", " "): _fact(value) for name, value in machine.items() if name != "task"}
    return machine["task"], ", ".join(f"{name} {text}" for name, text in facts.items())


def _fact(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _published(one: Json) -> tuple[str, str]:
    measured = f"{one['accuracy']:g} with {one['supervision']} (chance {one['chance']:g}), {one['source']}"
    return f"{one['model_text']}, {one['task_text']}", measured


def _score(one: Json) -> tuple[str, str]:
    return one["model"], f"{one['place']}, mean N50 {one['size']}; {one['protocol']}, budget {one['budget']}"


def _print(console: Console, title: str, rows: _Rows) -> None:
    say(title, console, style="bold")
    width = max((len(name) for name, _ in rows), default=0)
    for name, summary in rows:
        say(f"  {name:{width}}  {summary}".rstrip(), console)
    console.print()
