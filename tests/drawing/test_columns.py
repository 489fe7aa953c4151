from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_records import ACOT, OUTCOME, Point, paper_like, search
from rich.console import Console

from ib_bench import catalogue
from ib_bench.drawing.columns import (
    Column,
    Table,
    csv_cell,
    csv_text,
    flat_table,
    json_row,
    json_text,
    listing,
    summary,
    write_csv,
    write_parquet,
)
from ib_bench.drawing.terminal import MAX_ROWS
from ib_bench.drawing.trial_columns import TRIAL_COLUMNS
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.records import ClassSpec

KINDS = ["trials", *(quantity.name for quantity in catalogue.quantities())]
SEARCH = catalogue.quantity("search")


def exported(kind: str) -> Table:
    if kind == "trials":
        return flat_table(paper_like().trials, TRIAL_COLUMNS)
    quantity = catalogue.quantity(kind)
    return quantity.exported(quantity.results(paper_like()))


def printed(table: object) -> str:
    console = Console(width=160, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def with_model(record: SearchRecord, spec: ClassSpec) -> SearchRecord:
    experiment = replace(record.config.experiment, model=spec)
    return replace(record, config=replace(record.config, experiment=experiment))


@pytest.mark.parametrize("kind", KINDS)
def test_every_column_comes_back(tmp_path: Path, kind: str) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = exported(kind)
    assert len({len(values) for values in table.values()}) == 1
    write_parquet(table, tmp_path / "table.parquet")
    assert parquet.read_table(tmp_path / "table.parquet").to_pydict() == table
    write_csv(table, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    texts = {name: ["" if value is None else str(value) for value in values] for name, values in table.items()}
    assert {name: [row[name] for row in rows] for name in table} == texts


def test_nested_values_have_columns_of_their_own() -> None:
    trials = exported("trials")
    assert {"task_args.modulus", "model_args.hidden_size", "learning_rate", "best_val_loss"} <= trials.keys()
    assert len(trials["key"]) == len(paper_like().trials)
    lengths = exported("extrapolate")
    assert len(lengths["length"]) == sum(
        len(one.accuracies) for one in catalogue.quantity("extrapolate").results(paper_like())
    )
    assert {"num_train_sequences", "multiple", "normalized_final_state_accuracy", "num_states"} <= lengths.keys()


def test_values_of_several_types(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    write_parquet({"number": [1, 0.5, None], "mixed": ["S3", 4, None], "empty": [None] * 3}, tmp_path / "t.parquet")
    table = parquet.read_table(tmp_path / "t.parquet").to_pydict()
    assert table == {"number": [1.0, 0.5, None], "mixed": ["S3", "4", None], "empty": [None] * 3}


def test_no_cell_of_csv_is_a_formula() -> None:
    texts = ["=cmd|' /C calc'!A0", "+1+1", "-2e3", "@SUM(A1)", "plain", "\t=1"]
    written = list(csv.reader(io.StringIO(csv_text({"=name": texts, "number": [-1, 2, 3, 4, 5, None]}))))
    assert [row[0] for row in written] == ["'=name", f"'{texts[0]}", "'+1+1", "-2e3", "'@SUM(A1)", "plain", "' =1"]
    assert [row[1] for row in written[1:]] == ["-1", "2", "3", "4", "5", ""]


def test_a_number_with_an_interval_or_a_star_is_no_formula() -> None:
    for text in ("-0.49 [-1.92, 0.91]", "-0.02*", "-1,024 [-2,048, ?]", "-3 [-4, \N{INFINITY}]"):
        assert csv_cell(text) == text
    for text in ("-1 [cmd]", "-0.5+cmd", "-2 [=1]", "-a"):
        assert csv_cell(text) == f"'{text}"


def test_csv_json_and_the_summary_hold_the_same() -> None:
    records = [search(Point("LSTM", ACOT), 1024), search(Point("Transformer", OUTCOME), None)]
    rows = list(csv.DictReader(io.StringIO(csv_text(flat_table(records, SEARCH.columns)))))
    plain = [json_row(record, SEARCH.columns) for record in records]
    assert [row["model"] for row in rows] == [row["model"] for row in plain] == ["LSTM", "Transformer"]
    assert rows[0]["task_args.modulus"] == "5" and plain[0]["task_args"] == {"modulus": 5}
    assert rows[1]["min_train_size"] == "" and plain[1]["min_train_size"] is None
    assert rows[1]["min_train_size_is_above"] == "4096"
    assert plain[0]["bracket"] == [1023, 1024]
    logged = summary(records[0], SEARCH.columns)
    assert logged["min_train_size"] == 1024 and "model" not in logged
    assert logged.items() <= plain[0].items()
    assert json_text(plain).endswith("]\n")
    assert csv_text({}) == ""


class TestListings:
    def test_verdicts_are_readable(self) -> None:
        records = [
            replace(search(Point("LSTM", OUTCOME), 1024), wall_time_s=3725.0),
            replace(search(Point("Transformer", OUTCOME), None), wall_time_s=75.0),
        ]
        text = printed(SEARCH.listing(records, "a title"))
        assert "a title" in text and SEARCH.note in text
        assert "ModularAddition(modulus=5) · outcome · uniform · L=4" in text
        for cell in ("> 4,096", "(4,096, ∞]", "1,024", "(1,023, 1,024]", "1m 15s", "1h 02m"):
            assert cell in text

    def test_what_varies_is_a_column(self) -> None:
        one, other = search(Point("LSTM", OUTCOME), 9), search(Point("LSTM", ACOT), 9)
        assert "supervision" in printed(SEARCH.listing([one, other], ""))
        assert "supervision" not in printed(SEARCH.listing([one, one], ""))

    def test_models_of_one_name_are_told_apart(self) -> None:
        def of_width(width: int) -> SearchRecord:
            return with_model(record, ClassSpec("ib_bench.models.LSTM", {"hidden_size": width, "num_layers": 1}))

        record, transformer = search(Point("LSTM", ACOT), 9), search(Point("Transformer", ACOT), 9)
        text = printed(SEARCH.listing([of_width(4), of_width(8), transformer], ""))
        assert "LSTM(hidden_size=4)" in text and "LSTM(hidden_size=8)" in text and "Transformer " in text
        assert "LSTM(" not in printed(SEARCH.listing([of_width(4), of_width(4)], ""))
        assert "mine.LSTM" in printed(SEARCH.listing([record, with_model(record, ClassSpec("mine.LSTM"))], ""))

    def test_beyond_some_hundred_rows_the_rest_is_counted(self) -> None:
        columns: list[Column[Any]] = [Column("n", lambda n: n, "n", is_label=True), Column("m", lambda n: n, "m")]
        text = printed(listing(range(MAX_ROWS + 12), columns, "many"))
        assert "12 more rows; --format csv lists all" in text
        assert f" {MAX_ROWS - 1}" in text and f" {MAX_ROWS}\n" not in text

    def test_no_rows(self) -> None:
        assert "nothing yet" in printed(SEARCH.listing([], "nothing yet"))

    @pytest.mark.parametrize("name", [quantity.name for quantity in catalogue.quantities()])
    def test_a_result_in_detail(self, name: str) -> None:
        quantity = catalogue.quantity(name)
        result = quantity.results(paper_like())[0]
        text = printed(quantity.detail(result, ["and a note"]))
        assert quantity.note in text and "and a note" in text
        assert "ModularAddition(modulus=2)" in text
