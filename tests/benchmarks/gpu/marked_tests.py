"""The tests marked ``gpu``, run by pytest in a process of its own, a row for each function."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.gpu.checks import Check, OutOfTime, Row, Verdict
from benchmarks.gpu.recorder import LINES

_ROOT = Path(__file__).parents[3]
GPU_TESTS = ("-m", "gpu", "tests/gpu")
"""Arguments of pytest, which choose the tests."""

_VERDICTS: dict[str, Verdict] = {"passed": "met", "skipped": "not run", "failed": "failed"}
"""Of outcomes of tests, the best one first."""


def checks_of_tests(arguments: Sequence[str]) -> list[Check]:
    """One check, whose rows are all test functions.

    Args:
        arguments: of pytest, which choose the tests.
    """
    return [Check("the tests marked gpu", partial(_rows, arguments))]


def _rows(arguments: Sequence[str]) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        lines, output = Path(folder) / "lines", Path(folder) / "output"
        path = os.pathsep.join([str(_ROOT), str(_ROOT / "tests"), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "pytest", "-q", "-p", "benchmarks.gpu.recorder", "-p", "no:cacheprovider"]
        variables = {**os.environ, LINES: str(lines), "PYTHONPATH": path}
        with output.open("wb") as file:
            process = subprocess.Popen([*command, *arguments], cwd=_ROOT, env=variables, stdout=file, stderr=file)
            try:
                end = f"pytest ended with exit code {process.wait()}"
            except OutOfTime:
                end = "the time was up"
            finally:
                process.kill()
                process.wait()
        noted = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()] if lines.exists() else []
        if not noted or not noted[0]:
            last = " ".join(output.read_text(encoding="utf-8", errors="replace").split())[-200:]
            raise RuntimeError(f"pytest found no tests, {end}: {last}")
    yield from _by_function(noted[0], noted[1:], end)


def _by_function(names: Sequence[str], reports: Sequence[dict[str, Any]], end: str) -> Iterator[Row]:
    """A row for each test function, of all its parameters.

    Args:
        names: of all tests.
        reports: of those that have ended; a failure at a test's end comes after its success.
        end: how pytest ended, for those that have no report.
    """
    by_name = {name: {"outcome": "skipped", "seconds": 0.0, "why": end} for name in names}
    for report in reports:
        by_name[report["test"]] = report
    functions: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for name, report in by_name.items():
        function, _, parameters = name.partition("[")
        functions.setdefault(function, []).append((parameters.rstrip("]"), report))
    for function, tests in functions.items():
        outcomes = [report["outcome"] for _, report in tests]
        worst = max(outcomes, key=list(_VERDICTS).index)
        num_passed, seconds = outcomes.count("passed"), sum(report["seconds"] for _, report in tests)
        reasons: dict[str, list[str]] = {}
        for parameters, report in tests:
            if report["outcome"] == worst != "passed":
                reasons.setdefault(" ".join(report["why"].split())[:300], []).append(parameters)
        why = "; ".join(": ".join(filter(None, [", ".join(which), reason])) for reason, which in reasons.items())
        why = next(iter(reasons)) if len(reasons) == 1 and outcomes.count(worst) == len(outcomes) else why
        what = function.rpartition("/")[2].replace(".py::test_", ": ").replace("_", " ").removeprefix("test ")
        measured = f"{num_passed} of {len(outcomes)} in {seconds:.0f} s" if set(outcomes) != {"skipped"} else ""
        yield Row("tests", what, _VERDICTS[worst], measured, why=why)
