"""Small inputs that would take a machine's memory or an hour: refused with the limit in the message."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

from ib_bench.cli import main
from ib_bench.errors import BenchError
from ib_bench.limited_yaml import MAX_DEPTH, MAX_VALUES, load_yaml, read_yaml
from ib_bench.tasks import Automaton, FiniteGroup

BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)
TEXTS = {
    "bomb": (BOMB, f"holds more than {MAX_VALUES:,} values with its aliases written out"),
    "list in itself": ("a: &a [1, *a]", r"\*a refers to itself, in line 1"),
    "mapping in itself": ("a: &a {b: {c: *a}}", r"\*a refers to itself"),
    "nested lists": ("[" * 200_000, f"nested more than {MAX_DEPTH} deep, in line 1"),
    "nested mappings": (
        "".join(f"{' ' * n}a:\n" for n in range(200)),
        f"nested more than {MAX_DEPTH} deep, in line 51",
    ),
    "many values": (f"[{'1,' * (MAX_VALUES + 1)}]", f"holds more than {MAX_VALUES:,} values"),
    "long": ("#" * 1_000_001, "has more than 1,000,000 characters"),
    "key twice": ("axes:\n  modulus: [3]\n  modulus: [5]", "key 'modulus' is given twice, in line 3"),
    "key twice, in braces": ("{modulus: [3], modulus: [5]}", "key 'modulus' is given twice, in line 1"),
    "key twice, in a list": ("- {a: 1, 'a': 2}", "key 'a' is given twice"),
    "key twice, as JSON": ('{"a": 1, "a": 2}', "key 'a' is given twice"),
    "digits": ("9" * 5000, "a value cannot be read: Exceeds the limit"),
    "day": ("2026-99-99", "a value cannot be read"),
}


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.mark.parametrize("name", TEXTS)
def test_yaml(name: str) -> None:
    text, message = TEXTS[name]
    with pytest.raises(yaml.YAMLError, match=message):
        load_yaml(text)


def test_numbers_that_yaml_reads_as_others(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    for text in ("[010]", "a: -0777", "{a: 1:30}", "- 2:30:00.5"):
        path.write_text(text)
        with pytest.raises(yaml.YAMLError, match=r"YAML reads .* as another number, in line 1; write it"):
            read_yaml(path)
    sound = "[0, 10, 0.5, -7, 09, '010', \"1:30\", 2..6, 1e-3, 08x, a:1, 0x10]"
    path.write_text(sound)
    assert read_yaml(path) == yaml.safe_load(sound)


def test_aliases_and_equal_keys_of_different_mappings_are_fine() -> None:
    text = "base: &base {x: 1, y: [1, 2]}\none: {<<: *base, x: 2}\nother: [*base, *base, {x: 3}, {x: 3}]"
    assert load_yaml(text) == yaml.safe_load(text)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("command", ["run", "search", "fit", "task"])
def test_commands(command: str, name: str, working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text, _ = TEXTS[name]
    (working_folder / "input.yaml").write_text(text)
    arguments = {
        "run": ["run", "input.yaml"],
        "search": ["search", "--config", "input.yaml", "--wandb.mode", "disabled"],
        "fit": ["fit", "--config", "input.yaml"],
        "task": ["ls", "Automaton", "--file", "input.yaml"],
    }
    assert main(arguments[command]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1 and len(said) < 600, said
    assert [path.name for path in working_folder.iterdir()] == ["input.yaml"]


SUITES = {
    "range": ("max_length: [2..1000000000]", ["a range must be of at most 10,000 numbers, got '2..1000000000'"]),
    "range of digits": ("max_length: ['2..99999999999999999999999']", ["max_length must be an integer"]),
    "range of many digits": (f"max_length: ['2..{'9' * 5000}']", ["max_length must be an integer"]),
    "cells": (
        "modulus: [2..2001]\n  max_length: [2..2001]\n  batch_size: [1..2000]",
        ["at most 100,000 combinations of values, got 8,000,000,000", "modulus 2,000, max_length 2,000"],
    ),
    "ranges": ("modulus: [2..9000, 9001..18000]", ["axes.modulus must hold at most 10,000 values, got 17,999"]),
}


@pytest.mark.parametrize("name", SUITES)
def test_suites(name: str, working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    axes, expected = SUITES[name]
    suite = f"base: {{data: ModularAddition, model: LSTM}}\naxes:\n  {axes}\n"
    (working_folder / "input.yaml").write_text(suite)
    assert main(["run", "input.yaml", "--wandb.mode", "disabled"]) == 2
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    for text in expected:
        assert text in said, said


def test_a_large_suite_can_be_narrowed(working_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    suite = "base: {data: ModularAddition, model: LSTM}\naxes: {modulus: [2..2001], batch_size: [1..2000]}\n"
    (working_folder / "input.yaml").write_text(suite)
    narrowed = ["--axes.modulus", "5", "--axes.batch_size", "[8, 9]"]
    assert main(["run", "input.yaml", "--dry_run", "--wandb.mode", "disabled", *narrowed]) == 0
    assert main(["run", "input.yaml", "--dry_run", "--axes.modulus", "2..1000000000"]) == 2
    assert "at most 10,000 numbers" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["--num_states", "1000000"], ["--num_states=4096", "--num_symbols=1000000000"]])
def test_random_automata(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["ls", "RandomAutomaton", *arguments]) == 2
    assert "an integer in 2.." in capfd.readouterr().err


@pytest.mark.parametrize("text", ["1," * 200_000, "1\n" * 6000, f"{'1' * 200_000}\n"])
def test_group_tables(text: str, working_folder: Path) -> None:
    (working_folder / "group.csv").write_text(text)
    with pytest.raises(BenchError, match="group table"):
        FiniteGroup("group.csv")


def test_shipped_automata_are_within_the_limits() -> None:
    assert Automaton("parity").num_states == 2
