"""What every executor does: call a function on each item, pass its events on, and say how each call ended."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Passing:
    """An event of which only the newest counts: the others may be dropped, and none is kept."""


@dataclass(frozen=True)
class Lost(Passing):
    """An event of the executor itself: the process of a call has died.

    Attributes:
        error: why the call is given up; None if it waits to be made again.
    """

    error: str | None = None


@dataclass(frozen=True)
class Waiting(Passing):
    """An event of the executor itself: a call waits for a place.

    Attributes:
        reason: what it waits for.
    """

    reason: str


Emit = Callable[[Any], None]
"""Sends an event (anything that can be pickled) to whoever watches the work."""

Work = Callable[[Item, Emit], Result]
"""The function: takes an item and a way to send events; importable by name, so that other processes find it."""


Resume = Callable[[Item, Any], Item]
"""What is left of an item after an event of its call, so that a call that is made again goes on from there."""


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """How a call ended.

    Attributes:
        result: what the function returned; None after an error.
        error: what it raised, or None.
    """

    result: Result | None = None
    error: Exception | None = None


class Executor(ABC):
    """Runs independent calls.

    Attributes:
        is_local: whether calls run on this machine, with its files.
        only_collects: whether it takes what earlier calls have left, and makes none.
    """

    is_local: ClassVar[bool] = True
    only_collects: bool = False

    @abstractmethod
    def run(
        self,
        work: Work[Item, Result],
        items: Sequence[Item],
        on_event: Callable[[int, Any], None],
        resume: Resume[Item] | None = None,
    ) -> list[Outcome[Result]]:
        """Call ``work`` on every item; an error in one call does not stop the others.

        A call whose process dies is made again, a few times. Besides what calls emit, :class:`Lost` and
        :class:`Waiting` are told.

        Args:
            work: the function.
            items: its arguments.
            on_event: is called here, in this process, with an item's index and each event of its call.
            resume: is told every event that is not :class:`Passing`; None makes calls again from their beginning.

        Returns:
            The outcomes, in the order of the items.

        Raises:
            KeyboardInterrupt: the user interrupts; no worker is left running.
            FatalError: a call raised it, or handling an event did; the other calls are ended, and no worker is left.
        """
