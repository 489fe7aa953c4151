"""``ib-bench doctor`` as a user calls it."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest
from damage import flip_in_page, write_store
from made_up_records import paper_like

from ib_bench.cli import doctor, main

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_MODE", "offline")
    return tmp_path


def test_everything_is_in_order_here(working_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    printed = capsys.readouterr().out
    for part in ("torch 2", "cores", "processes", "ray", "slurm", "GB free", "ib_bench.sqlite does not exist yet"):
        assert part in printed
    assert "offline (WANDB_MODE is offline; server not contacted)" in printed
    assert "a second run gives the same losses bit for bit" in printed
    assert list(working_folder.iterdir()) == []


def test_every_extra_is_looked_for() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: needed for name, needed in project["optional-dependencies"].items() if name != "dev"}
    packages = {re.split(r"\W*[<>=]", text)[0].replace("-", "_"): name for name, (text,) in extras.items()}
    assert packages == doctor._EXTRAS


def test_what_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    write_store(Path("bad.sqlite"), paper_like().trials)
    flip_in_page(Path("bad.sqlite"), "trials")
    monkeypatch.setenv("WANDB_MODE", "of line")
    monkeypatch.setattr("ib_bench.cli.self_test._BRACKET", (64, 128))  # as if nothing could be learned
    monkeypatch.setattr("ib_bench.cli.doctor.cpp_compiler", lambda: None)
    for name, text in (("sbatch", ""), ("scontrol", "echo Slurmctld is DOWN; exit 1")):
        Path(name).write_text(f"#!/bin/sh\n{text}\n")
        Path(name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{Path.cwd()}{os.pathsep}{os.environ['PATH']}")
    assert main(["doctor", "--store", "bad.sqlite", "--format", "json"]) == 1
    states = {finding["check"]: finding["state"] for finding in json.loads(capsys.readouterr().out)}
    assert states["store"] == "damaged"
    assert states["W&B"] == states["self-test (cpu)"] == "failure"
    assert states["C++ compiler"] == states["slurm"] == "warning"
    assert states["versions"] == states["disk"] == "ok"
