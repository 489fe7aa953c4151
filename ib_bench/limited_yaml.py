"""YAML within limits: suites, configs and automata.

A text is looked through event by event before anything is built from it, so that neither a deep nesting nor aliases
that multiply (``b: [*a, *a]``, ``c: [*b, *b]``, ...) take memory. A key that is given twice is an error: that is YAML's
own rule, which PyYAML does not check. In a file, so is a number that the YAML 1.1 of PyYAML reads as another than is
written: 010, which is 8 there, and 1:30, which is 90.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MAX_CHARACTERS = 1_000_000
MAX_VALUES = 100_000
MAX_DEPTH = 50

_OTHER_NUMBER = re.compile(r"[-+]?(0[0-7_]+|[1-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)")
"""Plain values that YAML 1.1 takes for octal or for sexagesimal numbers."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # some installations lack libyaml


@dataclass
class _Open:
    """A list or mapping whose end has not come.

    Attributes:
        anchor: its name, or None.
        keys: of a mapping; None for a list.
        size: number of values so far, aliases written out.
        is_at_key: whether a key comes next.
    """

    anchor: str | None
    keys: set[str] | None = None
    size: int = 1
    is_at_key: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_at_key = self.keys is not None


def read_yaml(path: Path) -> Any:
    """The content of a file.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text in UTF-8.
        yaml.YAMLError: it is no YAML, or beyond the limits.
    """
    with path.open(encoding="utf-8") as file:
        text = file.read(MAX_CHARACTERS + 1)
    content = load_yaml(text)
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.ScalarEvent) and event.implicit[0] and _OTHER_NUMBER.fullmatch(event.value):
            raise yaml.YAMLError(
                f"YAML reads {event.value} as another number, in line {_line(event)}; write it without leading zeros "
                f"and colons, or in quotes if it is a text"
            )
    return content


def load_yaml(text: str, load: Callable[[str], Any] = yaml.safe_load) -> Any:
    """The content of a text.

    Args:
        text: YAML.
        load: builds plain data from it.

    Raises:
        yaml.YAMLError: it is no YAML, or beyond the limits.
    """
    check_limits(text)
    try:
        return load(text)
    except (ValueError, OverflowError) as error:  # a number of thousands of digits, a day that does not exist
        raise yaml.YAMLError(f"a value cannot be read: {error}") from error


def check_limits(text: str) -> None:
    """Look through a text.

    Raises:
        yaml.YAMLError: it is no YAML, is too long, too deep or too large, refers to itself, or gives a key twice.
    """
    if len(text) > MAX_CHARACTERS:
        raise yaml.YAMLError(f"it has more than {MAX_CHARACTERS:,} characters")
    sizes: dict[str, int] = {}
    stack: list[_Open] = []
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append(_Open(event.anchor, set() if isinstance(event, yaml.MappingStartEvent) else None))
            if event.anchor is not None:
                sizes[event.anchor] = 0  # until its end
            if len(stack) > MAX_DEPTH:
                raise yaml.YAMLError(f"it is nested more than {MAX_DEPTH} deep, in line {_line(event)}")
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = stack.pop()
            _end(event, ended.size, ended.anchor, sizes, stack)
        elif isinstance(event, yaml.AliasEvent):
            if sizes.get(str(event.anchor)) == 0:
                raise yaml.YAMLError(f"*{event.anchor} refers to itself, in line {_line(event)}")
            _end(event, sizes.get(str(event.anchor), 1), None, sizes, stack)
        elif isinstance(event, yaml.ScalarEvent):
            _end(event, 1, event.anchor, sizes, stack)


def _end(event: Any, size: int, anchor: str | None, sizes: dict[str, int], stack: list[_Open]) -> None:
    """Note a value that is complete."""
    if anchor is not None:
        sizes[anchor] = size
    if not stack:
        return
    parent = stack[-1]
    parent.size += size
    if parent.size > MAX_VALUES:
        raise yaml.YAMLError(f"it holds more than {MAX_VALUES:,} values with its aliases written out")
    if parent.keys is None:
        return
    if parent.is_at_key and isinstance(event, yaml.ScalarEvent):
        if event.value in parent.keys:
            raise yaml.YAMLError(f"the key {event.value!r} is given twice, in line {_line(event)}")
        parent.keys.add(event.value)
    parent.is_at_key = not parent.is_at_key


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
