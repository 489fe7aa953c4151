"""The figures of ``make gpu``, from its JSON: a column for each architecture and width."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SIZE = re.compile(r"^(\w+, width \d+)(?:: |, )")
_ORDER = ("LSTM", "DenseSSM", "Transformer")


def summary(found: dict[str, Any]) -> str:
    """A Markdown table of everything that was measured by size, each figure with its unit, a missed target in italics.

    Args:
        found: what ``make gpu`` prints with ``--format json``.
    """
    figures: dict[str, dict[str, str]] = {}
    for row in found["rows"]:
        size = _SIZE.match(row["what"])
        if size is not None and row["measured"]:
            figures.setdefault(row["what"][size.end() :], {})[size.group(1)] = _figure(row)
    sizes = sorted({size for by_size in figures.values() for size in by_size}, key=_place)
    lines = [["", *sizes], ["---"] * (1 + len(sizes))]
    lines += [[what, *(by_size.get(size, "") for size in sizes)] for what, by_size in figures.items()]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _figure(row: dict[str, str]) -> str:
    measured = "never" if row["measured"] == "inf" else row["measured"]
    return f"*{measured}*" if row["verdict"] == "missed" else measured


def _place(size: str) -> tuple[bool, int]:
    """Width 64 first, then the paper's."""
    return not size.endswith(" 64"), _ORDER.index(size.partition(",")[0])


def main(arguments: Sequence[str]) -> None:
    """Print the table of one JSON file."""
    (path,) = arguments
    print(summary(json.loads(Path(path).read_text(encoding="utf-8"))), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
