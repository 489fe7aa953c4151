"""Scripts, and classes that are defined in them, with worker processes: what is wrong is said at once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ib_bench.errors import BenchError
from ib_bench.execution.main_module import require_classes_reachable

SCRIPT = """
from ib_bench.execution.executor import Executor
from ib_bench.execution.main_module import leave_if_imported_again
from ib_bench.execution.processes import Processes

def double(item, emit):
    return 2 * item

def measure():
    leave_if_imported_again()
    print([one.result for one in Processes(2).run(double, [1, 2], lambda index, event: None)])

{call}
"""


def outcome(call: str, folder: Path) -> tuple[str, str]:
    """What a script prints, and the last line of its errors."""
    script = folder / "script.py"
    script.write_text(SCRIPT.format(call=call))
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=100)
    tracebacks = ended.stderr.count("Traceback")
    assert tracebacks <= (3 if "boom" in call else 1), ended.stderr
    return ended.stdout, ended.stderr.strip().rpartition("\n")[2]


def test_a_guarded_script_runs(tmp_path: Path) -> None:
    assert outcome('if __name__ == "__main__":\n    measure()', tmp_path) == ("[2, 4]\n", "")


def test_a_script_without_a_guard(tmp_path: Path) -> None:
    said, error = outcome("measure()", tmp_path)
    assert said == "" and "measures as soon as it is imported" in error
    assert 'put the call below `if __name__ == "__main__":`' in error


def test_a_script_that_cannot_be_imported_again(tmp_path: Path) -> None:
    call = 'if __name__ != "__main__":\n    raise ValueError("boom")\nmeasure()'
    _, error = outcome(call, tmp_path)
    assert "worker processes cannot start: importing" in error


def test_a_program_from_standard_input(tmp_path: Path) -> None:
    """Workers run what comes from elsewhere; a class of the program itself is refused in one sentence."""
    (tmp_path / "elsewhere.py").write_text("def double(item, emit):\n    return 2 * item\n")
    program = """
import elsewhere
from ib_bench.errors import BenchError
from ib_bench.execution.main_module import require_classes_reachable
from ib_bench.execution.processes import Processes

print([one.result for one in Processes(2).run(elsewhere.double, [1, 2], lambda index, event: None)], __file__)
try:
    require_classes_reachable(["__main__.Mine"], finds_script=True)
except BenchError as error:
    print(error)
"""
    command = [sys.executable, "-"]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    ended = subprocess.run(command, input=program, capture_output=True, text=True, timeout=100, env=found)
    assert (ended.stderr, ended.returncode) == ("", 0)
    first, second = ended.stdout.splitlines()
    assert first == "[2, 4] <stdin>"
    assert second.startswith("__main__.Mine is defined in a notebook, standard input or") and ".py file" in second


def test_classes_that_workers_cannot_import(monkeypatch: pytest.MonkeyPatch) -> None:
    class Script:
        __file__ = "script.py"

    class Notebook:
        __spec__ = None

    paths = ["my_models.GRU", "__main__.Mine"]
    monkeypatch.setitem(sys.modules, "__main__", Script())  # type: ignore[arg-type]
    require_classes_reachable(paths, finds_script=True)
    with pytest.raises(BenchError, match=r"__main__\.Mine is defined in a script, where worker processes cannot"):
        require_classes_reachable(paths, finds_script=False)
    monkeypatch.setitem(sys.modules, "__main__", Notebook())  # type: ignore[arg-type]
    with pytest.raises(BenchError, match=r"in a notebook, standard input or an interactive session"):
        require_classes_reachable(paths, finds_script=True)
    require_classes_reachable(paths[:1], finds_script=False)
