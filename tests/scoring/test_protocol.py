"""Protocols: what is published stays as it is, and records are found by what they say."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from made_up_records import ACOT, Point, curve, extrapolation
from made_up_scores import NUM_CELLS, PROTOCOL, budget

from ib_bench.errors import BenchError
from ib_bench.quantities.curve.record import CurveSettings
from ib_bench.quantities.extrapolation.job import ExtrapolationJob
from ib_bench.results.records import DataSpec
from ib_bench.runner.scoring import model_config, score_plan
from ib_bench.scoring.protocol import identity_of, read_budget, shipped_protocols
from ib_bench.scoring.shelf import shelf

PUBLISHED = {"score-v1": "f4f1e90a67ed09f8758024a24086b72e616f1daa888196f61f9f87ac9e63e67e"}
"""SHA-256 of what each published protocol says, without its comments. A digest is added, and never changed."""


def test_published_protocols_never_change() -> None:
    found = {}
    for name, path in shipped_protocols().items():
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        found[name] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    assert found == PUBLISHED


@pytest.fixture(autouse=True)
def no_warnings_of_jsonargparse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # caused by Lightning's calls, as in the command


@pytest.mark.parametrize("name", ["laptop", "gpu"])
def test_score_v1_holds_what_it_promises(name: str) -> None:
    own = read_budget("score-v1", name)
    sizes = own.of("size")
    assert {cell.algebra for cell in sizes} == {"abelian", "solvable", "not solvable", "memory"}
    assert {cell.labels.supervision for cell in sizes} == {"outcome", "chain_of_thought", ACOT}
    assert {cell.algebra for cell in own.of("extrapolation")} == {cell.algebra for cell in sizes}
    assert len({cell.labels.max_length for cell in own.of("slope")}) == 3
    kappa = [(cell.labels.length_distribution, cell.labels.max_length) for cell in own.of("kappa")]
    lengths = {length for distribution, length in kappa if distribution == "fixed"}
    (joint,) = [cell for cell in own.of("kappa") if cell.labels.length_distribution == "uniform"]
    assert lengths == set(range(joint.data.presentation.min_length or 0, max(lengths) + 1))


@pytest.mark.parametrize("name", ["laptop", "gpu"])
def test_the_cells_are_those_that_are_measured(name: str, tmp_path: Path) -> None:
    """Cells are read from a file without loading torch, and jobs by building everything; their records must agree."""
    own = read_budget("score-v1", name)
    plan = score_plan([model_config("Majority")], own, tmp_path / "store.sqlite")
    for job in plan.jobs.values():
        pool_size = job.search.pool_size if isinstance(job, ExtrapolationJob) else job.pool_size  # type: ignore[attr-defined]
        assert pool_size >= own.cells[0].max_size, job.label  # no pool can be exhausted
    measured = [identity_of(job) for job in plan.jobs.values()]  # type: ignore[arg-type]  # a job has a config, too
    assert sorted(map(str, measured)) == sorted(cell.identity for cell in own.cells)


def test_a_model_that_looks_ahead_is_measured_only_where_that_is_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = "from ib_bench.models.gru import GRU\n\n\nclass Backwards(GRU):\n    def forward(self, tokens):\n"
    (tmp_path / "my_backwards.py").write_text(own + "        return super().forward(tokens.flip(1))\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    arguments = [model_config("my_backwards.Backwards")], budget(tmp_path, "large"), tmp_path / "store.sqlite"
    with pytest.raises(BenchError, match=r"^model my_backwards.Backwards looks ahead"):
        score_plan(*arguments)
    (job,) = score_plan(*arguments, allow_lookahead=True).jobs.values()
    assert job.config.experiment.looks_ahead


def test_a_model_is_checked_anew_on_longer_sequences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = "from ib_bench.models.gru import GRU\n\n\nclass LongBackwards(GRU):\n    def forward(self, tokens):\n"
    own += "        return super().forward(tokens.flip(1) if tokens.shape[1] > 24 else tokens)\n"
    (tmp_path / "long_backwards.py").write_text(own)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    models = [model_config("long_backwards.LongBackwards")]
    found = []
    for lengths in ("[6, 40]", "[40, 6]"):
        text = PROTOCOL.replace("max_length: 4}\n", f"max_length: {lengths}}}\n")
        (tmp_path / "lengths.yaml").write_text(text.replace("[size]", "[slope]"))
        own_budget = read_budget(str(tmp_path / "lengths.yaml"), "large")
        plan = score_plan(models, own_budget, tmp_path / "store.sqlite", allow_lookahead=True)
        experiments = [job.config.experiment for job in plan.jobs.values()]
        found.append({one.labels.max_length: one.looks_ahead for one in experiments})
    assert found == [{6: False, 40: True}] * 2


def test_every_model_of_the_shelf_can_be_measured(tmp_path: Path) -> None:
    own = budget(tmp_path, "large")
    models = [model_config(model) for model in shelf()]
    assert len(score_plan(models, own, tmp_path / "store.sqlite").jobs) == len(models) > 15


class TestIdentity:
    def test_a_record_belongs_to_a_cell_whatever_its_model(self, tmp_path: Path) -> None:
        identities = {cell.identity for cell in budget(tmp_path).cells}
        for model in ("LSTM", "DenseSSM"):
            assert identity_of(curve(Point(model, ACOT), 50)) in identities
            assert identity_of(extrapolation(Point(model, ACOT), 0.5)) in identities

    def test_a_record_under_other_settings_does_not(self, tmp_path: Path) -> None:
        identities = {cell.identity for cell in budget(tmp_path).cells}
        record = curve(Point("LSTM", ACOT), 50)
        config = record.config
        others = [
            replace(config, settings=CurveSettings(first_seed=11)),
            replace(config, search=replace(config.search, max_steps=7)),
            replace(config, prior=replace(config.prior, max_spread=3.0)),
            replace(config, experiment=config.experiment.with_data(batch_size=32)),
            replace(config, experiment=replace(config.experiment, trainer={"precision": "bf16-mixed"})),
        ]
        for other in others:
            assert identity_of(replace(record, config=other)) not in identities

    def test_options_that_do_not_identify_a_record_do_not_matter(self, tmp_path: Path) -> None:
        record = curve(Point("LSTM", ACOT), 50)
        config = replace(record.config, search=replace(record.config.search, spread=4))
        assert identity_of(replace(record, config=config)) == identity_of(record)

    def test_budgets_share_no_cells(self, tmp_path: Path) -> None:
        small, large = (budget(tmp_path, name) for name in ("small", "large"))
        assert len(small.cells) == NUM_CELLS
        assert not {cell.identity for cell in small.cells} & {cell.identity for cell in large.cells}


OWN = """
budgets:
  small:
    base: {search: {learning_rates: [0.003], seeds: [10], max_size: 4096}}
    cells:
      - algebra: abelian
        measures: [size]
        axes: {AXES}
