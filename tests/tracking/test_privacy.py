"""What is meant to be shared names no host, user, path or command line."""

from __future__ import annotations

import gzip
import json
import socket
import sys
from pathlib import Path

import pytest
from damage import write_store
from made_up_records import ACOT, Point, search, trial
from offline_runs import inspect

from ib_bench.cli import main
from ib_bench.execution.inline import Inline
from ib_bench.quantities.search.job import SearchJob
from ib_bench.quantities.search.record import SearchRecord, SearchSettings
from ib_bench.report.html import page_data
from ib_bench.results.records import Experiment
from ib_bench.results.store import Store
from ib_bench.runner.jobs import Output, run_jobs
from ib_bench.tracking.settings import WandbSettings

POINT = Point("LSTM", ACOT)


@pytest.fixture
def private(in_tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What must stay private: the host, the folder, the interpreter and the arguments of the command."""
    monkeypatch.setattr(sys, "argv", ["ib-bench", "a-secret-argument"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, value in {"HOME": "/home/a-secret-user", "LOGNAME": "a-secret-user", "USER": "a-secret-user"}.items():
        monkeypatch.setenv(name, value)
    names = ["a-secret-argument", "a-secret-user", f'"{socket.gethostname()}"']
    return [str(in_tmp_path), sys.executable, *names]


@pytest.mark.system
def test_a_run_of_wandb(private: list[str], in_tmp_path: Path) -> None:
    write_store(in_tmp_path / "store.sqlite", [search(POINT, 64), trial(POINT, 4096)])
    assert main(["wandb", "sync-store", "--wandb.mode=offline", "--store", str(in_tmp_path / "store.sqlite")]) == 0
    runs = list((in_tmp_path / "wandb").glob("offline-run-*"))
    assert runs
    for run in runs:
        lines = [line for line in inspect(run, "--json").splitlines() if '"type":"artifact"' not in line]
        for text in private:  # an artifact's local path stays here
            assert not any(text in line for line in lines), text


@pytest.mark.system
def test_exports_and_reports(private: list[str], in_tmp_path: Path, experiment: Experiment) -> None:
    path = in_tmp_path / "store.sqlite"
    settings = SearchSettings(learning_rates=[0.001], seeds=[1], max_steps=2, max_size=2)
    job = SearchJob(experiment, settings, 2, num_states=3)
    run_jobs([job], Inline(), Output(path, WandbSettings(mode="disabled")))
    with Store(path, create=False) as store:
        assert len(list(store.all(SearchRecord))) == 1
        assert socket.gethostname() in "".join(store.runs().values())  # as the README says
    for file in ("records.jsonl.gz", "records.csv"):
        assert main(["store", "export", file, "--store", str(path)]) == 0
    assert main(["report", "--out", "report", "--store", str(path)]) == 0
    written = [file for file in in_tmp_path.rglob("*") if file.is_file() and file.suffix in (".gz", ".csv", ".html")]
    written += list((in_tmp_path / "report").rglob("*.yaml"))
    assert len(written) > 4
    for file in written:
        content = gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        if file.suffix == ".html":
            content += json.dumps(page_data(content.decode())).encode()
        for text in private:
            assert text.encode() not in content, (file, text)
