"""Published results held against made-up records, and their table on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ib_bench.cli import main
from ib_bench.quantities.extrapolation.record import (
    ExtrapolationConfig,
    ExtrapolationRecord,
    ExtrapolationSettings,
    LengthAccuracy,
)
from ib_bench.quantities.search.record import SearchSettings
from ib_bench.results.archive import Records
from ib_bench.results.identity import Json
from ib_bench.results.records import ClassSpec, DataSpec, Experiment
from ib_bench.results.store import Store
from ib_bench.studies.published import PUBLISHED, Outcome, Replication, replications

MAX_LENGTH = 16


def record(
    accuracy: float,
    succeeded: bool = True,
    multiple: int = 16,
    model: Json | None = None,
    modulus: int = 2,
    at_length: float = 1.0,
) -> ExtrapolationRecord:
    """DeltaNet on sums, trained on up to 16 symbols with outcome supervision."""
    data = {"modulus": modulus, "max_length": MAX_LENGTH, "length_distribution": "uniform", "supervision": "outcome"}
    experiment = Experiment(
        ClassSpec("ib_bench.models.DeltaNet", {"hidden_size": 64, **(model or {})}),
        DataSpec("ib_bench.data.ModularAddition", data),
    )
    config = ExtrapolationConfig(experiment, SearchSettings(), ExtrapolationSettings([1.0, float(multiple)]))
    lengths = [(MAX_LENGTH, at_length), (multiple * MAX_LENGTH, accuracy)]
    accuracies = [LengthAccuracy("teacher_forced", length, 100, one, one, one, one, [one]) for length, one in lengths]
    return ExtrapolationRecord(config.key, config, 8192, "0" * 32, succeeded, accuracies, "2026-01-01", modulus)


def delta_net(records: list[ExtrapolationRecord], negative: bool, source: str = "2411.12537") -> Replication:
    """What the records say of DeltaNet on parity."""
    (found,) = [
        one
        for one in replications(Records.of_all(records))
        if source in one.published.source
        and one.published.model == "DeltaNet"
        and one.published.task == "ModularAddition"
        and one.published.arguments["negative_eigenvalues"] is negative
    ]
    return found


NEGATIVE = {"negative_eigenvalues": True}


@pytest.mark.parametrize(
    ("negative", "accuracy", "solves", "outcome"),
    [
        (False, 0.1, True, "agrees"),
        (False, 0.1, False, "agrees"),
        (False, 0.95, True, "differs"),
        (True, 0.95, True, "agrees"),
        (True, 0.5, True, "differs"),
        (True, 0.5, False, "budget missing"),
    ],
)
def test_the_side_of_the_bound_is_compared(negative: bool, accuracy: float, solves: bool, outcome: Outcome) -> None:
    own = record(accuracy, solves, model={"negative_eigenvalues": negative}, at_length=1.0 if solves else 0.98)
    found = delta_net([own], negative)
    assert (found.outcome, found.record) == (outcome, own)
    assert delta_net([own], not negative).outcome == "not measured"


def test_a_model_solves_its_lengths_by_its_loss_or_by_its_accuracy() -> None:
    for succeeded, at_length, solves in [(True, 0.9, True), (False, 0.99, True), (False, 0.98, False)]:
        found = delta_net([record(0.5, succeeded, model=NEGATIVE, at_length=at_length)], negative=True)
        assert found.solves is solves
        assert found.outcome == ("differs" if solves else "budget missing")
    assert not delta_net([], negative=True).solves


def test_what_matters_must_fit_given_or_by_default() -> None:
    gated = record(0.1, model={"gate": True})
    assert delta_net([gated, record(0.1, modulus=3)], negative=False).record is None
    assert delta_net([record(0.1)], negative=False).outcome == "agrees"


def test_other_classes_and_tasks_of_the_same_name_do_not_count() -> None:
    own = record(0.1)
    data = own.config.experiment.data
    for changed in (
        DataSpec("my_tasks.ModularAddition", data.init_args),
        data.with_arguments(held_out_pairs=[[0, 1]]),
    ):
        config = replace(own.config, experiment=replace(own.config.experiment, data=changed))
        assert delta_net([replace(own, key=config.key, config=config)], negative=False).outcome == "not measured"


def test_lengths_near_those_of_training_do_not_count() -> None:
    assert delta_net([record(0.1, multiple=4)], negative=False).outcome == "not measured"


def test_the_best_of_several_records_counts() -> None:
    best = record(0.97, model={**NEGATIVE, "num_layers": 1})
    assert delta_net([record(0.4, model=NEGATIVE), best], negative=True).record == best


def test_unscaled_numbers_are_scaled() -> None:
    by_source = {(one.source[:16], one.model, one.task): one for one in PUBLISHED}
    transformer = by_source["arXiv 2509.22284", "Transformer", "ModularAddition"]
    assert transformer.scaled == pytest.approx(0.04) and not transformer.generalises
    assert by_source["arXiv 2509.22284", "PDSSM", "CycleNavigation"].generalises


def test_every_published_model_and_task_exists() -> None:
    for one in PUBLISHED:
        experiment = record(0.5).config.experiment
        model = ClassSpec(f"ib_bench.models.{one.model}", dict(one.arguments))
        data = DataSpec(f"ib_bench.data.{one.task}", {**experiment.data.init_args, **one.task_arguments})
        own = replace(experiment, model=model, data=data.with_arguments(supervision=one.supervision))
        assert one.is_of(replace(record(0.5), config=replace(record(0.5).config, experiment=own)))


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    with Store(tmp_path / "ib_bench.sqlite") as store:
        store.add_all([record(0.95, model=NEGATIVE)])
    assert main(["claims", "--published"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "agrees" in line]
    assert len(lines) == 2 and all("0.95" in line and "256 (L = 16)" in line for line in lines)
    assert main(["claims", "--published", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == len(PUBLISHED)
    assert {row["outcome"] for row in rows} == {"agrees", "not measured"}
