"""Scores of a small protocol, made up: what the tests of cards, leagues and submissions rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from made_up_records import ACOT, OUTCOME, Point, curve, extrapolation, trial

from ib_bench.results.archive import Records
from ib_bench.results.records import ClassSpec, Record
from ib_bench.results.trial_record import TrialRecord
from ib_bench.scoring.protocol import Budget, read_budget

PROTOCOL = """
budgets:
  small:
    base:
      data: {init_args: {batch_size: 64}}
      search: {learning_rates: [0.003], seeds: [10], max_size: 4096}
      curve: {first_seed: 10}
    cells:
      - algebra: abelian
        measures: [size]
        axes: {task: ModularAddition, modulus: 5, length_distribution: uniform, supervision: outcome, max_length: 4}
      - algebra: abelian
        measures: [size, slope, kappa, extrapolation]
        axes:
          {task: ModularAddition, modulus: 5, length_distribution: uniform, supervision: aligned_chain_of_thought,
          max_length: 4}
      - algebra: abelian
        measures: [slope]
        axes:
          {task: ModularAddition, modulus: 5, length_distribution: uniform, supervision: aligned_chain_of_thought,
          max_length: [6, 9]}
      - algebra: abelian
        measures: [kappa]
        axes:
          {task: ModularAddition, modulus: 5, length_distribution: fixed, supervision: aligned_chain_of_thought,
          max_length: 2..4}
  large:
    base: {search: {learning_rates: [0.003], max_size: 65536}}
    cells:
      - algebra: abelian
        measures: [size]
        axes: {task: ModularAddition, modulus: 5, length_distribution: uniform, supervision: outcome, max_length: 4}
"""

NUM_CELLS = 8
POINTS = {
    "outcome": Point("", OUTCOME),
    "aligned": Point("", ACOT),
    "L=6": Point("", ACOT, max_length=6),
    "L=9": Point("", ACOT, max_length=9),
    **{f"fixed {length}": Point("", ACOT, "fixed", length) for length in (2, 3, 4)},
}
"""The curves of the protocol."""


def budget(folder: Path, name: str = "small") -> Budget:
    """The protocol at one of its budgets; its file is ``made-up.yaml``."""
    path = folder / "made-up.yaml"
    path.write_text(PROTOCOL)
    return read_budget(str(path), name)


def score_records(model: str, n50: Mapping[str, float], accuracy: float | None = 0.5, hidden_size: int = 8) -> Records:
    """The records of one model.

    Args:
        model: name of a shipped class.
        n50: of the cells that are there, by their name in ``POINTS``; infinite above the largest size.
        accuracy: at 2 L; None leaves the extrapolation out.
        hidden_size: of the model.
    """
    records: list[Record] = []
    for name, size in n50.items():
        point = replace(POINTS[name], model=model)
        records += [curve(point, size), _trial(point)]
    if accuracy is not None:
        records.append(extrapolation(replace(POINTS["aligned"], model=model), accuracy))
    return Records.of_all(resized(record, hidden_size) for record in {one.key: one for one in records}.values())


def resized(record: Record, hidden_size: int) -> Record:
    """The same record of a model of another width; its trials keep their keys, which only made-up records may."""
    if hidden_size == 8 or isinstance(record, TrialRecord):
        return record
    experiment = record.config.experiment
    model = ClassSpec(experiment.model.class_path, {"hidden_size": hidden_size})
    config = replace(record.config, experiment=replace(experiment, model=model))  # type: ignore[type-var]
    return replace(record, key=config.key, config=config)  # type: ignore[type-var]


def every_cell(size: float, kappa: float = 1.0) -> dict[str, float]:
    """N50 of all cells: the same everywhere, but for kappa at one length alone."""
    return {name: size * (kappa / 3 if name.startswith("fixed") else 1) for name in POINTS}


def _trial(point: Point) -> TrialRecord:
    record = trial(point, point.max_size)
    numbers = {"num_parameters": 1000, "state_sizes": [8, 8]}
    where = {"device": "cpu", "platform": "Linux"}
    return replace(record, wall_time_s=0.3, versions={"torch": "2.9"}, environment=where, **numbers)


def tiny_protocol(learning_rates: list[float], multiples: list[float]) -> str:
    """A protocol of one curve and one extrapolation, each of seconds, as a file has it.

    Args:
        learning_rates: among which the pilot chooses.
        multiples: lengths of the extrapolation.
    """
    return f"""
budgets:
  tiny:
    base:
      data: {{init_args: {{batch_size: 16}}}}
      search: {{learning_rates: {learning_rates}, seeds: [10], threshold: 0.5, max_steps: 100, max_size: 32}}
      curve: {{first_seed: 10, pilot_trials: 1, interval_factor: 8.0, max_trials: 3}}
      extrapolation: {{multiples: {multiples}, num_sequences: 20}}
    cells:
      - algebra: abelian
        measures: [size, extrapolation]
        axes:
          {{task: ModularAddition, modulus: 3, length_distribution: uniform, supervision: aligned_chain_of_thought,
          max_length: 4}}
"""
