from __future__ import annotations

import csv
from pathlib import Path

import pytest
from ib_bench.report.flat_columns import KINDS, Columns, write_csv, write_parquet
from made_up_records import paper_like

from ib_bench.results.store import Store


def columns(store: Store, kind: str) -> Columns:
    records = paper_like()
    store.add_all([*records.trials, *records.searches, *records.extrapolations])
    return KINDS[kind](store)


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_comes_back(store: Store, tmp_path: Path, kind: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = columns(store, kind)
    write_parquet(table, tmp_path / "table.parquet")
    assert parquet.read_table(tmp_path / "table.parquet").to_pydict() == table
    write_csv(table, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    texts = {name: ["" if value is None else str(value) for value in values] for name, values in table.items()}
    assert {name: [row[name] for row in rows] for name in table} == texts


def test_nested_values_have_columns_of_their_own(store: Store) -> None:
    trials = columns(store, "trials")
    assert {"task_args.modulus", "model_args.hidden_size", "learning_rate", "best_val_loss"} <= trials.keys()
    assert len(trials["key"]) == len(paper_like().trials)
    lengths = {len(values) for kind in KINDS for values in KINDS[kind](store).values()}
    records = paper_like()
    num_accuracies = sum(len(record.accuracies) for record in records.extrapolations)
    assert lengths == {len(records.trials), len(records.searches), num_accuracies}


def test_values_of_several_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet({"number": [1, 0.5, None], "mixed": ["S3", 4, None], "empty": [None] * 3}, tmp_path / "t.parquet")
    table = parquet.read_table(tmp_path / "t.parquet").to_pydict()
    assert table == {"number": [1.0, 0.5, None], "mixed": ["S3", "4", None], "empty": [None] * 3}
