"""Streams, folders and stores as they are on other machines: closed, full, deleted, read-only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from damage import write_store
from made_up_records import ACOT, Point, search, trial

from ib_bench import cli

pytestmark = pytest.mark.system

IB_BENCH = [sys.executable, "-m", "ib_bench"]

STREAMS = {
    "the output is closed": ("{} ls >&-", 0, ""),
    "both are closed": ("{} results >&- 2>&-", 2, ""),
    "the disk is full": (
        "{} ls > /dev/full",
        2,
        "ib-bench ls: error: the output cannot be used: No space left on device",
    ),
    "nobody reads": ("{} ls | true; exit ${{PIPESTATUS[0]}}", 0, ""),
    "only ASCII": ("PYTHONIOENCODING=ascii {} claims --reference > /dev/null", 0, ""),
    "a narrow terminal": ("COLUMNS=40 {} ls > /dev/null", 0, ""),
    "the folder is gone": (
        "mkdir gone; cd gone; rmdir ../gone; {} ls",
        2,
        "ib-bench: error: the working folder cannot be used: it is gone, or may not be entered",
    ),
    "no memory to train": (
        "ulimit -v 500000; {} search",
        2,
        "ib-bench search: error: training needs an address space of 1 GB, and `ulimit -v` allows 0.5 GB",
    ),
    "no memory to draw": (
        "ulimit -v 9000000; {} report --reference",
        2,
        "ib-bench report: error: a report needs an address space of 70 GB, and `ulimit -v` allows 9.2 GB",
    ),
    "no home": ("env -u HOME {} results", 2, "ib-bench results: error: store 'ib_bench.sqlite' does not exist"),
}


@pytest.mark.parametrize("case", STREAMS)
def test_streams_and_folders(case: str, tmp_path: Path) -> None:
    command, exit_code, expected = STREAMS[case]
    if "/dev/full" in command and not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    ended = shell(command.format(" ".join(IB_BENCH)), tmp_path)
    assert ended.returncode == exit_code, ended.stderr
    lines = ended.stderr.splitlines()
    assert len(lines) == bool(expected) and ended.stderr.startswith(expected), ended.stderr


def shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of bash, which starts this package."""
    path = os.pathsep.join(map(os.path.abspath, filter(None, sys.path)))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_closed_stream_is_no_place_for_a_store(tmp_path: Path) -> None:
    """Its number goes to the next file that is opened, into which the errors would be written."""
    write_store(tmp_path / "s.sqlite", [search(Point("LSTM", ACOT), 64)])
    before = (tmp_path / "s.sqlite").read_bytes()
    assert shell(f"{' '.join(IB_BENCH)} results --store s.sqlite 0<&- >&- 2>&-", tmp_path).returncode == 0
    assert (tmp_path / "s.sqlite").read_bytes() == before


@pytest.fixture
def cannot_write() -> str:
    """What a command must begin with so that permissions count, for root too."""
    if os.geteuid():
        return ""
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everywhere, and there is no setpriv")
    return "setpriv --bounding-set -dac_override,-dac_read_search"


@pytest.mark.parametrize("mode", [0o555, 0o755], ids=["folder that cannot be written", "file that cannot be written"])
def test_a_store_that_can_only_be_read(mode: int, tmp_path: Path, cannot_write: str) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    write_store(folder / "s.sqlite", [search(Point("LSTM", ACOT), 64), trial(Point("LSTM", ACOT), 4096)])
    (folder / "s.sqlite").chmod(0o444)
    folder.chmod(mode)
    prefix = f"{cannot_write} {' '.join(IB_BENCH)}"
    try:
        for command in ("results", "trials", "status", "store check"):
            ended = shell(f"{prefix} {command} --store theirs/s.sqlite", tmp_path)
            assert ended.returncode == 0, ended.stderr
        assert "LSTM" in shell(f"{prefix} results --store theirs/s.sqlite", tmp_path).stdout
        refused = shell(f"{prefix} store vacuum --store theirs/s.sqlite", tmp_path)
        assert refused.returncode == 2 and "make the file and its folder writable" in refused.stderr, refused.stderr
        folder.chmod(0)
        closed = shell(f"{prefix} results --store theirs/s.sqlite", tmp_path)
        assert closed.returncode == 2
        assert "store 'theirs/s.sqlite' is no path that can be used: Permission denied" in closed.stderr, closed.stderr
    finally:
        folder.chmod(0o755)


def test_ctrl_c_while_modules_are_imported(tmp_path: Path) -> None:
    program = """if True:
        import os, signal, sys
        class Interrupts:
            def find_spec(self, name, path=None, target=None):
                if name == 'ib_bench.cli':
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, Interrupts())
        from ib_bench.__main__ import main
        sys.exit(main())
    """
    (tmp_path / "program.py").write_text(program)
    ended = shell(f"{sys.executable} program.py ls", tmp_path)
    assert (ended.returncode, ended.stderr) == (130, "\nib-bench: interrupted\n")


def test_ctrl_c_while_rows_are_read(tmp_path: Path) -> None:
    """Raised inside of SQLite's callbacks, it would be printed and ignored: a command that only lists ends at once."""
    write_store(tmp_path / "s.sqlite", [search(Point("LSTM", ACOT), 64)])
    program = """if True:
        import os, signal, sys
        from ib_bench.results import store
        original = store.decode
        def decode(*arguments):
            os.kill(os.getpid(), signal.SIGINT)
            return original(*arguments)
        store.decode = decode
        from ib_bench.__main__ import main
        sys.exit(main())
    """
    (tmp_path / "program.py").write_text(program)
    ended = shell(f"{sys.executable} program.py results --store s.sqlite", tmp_path)
    assert (ended.returncode, ended.stdout) == (130, ""), ended.stderr
    assert ended.stderr == "\nib-bench results: interrupted\n"


def test_windows_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(cli, "SYSTEM", "nt")
    assert cli.main(["ls"]) == 2
    assert "needs Linux or macOS; on Windows use WSL" in capsys.readouterr().err