"""


@pytest.mark.parametrize(
    "axes",
    [
        "{task: ModularAddition, modulus: 5, max_length: 9, supervision: outcome}",  # the example of the module
        "{task: ModularAddition, max_length: 9, min_length: 2, length_distribution: uniform}",
        "{task: CycleNavigation, num_positions: 5, max_length: 6, batch_size: 64}",
        "{task: ib_bench.data.FlipFlop, num_values: 2, max_length: 6}",
        "{task: FlipFlop, num_values: 3, max_length: 6, batch_size: 32}",
    ],
)
def test_a_cell_may_name_defaults_or_leave_them_out(axes: str, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace("{AXES}", axes))
    own = read_budget(str(tmp_path / "own.yaml"), "small")
    (job,) = score_plan([model_config("Majority")], own, tmp_path / "store.sqlite").jobs.values()
    (cell,) = own.cells
    assert identity_of(job) == cell.identity  # type: ignore[arg-type]  # a job has a config, too
    assert cell.labels == replace(job.config.experiment.labels, model="")


def test_data_of_ones_own_are_not_imported_to_read_a_protocol(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(OWN.replace("{AXES}", "{task: no_such_module.OwnData, max_length: 6}"))
    (cell,) = read_budget(str(tmp_path / "own.yaml"), "small").cells
    assert cell.data == DataSpec("no_such_module.OwnData", {"max_length": 6})


BAD = {
    "no mapping": ("[]", "one key budgets"),
    "other keys": ("budgets: {}\nversion: 2", "one key budgets"),
    "no budget": ("budgets: {other: {}}", "unknown budget 'small'"),
    "no cells": ("budgets: {small: {base: {}}}", "two keys base and cells"),
    "cell": ("budgets: {small: {base: {}, cells: [1]}}", "algebra, measures and axes"),
    "measure": (PROTOCOL.replace("[size]", "[seize]", 1), "unknown measure 'seize'"),
    "measures": (PROTOCOL.replace("[size]", "size", 1), "measures must be a list of size, kappa"),
    "algebra": (PROTOCOL.replace("algebra: abelian", "algebra: 5", 1), "algebra must be a text, got 5"),
    "base": ("budgets: {small: {base: abc, cells: []}}", "budgets.small.base must be a mapping"),
    "same name": (
        PROTOCOL.replace("measures: [slope]", "measures: [slope, size]"),
        "3 cells that count for size have the algebra 'abelian' and the supervision 'aligned_chain_of_thought'",
    ),
    "setting": (PROTOCOL.replace("seeds:", "sedes:", 1), "sedes"),
    "YAML": ("a: [", "cannot be read"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_a_file_that_is_no_protocol(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(BenchError, match=r"protocol '.*bad.yaml'.*") as raised:
        read_budget(str(tmp_path / "bad.yaml"), "small")
    assert told in str(raised.value)


def test_a_published_name_cannot_be_taken(tmp_path: Path) -> None:
    (tmp_path / "score-v1.yaml").write_text(PROTOCOL)
    with pytest.raises(BenchError, match="must have another name than score-v1"):
        read_budget(str(tmp_path / "score-v1.yaml"), "small")
    with pytest.raises(BenchError, match="unknown protocol 'score-v0'"):
        read_budget("score-v0")


class TestModels:
    @pytest.mark.parametrize(
        ("text", "name", "arguments"),
        [
            ("LSTM", "LSTM", {}),
            ("LSTM(hidden_size=64)", "LSTM", {"hidden_size": 64}),
            (
                "my.Own(sizes=[1, 2], kind='a(b)', more={'x': None})",
                "my.Own",
                {"sizes": [1, 2], "kind": "a(b)", "more": {"x": None}},
            ),
        ],
    )
    def test_texts(self, text: str, name: str, arguments: dict[str, object]) -> None:
        assert model_config(text) == {"class_path": name, "init_args": arguments}

    def test_classes(self) -> None:
        class Local:
            pass

        assert model_config(Path)["class_path"] in ("pathlib.Path", "pathlib._local.Path")
        with pytest.raises(BenchError, match="define it at the top level"):
            model_config(Local)

    @pytest.mark.parametrize("text", ["LSTM(64)", "LSTM(hidden_size=size)", "LSTM(", "LSTM(a=1)(b=2)", "1+1(a=2)"])
    def test_bad_texts(self, text: str) -> None:
        with pytest.raises(BenchError, match="model must be a class"):
            model_config(text)
