"""What checks and merges have found, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ib_bench.drawing.terminal import terminal_table, titled
from ib_bench.results.integrity import Finding
from ib_bench.results.merge import Conflict

_STYLES = {"ok": "green", "warning": "yellow", "damaged": "bold red", "failure": "bold red"}
_MAX_NAMES = 3


def findings_table(findings: Sequence[Finding], title: str) -> Group:
    """A row for each finding, and one for the first few names that it is about.

    Args:
        findings: in the order of the rows.
        title: of the table.
    """
    rows: list[list[str | Text]] = []
    for finding in findings:
        rows.append([finding.check, Text(finding.state, style=_STYLES[finding.state]), finding.text])
        names = list(finding.names[:_MAX_NAMES])
        if (num_more := len(finding.names) - _MAX_NAMES) > 0:
            names.append(f"and {num_more:,} more; --format json lists all")
        rows += [["", "", Text(name, style="dim")] for name in names]
    headings = ["check", "state", "what was found"]
    return titled(title, terminal_table(headings, rows, set(headings)))


def conflicts_table(conflicts: Sequence[Conflict]) -> Table:
    """A row for each pair of results that contradict each other."""
    headings = ["key", "what was measured", "kept, and what else was found", "found in"]
    rows = [[each.key, each.label, "; ".join(each.differences), each.source] for each in conflicts]
    return terminal_table(headings, rows, set(headings))
