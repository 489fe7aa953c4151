"""Bad command lines, made from the parsers themselves: a new option is covered as soon as it is there."""

from __future__ import annotations

import importlib
from argparse import Action
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, get_args, get_origin

import yaml
from hypothesis import strategies as st

from ib_bench import catalogue
from ib_bench.cli import commands
from ib_bench.cli.parsing import parser_of
from ib_bench.constructors import constructor_parameters
from ib_bench.results.records import ClassSpec

MODEL = ["--model", "LSTM", "--model.hidden_size", "4"]
DATA = ["--data", "ModularAddition", "--data.max_length", "4"]
QUIET = ["--wandb.mode", "disabled"]
SHORT = [
    "--search.max_steps",
    "2",
    "--search.max_size",
    "4",
    "--search.learning_rates",
    "[0.01]",
    "--search.seeds",
    "[1]",
]

FIT = [*MODEL, *DATA, "--data.num_train_sequences", "8", "--trainer.max_steps", "1", "--trainer.logger", "false"]
VALID = {
    "fit": [*FIT, "--trainer.enable_checkpointing", "false"],
    "validate": [*MODEL, *DATA, "--trainer.logger", "false"],
    "test": [*MODEL, *DATA, "--data.num_train_sequences", "8", "--trainer.logger", "false"],
    "check": MODEL,
    "score": [*MODEL[:2], *QUIET, "--executor", "inline"],
    "run": ["suite.yaml", *QUIET, "--executor", "inline", "--dry_run"],
    "completion": ["bash"],
    "store export": ["out.csv"],
    "store merge": ["new.sqlite", "small.sqlite"],
    "store vacuum": ["--dry_run"],
    "wandb sync-store": QUIET,
    "wandb workspace": ["--dry_run"],
}
"""Arguments with which a command does something harmless; quantities have their own."""

SLOW = ("completion", "doctor", "ls", "report", "score")

ELSEWHERE = {
    "executor": ("processes", "ray", "slurm"),
    "strategy": ("ddp", "fsdp", "deepspeed", "dp", "xla"),
    "mode": ("online", "offline"),
    "accelerator": ("gpu", "cuda", "mps", "tpu"),
}
"""Options, by the end of their names, and values of them that start other processes or ask other machines."""

COUNTS = ("devices", "num_nodes", "workers", "num_workers")
"""Options whose larger values start other processes."""

INTEGERS = [-(2**63), -(2**31), -7, -1, 0, 1, 2, 3, 5, 2**31 - 1, 2**31, 2**32, 2**63 - 1, 2**63, 10**30]
FLOATS = ["-1.0", "0.0", "1e-300", "0.5", "1.0", "1e308", "1e400", ".nan", "nan", ".inf", "-.inf", "inf"]
TEXTS = [
    *("", " ", "a", "LSTM", "null", "true", "~", "~nobody-here", ".", "..", "...", "a/b", "a.b", "x" * 300, "-", "--"),
    *("\N{SNOWMAN}", "a\nb", "a\0b", "\x1b[31m", "[red]", "{}", "[]", "{a: 1}", "[1, x]", "!!binary aGk=", "!!set {a}"),
    *("2020-01-01", "1_000", "0x10", "%s", "$HOME", "a b", "&a [*a]", "*a", "os.path.join", "text.txt", "binary.bin"),
    *(
        "folder",
        "folder/",
        "setup.cfg",
        "data.csv",
        "suite.yaml",
        "small.sqlite",
        "empty.sqlite",
        "9" * 5000,
        "1" + "0" * 30,
    ),
]


@dataclass(frozen=True)
class Option:
    """An option of a command.

    Attributes:
        name: such as ``--search.seeds``; empty for a positional one.
        hint: its type.
        takes_value: whether a value follows.
        owner: option and name of the class whose argument it is; empty for the command's own.
    """

    name: str
    hint: Any
    takes_value: bool = True
    owner: tuple[str, ...] = ()


@dataclass(frozen=True)
class Target:
    """A command, or a part of one.

    Attributes:
        words: that name it.
        valid: arguments with which it works.
        options: that it takes.
    """

    words: tuple[str, ...]
    valid: tuple[str, ...]
    options: tuple[Option, ...]

    @property
    def is_slow(self) -> bool:
        """Whether it takes seconds, even with nothing to do: such a command is tried less often."""
        return self.words[0] in SLOW


@cache
def targets() -> tuple[Target, ...]:
    """All commands, with their options as their parsers have them."""
    return tuple(_targets())


