"""Any value of any option of any command: the command works, or says one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bad_input.calls import Trainings, call
from bad_input.command_lines import Target, command_lines, targets
from bad_input.suites import CONFIG, SUITES, changed
from hypothesis import given

pytestmark = pytest.mark.system


@pytest.mark.slow
@pytest.mark.parametrize("target", targets(), ids=lambda target: " ".join(target.words))
def test_what_is_changed_is_valid(target: Target, folder: Path, trainings: Trainings) -> None:
    """Otherwise every input would be refused for another reason."""
    stores = [option.name for option in target.options if option.name == "--store"]
    store = ["--store", "small.sqlite"] if stores and "--model" not in target.valid else []
    # a score takes minutes, a league needs one, and a store is synced with W&B
    if target.words not in (("score",), ("league",), ("wandb", "sync-store")):
        assert call([*target.words, *target.valid, *store], folder, trainings) in ("accepted", "found")


def test_options(folder: Path, trainings: Trainings, tried: Callable[[int], Any]) -> None:
    @tried(50)
    @given(command_lines())
    def check(arguments: list[str]) -> None:
        call(arguments, folder, trainings)

    check()


def test_suites(folder: Path, trainings: Trainings, tried: Callable[[int], Any]) -> None:
    @tried(60)
    @given(changed(SUITES))
    def check(text: str) -> None:
        Path("changed.yaml").write_text(text, encoding="utf-8")
        call(["run", "changed.yaml", "--executor", "inline", "--wandb.mode", "disabled", "--dry_run"], folder)

    check()


def test_configs(folder: Path, trainings: Trainings, tried: Callable[[int], Any]) -> None:
    @tried(40)
    @given(changed([CONFIG]))
    def check(text: str) -> None:
        Path("changed.yaml").write_text(text, encoding="utf-8")
        call(["search", "--config", "changed.yaml", "--wandb.mode", "disabled"], folder, trainings)

    check()
