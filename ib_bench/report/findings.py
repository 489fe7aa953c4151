"""The findings of checks and merges, as tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ib_bench.drawing.notebook import Drawing
from ib_bench.drawing.terminal import terminal_table, titled
from ib_bench.results.identity import Json
from ib_bench.results.integrity import Finding
from ib_bench.results.merge import Conflict

_STYLES = {"ok": "green", "warning": "yellow", "damaged": "bold red", "failure": "bold red"}
_MAX_NAMES = 3


@dataclass(frozen=True)
class Findings(Sequence[Finding]):
    """Findings that show their table in a notebook.

    Attributes:
        findings: in the order of the rows.
        title: of the table.
    """

    findings: Sequence[Finding]
    title: str

    def __len__(self) -> int:
        return len(self.findings)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Finding]: ...
    def __getitem__(self, index: int | slice) -> Finding | Sequence[Finding]:
        return self.findings[index]

    def __str__(self) -> str:
        return str(self.drawing)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Json:
        return self.drawing._repr_mimebundle_()

    @property
    def drawing(self) -> Drawing:
        """The table, as a terminal shows it."""
        return Drawing([findings_table(self, self.title)])


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
