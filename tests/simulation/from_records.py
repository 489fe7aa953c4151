"""Fits to what a search has trained, of made-up learners: what early stops and shared seeds do to the intervals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any

from simulation.cells import fit_of_search
from simulation.learners import from_prior
from simulation.presentation import Json, put_into_readme, table_lines, text_of_readme
from simulation.study import coverage

from ib_bench.quantities.search.bisection import Bisection

MAX_SIZE = 1024
NUM_LEARNERS = 300
NUM_RUNS = 15
"""Of a size, as the paper's five seeds and three learning rates."""

RESULTS = Path(__file__).with_name("from_records_results.json")

SEARCHES: dict[str, int | None] = {"exhaustive": None, "one run after the other": 1, "five runs at once": 5}
"""How many runs a search trains at once until one succeeds; None trains all."""

_MARK = "from records"


def measure(seeds: Iterable[int] = range(NUM_LEARNERS)) -> list[Json]:
    """A row for each kind of search, with seeds that are independent or shared between sizes.

    Args:
        seeds: of the learners, one each.
    """
    bisection = Bisection(MAX_SIZE, multiplier=4, midpoint="geometric", relative_tolerance=0.5)
    rows: list[dict[str, Any]] = []
    for shares_seeds in (False, True):
        for name, at_once in SEARCHES.items():
            cells = [fit_of_search(from_prior, bisection, NUM_RUNS, at_once, seed, shares_seeds) for seed in seeds]
            errors = [cell.error for cell in cells if cell.error is not None]
            found = {"num_cells": len(cells), "coverage": coverage(cells), "error": median(errors)}
            rows.append({"search": name, "shares_seeds": shares_seeds, **found})
    return rows


def stored_rows() -> list[Json]:
    """What the newest whole study found."""
    rows: list[Json] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return rows


def publish(rows: list[Json]) -> None:
    """Store rows, and put their table into the README."""
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    put_into_readme(_MARK, table(rows))


def published_table() -> str:
    """The table that the README shows."""
    return text_of_readme(_MARK)


def table(rows: list[Json]) -> str:
    """The rows, in Markdown."""
    titles = ["search", "seeds", "cells", "coverage", "median error, octaves"]
    seeds = {True: "succeed at all larger sizes too", False: "independent"}
    body = []
    for row in rows:
        numbers = [str(row["num_cells"]), f"{100 * row['coverage']:.0f} %", f"{row['error']:.1f}"]
        body.append([row["search"], seeds[row["shares_seeds"]], *numbers])
    return "\n".join(["", *table_lines(titles, body), ""])
