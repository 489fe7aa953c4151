"""What checks have found, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.text import Text

from ib_bench.report.terminal import PlainTable, plain_table, titled
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
    table = plain_table()
    for column in ("check", "state"):
        table.add_column(column, no_wrap=True)
    table.add_column("what was found")
    for finding in findings:
        table.add_row(finding.check, Text(finding.state, style=_STYLES[finding.state]), finding.text)
        for name in finding.names[:_MAX_NAMES]:
            table.add_row("", "", Text(name, style="dim"))
        if (num_more := len(finding.names) - _MAX_NAMES) > 0:
            table.add_row("", "", Text(f"and {num_more:,} more; --format json lists all", style="dim"))
    return titled(title, table, "")


def conflicts_table(conflicts: Sequence[Conflict]) -> PlainTable:
    """A row for each pair of results that contradict each other."""
    table = plain_table()
    table.add_column("key", no_wrap=True)
    for column in ("what was measured", "kept, and what else was found", "found in"):
        table.add_column(column)
    for conflict in conflicts:
        table.add_row(conflict.key, conflict.label, "; ".join(conflict.differences), conflict.source)
    return table
