"""Requests for data of which nothing can be held out: they know what those with a pool know."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from ib_bench.errors import BenchError
from ib_bench.quantities.quantity import Request
from ib_bench.quantities.search.record import SearchConfig, SearchSettings
from ib_bench.quantities.sharing.record import part_configs
from ib_bench.runner.checked_trainer import CheckedTrainer, require_few_processes
from ib_bench.runner.desk import make_request

TOGGLE = """
symbols: [wait, push]
states: [dark, lit]
initial: dark
transition:
  dark: {wait: dark, push: lit}
  lit: {wait: lit, push: dark}
"""

ALONE: dict[str, Any] = {"length_distribution": "fixed", "max_length": 2}
"""At two symbols, there are four sequences."""


def request(model: str, task: str, search: SearchSettings | None = None, **arguments: Any) -> Request:
    config = {
        "model": {"class_path": model, "init_args": {"hidden_size": 8}},
        "data": {"class_path": f"ib_bench.data.{task}", "init_args": arguments},
        "trainer": {"accelerator": "cpu"},
    }
    settings = {"search": search or SearchSettings(max_size=64)}
    return make_request(config, settings, Path("store"), may_hold_out_none=True)


def search_config(asked: Request) -> SearchConfig:
    return SearchConfig(asked.experiment, asked.settings["search"])


def test_the_file_of_an_automaton_is_part_of_the_key_where_nothing_is_held_out(tmp_path: Path) -> None:
    file = tmp_path / "toggle.yaml"
    file.write_text(TOGGLE)
    alone = request("ib_bench.models.GRU", "Automaton", file=str(file), **ALONE)
    assert (alone.pool_size, alone.num_states) == (0, None)
    assert list(alone.experiment.source_digests) == ["file toggle.yaml"]
    joint = request("ib_bench.models.GRU", "Automaton", file=str(file), length_distribution="uniform", max_length=4)
    assert joint.pool_size > 0 and part_configs(search_config(joint))[2].key == search_config(alone).key
    file.write_text(TOGGLE.replace("{wait: lit,", "{wait: dark,"))
    edited = request("ib_bench.models.GRU", "Automaton", file=str(file), **ALONE)
    assert search_config(edited).key != search_config(alone).key


def test_a_task_without_files_keeps_its_key() -> None:
    """That of version 0.3.0, whose requests knew neither files nor acceleration here."""
    alone = request("ib_bench.models.LSTM", "ModularAddition", modulus=2, **ALONE)
    assert alone.pool_size == 0 and alone.experiment.source_digests == {}
    assert search_config(alone).key == "33ce907fc1c88c3c86926777b3eadf9b"


def test_compiling_is_decided_where_nothing_is_held_out() -> None:
    search = SearchSettings(max_size=64, max_steps=10, compile="auto")
    asked = request("ib_bench.models.GRU", "ModularAddition", search, modulus=2, **ALONE)
    assert asked.pool_size == 0 and asked.settings["search"].compile is False


def test_a_model_that_looks_ahead_is_found_where_nothing_is_held_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "from ib_bench.models.gru import GRU\n\n\nclass Mirrored(GRU):\n    def forward(self, tokens):\n"
    (tmp_path / "my_mirrored.py").write_text(own + "        return super().forward(tokens.flip(1))\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    with pytest.raises(BenchError, match=r"^model my_mirrored.Mirrored looks ahead"):
        request("my_mirrored.Mirrored", "ModularAddition", modulus=2, **ALONE)
    allowed = SearchSettings(max_size=64, allow_lookahead=True)
    assert request("my_mirrored.Mirrored", "ModularAddition", allowed, modulus=2, **ALONE).experiment.looks_ahead


@pytest.mark.parametrize("devices", [[2], "2,", (0,)])
def test_gpus_are_not_named_where_each_process_has_its_own(devices: object) -> None:
    """Index 2 would mean another GPU in each, or none."""
    trainer = CheckedTrainer({}, {"devices": devices}, num_processes=1, on_gpu=True)
    require_few_processes(trainer, SearchSettings(), may_take_several=True)
    for spread, may_take_several in ((4, True), (1, False)):
        with pytest.raises(BenchError, match=r"trainer\.devices must be 1 where .* CUDA_VISIBLE_DEVICES says which"):
            require_few_processes(trainer, SearchSettings(spread=spread), may_take_several)
