"""The base class of executors: call a function on each item, pass on its events, report how each call ended."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class TransientEvent:
    """An event of which only the latest matters; older ones may be dropped."""


@dataclass(frozen=True)
class Lost(TransientEvent):
    """An event of the executor itself: the process of a call has died.

    Attributes:
        error: why the call is given up; None if it waits to be made again.
    """

    error: str | None = None


@dataclass(frozen=True)
class Waiting(TransientEvent):
    """An event of the executor itself: a call waits for a place.

    Attributes:
        reason: what it waits for.
    """

    reason: str


Emit = Callable[[Any], None]
"""Sends an event (anything that can be pickled) to the process that made the call."""

Function = Callable[[Item, Emit], Result]
"""The function: takes an item and a way to send events; importable by name, so that other processes find it."""


Resume = Callable[[Item, Any], Item]
"""What is left of an item after an event of its call; a repeated call continues from there."""


@dataclass(frozen=True)
class CallResult(Generic[Result]):
    """The result of a call.

    Attributes:
        result: what the function returned; None after an error.
        error: what it raised, or None.
    """

    result: Result | None = None
    error: Exception | None = None


@dataclass(frozen=True)
class SharedOptions:
    """Options that belong to no single executor.

    Attributes:
        workers: number of calls that run at once, at least 1; None leaves it to the executor.
        collect: take what earlier calls have left, and make none.
        call_id: what an item is known by from one command to the next.
    """

    workers: int | None = None
    collect: bool = False
    call_id: Callable[[Any], str] = str


class Executor(ABC):
    """Runs independent calls.

    An executor is a file of this folder, or a folder in it, with a class of the same name. The command line finds it
    there, and offers it with its settings.

    Attributes:
        settings_class: a dataclass whose fields are the options ``--NAME.*``; None for an executor without any.
        takes: names of the fields of :class:`SharedOptions` that it makes use of, besides ``call_id``.
        is_local: whether calls run on this machine, with its files.
        takes_after: whether :meth:`run` has one more parameter, ``after: Mapping[int, Collection[int]] | None``: for an
            item's index, those of earlier items whose calls must have ended first. Without it, calls that depend on
            others are made in a further :meth:`run`.
        in_this_process: whether calls are made by this process itself.
        only_collects: whether it takes what earlier calls have left, and makes none.
        num_at_once: calls that run side by side, as far as this machine knows: 1 on a cluster.
        cores_per_call: CPU cores that a call may use.
        cores_advice: how many those may be and what to do about it, to be read after "must be".
    """

    settings_class: ClassVar[type[Any] | None] = None
    takes: ClassVar[frozenset[str]] = frozenset()
    is_local: ClassVar[bool] = True
    takes_after: ClassVar[bool] = False
    in_this_process: ClassVar[bool] = False
    only_collects: bool = False
    num_at_once: int = 1
    cores_per_call: float = math.inf
    cores_advice: str = ""

    @classmethod
    @abstractmethod
    def from_settings(cls, settings: Any, shared: SharedOptions) -> Executor:
        """The executor that a command asks for.

        Args:
            settings: of type ``settings_class``; None if there is none.
            shared: options for any executor.

        Raises:
            BenchError: something that it needs is missing.
        """

    @abstractmethod
    def run(
        self,
        function: Function[Item, Result],
        items: Sequence[Item],
        on_event: Callable[[int, Any], None],
        resume: Resume[Item] | None = None,
    ) -> list[CallResult[Result]]:
        """Call ``function`` on every item; an error in one call does not stop the others.

        A call whose process dies is made again, a few times. Besides what calls emit, ``on_event`` receives
        :class:`Lost` and :class:`Waiting`.

        Args:
            function: takes an item and a way to send events.
            items: its arguments, in the order in which calls should start.
            on_event: is called here, in this process, with an item's index and each event of its call.
            resume: receives every event that is not transient; None makes calls again from their beginning.

        Returns:
            The outcomes, in the order of the items.

        Raises:
            KeyboardInterrupt: the user interrupts; no worker is left running.
            FatalError: a call raised it, or handling an event did; the other calls are ended, and no worker is left.
        """
