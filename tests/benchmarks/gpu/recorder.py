"""A plugin of pytest that writes a line for every test, so that a run that is cut short has still said what it saw.

The variable ``IB_BENCH_TEST_LINES`` names the file. Its first line has the identifiers of all tests, each further one
the outcome of one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

LINES = "IB_BENCH_TEST_LINES"


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what there is to run."""
    _write([item.nodeid for item in session.items])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a test ended, or that it did in its set-up or its end."""
    if report.when == "call" or report.outcome != "passed":
        _write({"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration, "why": _reason(report)})


def _reason(report: pytest.TestReport) -> str:
    if report.outcome == "passed":
        return ""
    if isinstance(report.longrepr, tuple):  # of a skipped test: file, line and reason
        return report.longrepr[2].removeprefix("Skipped: ")
    crash: Any = getattr(report.longrepr, "reprcrash", None)
    return str(report.longrepr) if crash is None else str(crash.message)


def _write(line: object) -> None:
    with Path(os.environ[LINES]).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
