"""Filters of ``ib-bench results`` and ``ib-bench trials``."""

from __future__ import annotations

from pathlib import Path

import pytest
from damage import write_store
from made_up_records import ACOT, Point, search, trial

from ib_bench.cli import main


@pytest.mark.parametrize("command", ["results", "trials"])
def test_what_there_is_instead(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    point = Point("LSTM", ACOT)
    write_store(Path("a.sqlite"), [search(point, 64), trial(point, 4096)])
    assert main([command, "--store", "a.sqlite", "--format", "csv", "--model", "[red]"]) == 0
    assert capsys.readouterr().err == "ib-bench: no row has the model '[red]'; there are: LSTM\n"
    assert main([command, "--store", "a.sqlite", "--format", "csv", "--max_length", "9"]) == 0
    assert capsys.readouterr().err == "ib-bench: no row has the max length 9; there are: 4\n"
    for value in (["--model", "LSTM"], ["--model", "LSTM", "--max_length", "4"]):
        assert main([command, "--store", "a.sqlite", "--format", "csv", *value]) == 0
        assert capsys.readouterr().err == ""
