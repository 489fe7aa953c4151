from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

from ib_bench.report.tables import to_csv, to_json, verdict_table
from rich.console import Console

from ib_bench.quantities.search.record import Evaluation, SearchRecord


def record(model: str, supervision: str, bracket: tuple[int, int | None], seconds: float = 75.0) -> SearchRecord:
    labels = {
        "model": model,
        "task": "ModularAddition",
        "task_args": {"modulus": 5},
        "supervision": supervision,
        "length_distribution": "uniform",
        "max_length": 6,
    }
    evaluation = Evaluation(bracket[1] or 4096, bracket[1] is not None, 0.5, bracket, ["a", "b"])
    config = {"experiment": {"model": {"class_path": f"ib_bench.models.{model}", "init_args": {}}}}
    return SearchRecord("k", config, labels, "finished", 4096, [evaluation], seconds, "2026-01-01T00:00:00+00:00")


RECORDS = [
    record("Transformer", "outcome", (4096, None)),
    record("LSTM", "outcome", (1_023, 1_024), seconds=3725),
    record("LSTM", "chain_of_thought", (0, 1), seconds=9),
]


def printed(table: object) -> str:
    console = Console(width=160, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_verdicts_are_readable() -> None:
    text = printed(verdict_table(RECORDS, "a title"))
    assert "a title" in text
    assert "ModularAddition(modulus=5) · uniform · L=6" in text
    for cell in ("> 4,096", "(4,096, ∞]", "1,024", "(1,023, 1,024]", "(0, 1]", "1m 15s", "1h 02m", "9s"):
        assert cell in text


def test_what_varies_is_a_column() -> None:
    assert "supervision" in printed(verdict_table(RECORDS, ""))
    assert "supervision" not in printed(verdict_table(RECORDS[:2], ""))


def test_models_of_one_name_are_told_apart() -> None:
    def of_width(width: int) -> SearchRecord:
        spec = {"class_path": "ib_bench.models.LSTM", "init_args": {"hidden_size": width, "num_layers": 1}}
        return replace(RECORDS[1], config={"experiment": {"model": spec}})

    text = printed(verdict_table([of_width(4), of_width(8), RECORDS[0]], ""))
    other_class = {"experiment": {"model": {"class_path": "mine.LSTM", "init_args": {}}}}
    assert "mine.LSTM" in printed(verdict_table([RECORDS[1], replace(RECORDS[1], config=other_class)], ""))
    assert "LSTM(hidden_size=4)" in text
    assert "LSTM(hidden_size=8)" in text
    assert "Transformer " in text
    assert "LSTM(" not in printed(verdict_table([of_width(4), of_width(4)], ""))


def test_no_searches() -> None:
    assert "nothing yet" in printed(verdict_table([], "nothing yet"))


def test_csv_and_json_hold_the_same() -> None:
    rows = [record.summary() for record in RECORDS]
    from_csv = list(csv.DictReader(io.StringIO(to_csv(rows))))
    from_json = json.loads(to_json(rows))
    assert [row["model"] for row in from_csv] == [row["model"] for row in from_json]
    assert from_csv[0]["task_args"] == "modulus=5"
    assert from_csv[0]["min_train_size"] == "" and from_json[0]["min_train_size"] is None
    assert from_json[1]["bracket"] == [1023, 1024]
    assert to_csv([]) == ""
