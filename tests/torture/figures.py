"""The figures of a fault, and the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

from rich.table import Table
from torture.contents import Contents


@dataclass
class Figures:
    """Of one fault.

    Attributes:
        fault: what was done.
        times: how often.
        before: trials finished just before it, all times together.
        after: trials finished just after it.
        lost: of those before, how many were gone or others after it.
        twice: trials that were written twice.
        other_verdicts: searches with another N*, or another way to it, than in an undisturbed run.
        other_curves: trials whose validation curve is not the same, bit for bit.
        processes: left behind.
        locks: left behind on the store.
        seconds: that all of it took.
    """

    fault: str
    times: int = 0
    before: int = 0
    after: int = 0
    lost: int = 0
    twice: int = 0
    other_verdicts: int = 0
    other_curves: int = 0
    processes: int = 0
    locks: int = 0
    seconds: float = 0.0

    @property
    def flaws(self) -> dict[str, int]:
        """What there should be none of, and is."""
        counted = ("lost", "twice", "other_verdicts", "other_curves", "processes", "locks")
        return {name: getattr(self, name) for name in counted if getattr(self, name)}

    def note_fault(self, before: Contents, after: Contents) -> None:
        """A fault has struck between the two."""
        self.times += 1
        self.before += len(before.trials)
        self.after += len(after.trials)
        self.lost += before.num_lost(after)

    def note_end(self, undisturbed: Contents, end: Contents) -> None:
        """All searches have finished."""
        self.twice += end.num_rows - len(end.trials)
        self.other_verdicts += undisturbed.num_different_verdicts(end)
        self.other_curves += undisturbed.num_different_curves(end)


_HEADINGS = {
    "times": "times",
    "before": "finished before",
    "after": "after",
    "lost": "lost",
    "twice": "written twice",
    "other_verdicts": "other N*",
    "other_curves": "other curves",
    "processes": "processes left",
    "locks": "locks left",
    "seconds": "s",
}


def table(rows: list[Figures]) -> Table:
    """A row for each fault."""
    result = Table("fault", title="Faults and what they did to finished trials")
    for name in [field.name for field in fields(Figures)][1:]:
        result.add_column(_HEADINGS[name], justify="right")
    for row in rows:
        numbers = [f"{getattr(row, name):,.0f}" for name in _HEADINGS]
        result.add_row(row.fault, *numbers)
    return result
