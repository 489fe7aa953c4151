"""Plain English: texts of the package, help and READMEs have none of the words that the house style drops."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from ib_bench.cli import commands, main
from ib_bench.cli.store import SUBCOMMANDS as STORE
from ib_bench.cli.wandb import SUBCOMMANDS as WANDB

ROOT = Path(__file__).parents[1]

DROPPED = re.compile(
    r"\b(mend(s|ed|ing)?|harm(s|ed|ful|less)?|anew|bears? out|bor(e|ne) out|spared?|told|whoever|whatever"
    r"|(stand|stands|standing|stood) beside|of ours|of our kind|(is|are) no more|for want of|trainings"
    r"|epitaph|obituary|farewell|knock)\b",
    re.IGNORECASE,
)
"""STYLE: one word or phrase each, with its forms."""

REPLACED = ("all the same", "go on with:", "made if there is none")
"""Phrases of earlier texts that had to be read twice."""

_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)


@cache
def tracked(*patterns: str) -> tuple[str, ...]:
    try:
        listing = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git, and a checkout that it trusts", allow_module_level=True)
    return tuple(listing.stdout.split())


def offences(text: str) -> list[str]:
    found = [match.group() for match in DROPPED.finditer(text)]
    return found + [phrase for phrase in REPLACED if phrase in " ".join(text.split())]


def texts_of(path: str) -> Iterator[str]:
    """Docstrings, messages, help texts and names of a module; its comments."""
    source = (ROOT / path).read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Name):
            yield node.id.replace("_", " ")
        elif isinstance(node, ast.Attribute):
            yield node.attr.replace("_", " ")
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name.replace("_", " ")
    yield from re.findall(r"(?:^|\s)# (.*)$", source, re.MULTILINE)


def test_the_list_catches_what_it_is_for() -> None:
    for text in ("has been mended", "two of\nours", "Trainings that fail", "it stands beside N*", "told apart"):
        assert offences(" ".join(text.split())), text
    assert not offences("recommended by Harmeling, amended; training runs; the remainder")


@pytest.mark.parametrize("path", tracked("ib_bench/*.py"))
def test_modules(path: str) -> None:
    assert [(text, found) for text in texts_of(path) if (found := offences(text))] == []


@pytest.mark.parametrize("path", tracked("*.md", "Makefile"))
def test_readmes(path: str) -> None:
    text = _CODE.sub("", (ROOT / path).read_text(encoding="utf-8"))
    assert offences(" ".join(text.split())) == []


@pytest.mark.parametrize(
    "command", [*commands(), *(f"store {name}" for name in STORE), *(f"wandb {name}" for name in WANDB)]
)
def test_help_texts(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):  # store and wandb return
        main([*command.split(), "--help"])
    own = re.sub(r"--trainer\.\S+.*?(?=\n  --(?!trainer))", "", capsys.readouterr().out, flags=re.DOTALL)  # Lightning's
    assert offences(" ".join(own.split())) == []
