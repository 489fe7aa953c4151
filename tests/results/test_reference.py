"""The reference results are in the package, and reports and claims take them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ib_bench.cli import main
from ib_bench.quantities.extrapolation.record import ExtrapolationRecord
from ib_bench.quantities.search.record import SearchRecord
from ib_bench.results.reference import reference_records


def test_they_are_complete() -> None:
    records = reference_records()
    assert str(records) == "1,023 trials, 0 curves, 396 searches, 0 saturations, 216 extrapolations"
    assert len(records.finished(SearchRecord)) == 396
    trials = {trial.key for trial in records.trials}
    for kind in (SearchRecord, ExtrapolationRecord):
        assert all(trials.issuperset(record.trials) for record in records.of(kind))


def test_report_and_claims_without_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["claims", "--reference", "--format", "json"]) == 0
    claims = json.loads(capsys.readouterr().out)
    assert [claim["source"] for claim in claims] == ["reference"] * 10
    statements = [statement for claim in claims for statement in claim["statements"]]
    assert all(statement["pairs"] for statement in statements)
    assert sum(statement["count"]["true"] + statement["count"]["false"] for statement in statements) > 0
    assert all(claim["rule"] and claim["to_measure"] for claim in claims)
    assert main(["report", "--reference"]) == 0
    assert "report: report/report.html" in capsys.readouterr().out
    assert not (tmp_path / "ib_bench.sqlite").exists()
    assert main(["report"]) == 2
    assert "does not exist" in capsys.readouterr().err
