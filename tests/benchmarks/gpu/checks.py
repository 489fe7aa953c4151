"""What is claimed of a GPU, checked in sections that share the time; nothing is left out silently."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Literal

from benchmarks.measurement import Measurement, OnRound

Verdict = Literal["met", "missed", "measured", "failed", "not run"]


@dataclass(frozen=True)
class Row:
    """A row of the table.

    Attributes:
        section: that it belongs to.
        what: is claimed, or was measured.
        verdict: ``met`` or ``missed`` by its target, ``measured`` where there is none, ``failed`` with an error, or
            ``not run``.
        measured: the number with its unit, or nothing.
        target: the target with its unit, or nothing.
        why: what the number comes from, the error, or why it was not run.
    """

    section: str
    what: str
    verdict: Verdict
    measured: str = ""
    target: str = ""
    why: str = ""


@dataclass(frozen=True)
class Check:
    """One claim, or a few that are measured together.

    Attributes:
        what: is claimed; its row while it has no number.
        measure: gives measurements, or rows of its own; :class:`OutOfTime` is raised in it once its time is up.
    """

    what: str
    measure: Callable[[], Iterable[Measurement | Row]]


@dataclass(frozen=True)
class Section:
    """Checks that share some of the time.

    Attributes:
        name: of the section.
        share: of the whole time, in (0, 1]. What an earlier section leaves is there for the later ones.
        checks: in the order in which they are made.
        needs_cuda: whether nothing of it can be checked without.
    """

    name: str
    share: float
    checks: Sequence[Check]
    needs_cuda: bool = True


class OutOfTime(BaseException):
    """The time is up; no ``except Exception`` of a library may catch it."""


class NotRunError(Exception):
    """A check cannot be made here; says why."""


def checked(sections: Sequence[Section], budget_s: float, obstacle: str | None, on_round: OnRound) -> Iterator[Row]:
    """Make all checks.

    Args:
        sections: whose shares sum to at most 1.
        budget_s: seconds for all of them.
        obstacle: why those that need CUDA cannot be made here, or None.
        on_round: receives what is being checked.
    """
    deadline = time.monotonic()
    for section in sections:
        deadline += section.share * budget_s
        for check in section.checks:
            on_round(f"{section.name}: {check.what}")
            yield from _rows_of(section.name, check, deadline, obstacle if section.needs_cuda else None)


def _rows_of(section: str, check: Check, deadline: float, obstacle: str | None) -> Iterator[Row]:
    left_s = deadline - time.monotonic()
    if obstacle is None and left_s <= 0:
        obstacle = "no time was left"
    if obstacle is not None:
        yield Row(section, check.what, "not run", why=obstacle)
        return
    found: list[Row] = []
    try:
        with _time_limit(left_s):
            for one in check.measure():
                found.append(one if isinstance(one, Row) else _row(section, one))
    except OutOfTime:
        found.append(Row(section, check.what, "not run", why=f"not done in the {left_s:.0f} s that were left"))
    except NotRunError as error:
        found.append(Row(section, check.what, "not run", why=str(error)))
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        found.append(Row(section, check.what, "failed", why=reason[:300]))
    yield from found


def _row(section: str, one: Measurement) -> Row:
    verdict: Verdict = {True: "met", False: "missed", None: "measured"}[one.reached]  # type: ignore[assignment]
    why = one.note if one.same else f"results differ; {one.note}"
    return Row(section, one.what, verdict, one.measured_text, one.target_text, why)


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`OutOfTime` inside after a time, as soon as Python code runs."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise OutOfTime

    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
