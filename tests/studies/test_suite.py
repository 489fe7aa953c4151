from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import yaml

from ib_bench.errors import BenchError
from ib_bench.studies.suite import Suite, covering, read_suite, suite_of

GROUPS = {
    "base": {"data": {"init_args": {"batch_size": 32}}, "search": {"seeds": [1], "max_steps": 5}},
    "axes": {
        "task": ["Adder", {"class_path": "Permuter", "init_args": {"batch_size": 8}}],
        "modulus": [2, "4..6"],
        "size": 3,
        "max_length": [4, 8],
        "model": ["LSTM", {"class_path": "Own", "overrides": {"search": {"max_steps": 9}}}],
        "length_distribution": ["fixed", "uniform"],
        "quantity": ["search", "sharing"],
    },
}


def parameters(class_path: str) -> Collection[str]:
    return {"Adder": {"modulus"}, "Permuter": {"size"}}[class_path] | {"max_length", "length_distribution"}


def written(folder: Path, content: Any) -> Path:
    path = folder / "groups.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    return read_suite(written(tmp_path, GROUPS))


def test_axes_count_for_the_tasks_that_take_them(suite: Suite) -> None:
    cells = suite.cells(parameters)
    by_task = {path: [c for c in cells if c.config["data"]["class_path"] == path] for path in ("Adder", "Permuter")}
    assert len(by_task["Adder"]) == 4 * 2 * 2 * 3  # moduli, lengths, models; N* twice, kappa at uniform only
    assert len(by_task["Permuter"]) == 1 * 2 * 2 * 3
    assert {cell.data_arguments["modulus"] for cell in by_task["Adder"]} == {2, 4, 5, 6}
    assert all("modulus" not in cell.data_arguments for cell in by_task["Permuter"])
    joint = {cell.data_arguments["length_distribution"] for cell in cells if cell.quantity == "sharing"}
    assert joint == {"uniform"}


def test_classes_bring_arguments_and_overrides(suite: Suite) -> None:
    cells = suite.cells(parameters)
    for cell in cells:
        config = cell.full_config
        assert config["search"] == {"seeds": [1], "max_steps": 9 if config["model"]["class_path"] == "Own" else 5}
        assert config["data"]["init_args"]["batch_size"] == (8 if "size" in cell.data_arguments else 32)
        assert "overrides" not in config["model"] and "max_length" in config["data"]["init_args"]


def test_the_last_axis_varies_fastest(suite: Suite) -> None:
    first, second = suite.narrowed({"length_distribution": "uniform"}).cells(parameters)[:2]
    assert (first.config, first.data_arguments) == (second.config, second.data_arguments)
    assert (first.quantity, second.quantity) == ("search", "sharing")


def test_narrowing(suite: Suite) -> None:
    narrow = suite.narrowed({"task": "Adder", "modulus": "5..6", "model": ["LSTM"], "max_length": 8})
    cells = narrow.cells(parameters)
    assert len(cells) == 2 * 3
    assert {cell.data_arguments["modulus"] for cell in cells} == {5, 6}
    assert {cell.config["model"]["class_path"] for cell in cells} == {"LSTM"}
    with pytest.raises(BenchError, match=r"axes.modulus must be among 2, 4, 5, 6, got 7"):
        suite.narrowed({"modulus": 7})
    with pytest.raises(BenchError, match=r"axes.modulus must be at least one of the axis' values, got \[\]"):
        suite.narrowed({"modulus": []})
    with pytest.raises(BenchError, match="unknown axis of suite 'groups', 'modulos', did you mean 'modulus'"):
        suite.narrowed({"modulos": 5})


def test_a_class_is_named_with_some_of_its_arguments(tmp_path: Path) -> None:
    given = [{}, {"width": 4}, {"width": 4, "gate": False}, {"width": 8, "gate": False}]
    models = [{"class_path": "Own", "init_args": arguments} for arguments in given]
    suite = suite_of("own", {**GROUPS, "axes": {**GROUPS["axes"], "model": models}})
    for chosen, kept in [
        ("Own", given),
        ("Own(width=4)", given[1:3]),
        ("Own(gate=False)", given[2:]),
        ("Own(gate=false, width=8)", given[3:]),
    ]:
        assert [model["init_args"] for model in suite.narrowed({"model": chosen}).axes["model"]] == kept
    known = r"among Own, Own\(width=4\), Own\(width=4, gate=False\), Own\(width=8, gate=False\), got"
    for chosen in ("Own(width=5)", "Own()", "Own(", "Own(}{)", "Own(width: 4)(", "Other(width=4)"):
        with pytest.raises(BenchError, match=known):
            suite.narrowed({"model": chosen})
    with pytest.raises(BenchError, match=r"axes.length_distribution must be among fixed, uniform"):
        suite.narrowed({"length_distribution": "fixed(width=4)"})


def test_a_cover_has_every_value_in_few_cells(suite: Suite) -> None:
    cells = suite.cells(parameters)
    few = covering(cells)
    assert len(few) < len(cells) / 4
    for axis in ("modulus", "size", "max_length", "length_distribution"):
        values = [{cell.data_arguments.get(axis) for cell in some} for some in (few, cells)]
        assert values[0] == values[1]
    assert {cell.quantity for cell in few} == {"search", "sharing"}


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({"modulus": []}, "axes.modulus must hold at least one value"),
        ({"modulus": None}, "axes.modulus must hold at least one value"),
        ({"modulus": "6..4"}, "a range must be ascending, such as 2..10, got '6..4'"),
        ({"modulus": [3, "2..4"]}, "axes.modulus must hold no value twice"),
        ({"quantity": ["kappa"]}, "unknown axes.quantity 'kappa'"),
        ({"model": [{"class": "LSTM"}]}, "axes.model must hold classes"),
        ({"model": [{"class_path": "LSTM", "overrides": {"serch": {}}}]}, "did you mean 'search'"),
        ({"model": [{"class_path": "LSTM", "init_args": [1]}]}, "must be mappings"),
        ({"task": None}, "axes.task must hold at least one value"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, axes: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        read_suite(written(tmp_path, {**GROUPS, "axes": {**GROUPS["axes"], **axes}}))


def test_an_axis_that_no_task_takes(tmp_path: Path) -> None:
    suite = read_suite(written(tmp_path, {**GROUPS, "axes": {**GROUPS["axes"], "modulos": [2]}}))
    with pytest.raises(BenchError, match="suite 'groups': unknown axis 'modulos', did you mean 'modulus'"):
        suite.cells(parameters)


def test_a_class_is_given_once(tmp_path: Path) -> None:
    base = {**GROUPS["base"], "model": "LSTM"}
    with pytest.raises(BenchError, match=r"either axes.model or base.model.class_path must be given, and not both"):
        read_suite(written(tmp_path, {**GROUPS, "base": base}))
