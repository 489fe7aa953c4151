"""A disk that is full or read-only: one sentence, and stored records are kept.

A small file system is mounted for the command alone, where that is permitted.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ib_bench.results.archive import stored_records
from ib_bench.results.integrity import check_store

pytestmark = pytest.mark.system

SUITE = """
base:
  data: {class_path: ModularAddition, init_args: {modulus: 3, max_length: 4}}
  search: {learning_rates: [0.001], seeds: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20],
           max_steps: 2, max_size: 64, threshold: 1.0e-9}
axes:
  model: [{class_path: LSTM, init_args: {hidden_size: 8}}, {class_path: DenseSSM, init_args: {hidden_size: 8}}]
"""
NUM_TRIALS = 40
IB_BENCH = f"{sys.executable} -c 'import sys; from ib_bench.cli import main; sys.exit(main())'"
RUN = f"{IB_BENCH} run suite.yaml --store disk/store.sqlite --wandb.mode disabled"


def in_namespace(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """A shell script in a mount namespace of its own, where ``disk`` is a file system of 140 KB."""
    (folder / "disk").mkdir()
    (folder / "suite.yaml").write_text(SUITE)
    mount = "mount -t tmpfs -o size=140k none disk"
    if subprocess.run(["unshare", "-m", "sh", "-c", mount], cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    command = ["unshare", "-m", "sh", "-c", f"{mount}\n{script}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux's")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_disk_that_fills_up_ends_the_suite(tmp_path: Path, workers: int) -> None:
    run = in_namespace(tmp_path, f"{RUN} --workers {workers}; code=$?; cp disk/* .; exit $code")
    assert run.returncode == 2, run.stderr
    (sentence,) = [line for line in run.stderr.splitlines() if not line[0].isdigit()]  # those are progress
    assert "disk is full" in sentence and "stored records are kept: make room" in sentence
    findings = check_store(tmp_path / "store.sqlite")
    assert {finding.state for finding in findings} == {"ok"}
    assert 1 <= len(stored_records(tmp_path / "store.sqlite").trials) < NUM_TRIALS


@pytest.mark.skipif(sys.platform != "linux", reason="mount namespaces are Linux's")
def test_a_read_only_disk(tmp_path: Path) -> None:
    make = f"{sys.executable} -c \"from ib_bench.results.store import Store; Store('disk/store.sqlite').close()\""
    remount = "mount -o remount,ro disk"
    commands = [RUN, *(f"{IB_BENCH} {command} --store disk/store.sqlite" for command in ("results", "store vacuum"))]
    run = in_namespace(tmp_path, "\n".join([make, remount, *(f"{command}; echo code=$?" for command in commands)]))
    codes = [line for line in run.stdout.splitlines() if line.startswith("code=")]
    assert codes == ["code=2", "code=0", "code=2"], run.stderr  # what is there can be listed
    assert run.stderr.count("make the file and its folder writable") == 2, run.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize(
    ("command", "stderr"),
    [
        ("--help > /dev/full", "ib-bench: error: the output cannot be used: No space left on device\n"),
        ("run --help > /dev/full", "ib-bench run: error: the output cannot be used: No space left on device\n"),
        ("nope 2> /dev/full", ""),
    ],
)
def test_what_cannot_be_printed(command: str, stderr: str) -> None:
    run = subprocess.run(f"{IB_BENCH} {command}", shell=True, capture_output=True, text=True, timeout=60, check=False)
    assert (run.returncode, run.stderr) == (2, stderr)
