"""The arguments that narrow a list of results or trials."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from jsonargparse import ArgumentParser, Namespace

from ib_bench.errors import shortened, shown
from ib_bench.plain_text import one_line
from ib_bench.results.records import Labels

_FILTERS = ("model", "task", "supervision", "length_distribution", "max_length")

Row = TypeVar("Row", bound=Any)


def add_filter_arguments(parser: ArgumentParser) -> None:
    """The arguments of :func:`filtered`."""
    for name in _FILTERS:
        kind: Any = int | None if name == "max_length" else str | None
        parser.add_argument(f"--{name}", type=kind, help=f"Only rows with this {name.replace('_', ' ')}.")


def filtered(rows: Iterable[Row], options: Namespace) -> list[Row]:
    """The rows, with a ``labels`` attribute, that match all given filters.

    If none does because a value occurs nowhere, those that there are instead are printed to stderr.
    """
    wanted = {name: options[name] for name in _FILTERS if options[name] is not None}
    labels: dict[str, set[Any]] = {name: set() for name in wanted}
    found = []
    for row in rows:
        for name, seen in labels.items():
            seen.add(getattr(row.labels, name))
        if _fits(row.labels, wanted):
            found.append(row)
    for name, seen in labels.items():
        texts = {text for label in seen for text in _texts(name, label)}
        if not found and texts and wanted[name] not in texts:
            known = sorted({str(_texts(name, label)[-1]) for label in seen})
            there = shortened(one_line(", ".join(known)))
            print(
                f"ib-bench: no row has the {name.replace('_', ' ')} {shown(wanted[name])}; there are: {there}",
                file=sys.stderr,
            )
    return found


def _fits(labels: Labels, wanted: dict[str, object]) -> bool:
    return all(value in _texts(name, getattr(labels, name)) for name, value in wanted.items())


def _texts(name: str, label: Any) -> tuple[Any, ...]:
    """What a label may be called: a model goes by its path or its class's name."""
    if name != "model":
        return (label,)
    path = label.removesuffix(" (looks ahead)")
    return label, path, path.rpartition(".")[2]
