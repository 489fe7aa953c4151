"""Any wrong type in any column or field of any table: what lists, checks and reports warns, or says one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_input.calls import call
from bad_input.stores import damages, write_damaged
from hypothesis import given, note
from hypothesis import strategies as st

from ib_bench import catalogue

pytestmark = pytest.mark.system

STORE = ["--store", "damaged.sqlite"]
LISTING = [
    *(["results", "--kind", quantity.name, *STORE] for quantity in catalogue.quantities()),
    *(["results", "--format", form, *STORE] for form in ("csv", "json")),
    *(
        ["trials", *STORE],
        ["trials", "--format", "json", *STORE],
        ["status", *STORE],
        ["status", "--format", "json", *STORE],
    ),
    *(
        ["store", "check", *STORE],
        ["store", "check", "--format", "json", *STORE],
        ["store", "vacuum", "--dry_run", *STORE],
    ),
    *(["claims", *STORE], ["store", "export", "out.csv", *STORE], ["store", "export", "out.jsonl.gz", *STORE]),
    *(["store", "merge", "new.sqlite", "damaged.sqlite"], ["report", "--out", "report", *STORE]),
    *(["run", "suite.yaml", "--dry_run", "--executor", "inline", "--wandb.mode", "disabled", *STORE],),
    *(["league", "--stores", "[damaged.sqlite]"],),
]


def test_wrong_types(folder: Path, tried: Callable[[int], Any]) -> None:
    @tried(30)
    @given(damages, st.lists(st.sampled_from(LISTING), min_size=2, max_size=4, unique_by=tuple))
    def check(changes: Any, commands: list[list[str]]) -> None:
        note(write_damaged(folder / "small.sqlite", folder / "damaged.sqlite", changes))
        for command in commands:
            call(command, folder)

    check()
