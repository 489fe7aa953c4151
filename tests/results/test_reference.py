"""The reference results are in the package, and reports and claims take them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ib_bench.cli import main
from ib_bench.quantities.search.record import SearchConfig
from ib_bench.results.identity import PROTOCOL_VERSION
from ib_bench.results.records import Experiment
from ib_bench.results.reference import reference_records
from ib_bench.results.trial_record import TrialConfig


def test_they_are_results_of_this_protocol() -> None:
    records = reference_records()
    assert len(records.finished) == len(records.searches) > 0
    assert PROTOCOL_VERSION == 2
    for record in records.searches:
        config = SearchConfig(Experiment(**record.config.experiment), record.config.settings)
        assert config.key == record.key
    for trial in records.trials:
        experiment = Experiment(**trial.config.experiment)
        assert TrialConfig(**{**trial.config, "experiment": experiment}).key == trial.key
    trials = {trial.key for trial in records.trials}
    assert trials >= {key for record in records.searches for e in record.evaluations for key in e.trials}
    assert {record.trial for record in records.extrapolations} <= trials


def test_report_and_claims_without_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["claims", "--reference", "--format", "json"]) == 0
    claims = json.loads(capsys.readouterr().out)
    assert [claim["source"] for claim in claims] == ["reference"] * 10
    assert any(claim["verdict"] != "not enough data" for claim in claims)
    assert all(claim["rule"] and claim["to_measure"] for claim in claims)
    assert main(["report", "--reference"]) == 0
    assert "report: report/report.html" in capsys.readouterr().out
    assert not (tmp_path / "ib_bench.sqlite").exists()
    assert main(["report"]) == 2
    assert "does not exist" in capsys.readouterr().err