def _targets() -> Iterator[Target]:
    measured = {quantity.name: quantity.has_many_jobs for quantity in catalogue.quantities()}
    for name, (module_name, _) in commands().items():
        module = importlib.import_module(f"ib_bench.cli.{module_name}")
        for words in [(name, part) for part in getattr(module, "SUBCOMMANDS", ())] or [(name,)]:
            parser = parser_of(partial(module.main, words[0], list(words[1:])))
            valid = VALID.get(" ".join(words), [])
            if name in measured:
                inline = ["--executor", "inline"] if measured[name] else []
                valid = [*MODEL, *DATA, *QUIET, *SHORT, *inline]
            options = [_option(action) for action in parser._actions if action.dest != "help"]
            if {"--model", "--data"} <= {option.name for option in options}:
                options += _class_options()
            if options:
                yield Target(words, tuple(valid), tuple(options))


def _option(action: Action) -> Option:
    names = [name for name in action.option_strings if name.startswith("--")]
    hint = getattr(action, "_typehint", None) or action.type
    return Option(names[0] if names else "", hint, takes_value=action.nargs != 0)


@cache
def _class_options() -> list[Option]:
    """The arguments of all models and data."""
    shipped = {"model": catalogue.MODELS, "data": catalogue.TASKS}
    return [
        Option(f"--{section}.{name}", parameter.annotation, owner=(f"--{section}", entry.class_name))
        for section, package in shipped.items()
        for entry in catalogue.entries(package)
        for name, parameter in constructor_parameters(
            ClassSpec(f"ib_bench.{section if section == 'data' else 'models'}.{entry.class_name}").cls
        ).items()
    ]


def values(hint: Any) -> st.SearchStrategy[str]:
    """Texts for an option of a type: edges of its range, and what is none of its values."""
    parts: list[st.SearchStrategy[str]] = [st.sampled_from(TEXTS)]
    if get_origin(hint) is Literal:
        parts.append(st.sampled_from([str(value) for value in get_args(hint)]))
    text = str(hint)
    if "int" in text or "bool" in text:
        parts.append(st.sampled_from([str(value) for value in INTEGERS]))
    if "float" in text:
        parts.append(st.sampled_from(FLOATS))
    if "list" in text.lower() or "sequence" in text.lower():
        items = st.sampled_from([*map(str, INTEGERS), *FLOATS, "[]", "x", "null"])
        parts.append(st.lists(items, max_size=3).map(lambda given: f"[{', '.join(given)}]"))
    if len(parts) == 1:
        parts.append(st.sampled_from([*map(str, INTEGERS), *FLOATS]))
    return st.one_of(parts)


def is_safe(option: str, value: str) -> bool:
    """Whether a value starts no other processes and asks no other machine."""
    end = option.rpartition(".")[2].removeprefix("--")
    if end in COUNTS:
        return not value.strip().lstrip("+").isdigit() or int(value[:9]) <= 1
    return not any(value.startswith(other) for other in ELSEWHERE.get(end, ()))


MODELS = [entry.class_name for entry in catalogue.entries(catalogue.MODELS)]
TASKS = [entry.class_name for entry in catalogue.entries(catalogue.TASKS)]


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command that would work, with one or two options changed."""
    is_slow = draw(st.integers(0, 29)) == 0
    target = draw(st.sampled_from([target for target in targets() if target.is_slow == is_slow]))
    arguments = list(target.valid)
    if "--model" in arguments and draw(st.booleans()):
        arguments = [*arguments, "--model", draw(st.sampled_from(MODELS))]
    if "--data" in arguments and draw(st.booleans()):
        arguments = [*arguments, "--data", draw(st.sampled_from(TASKS))]
    for _ in range(draw(st.integers(1, 2))):
        own = [option for option in target.options if not option.owner]
        inner = [option for option in target.options if option.owner]
        option = draw(st.sampled_from(inner if inner and draw(st.booleans()) else own))
        value = draw(values(option.hint))
        if not is_safe(option.name, value):
            continue
        arguments += option.owner
        if not option.name:
            arguments = [value, *arguments[1:]]
        elif not option.takes_value:
            arguments.append(option.name)
        elif draw(st.integers(0, 9)) == 0:
            arguments += [option.name, value]
        else:
            arguments.append(f"{option.name}={value}")
    return [*target.words, *arguments]


def as_yaml(value: Any) -> str:
    """A config as text."""
    return yaml.safe_dump(value, sort_keys=False)
