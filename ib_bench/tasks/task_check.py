"""The check that a class is a finite-state machine, before data use it.

A table that is transposed or out of range would silently be another machine, and so would one that is built from random
numbers: every worker process builds its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ib_bench.errors import InvalidTaskError
from ib_bench.tasks.finite_state_machine import FiniteStateMachine

_MAX_ENTRIES = 2**25
"""Tables with more entries are not built for the check: the largest shipped one has 25 million."""

_MAX_ENTRIES_TWICE = 2**18
"""Tables with more entries are not built a second time: it would take seconds."""

_NUM_RUNS, _RUN_LENGTH = 8, 16

_repeatable: set[tuple[type, str]] = set()  # the machines that were built twice in this process


def check_task(task: FiniteStateMachine, arguments: Mapping[str, Any] | None = None) -> None:
    """Make sure that a task is a machine: shapes, types, ranges, and that it is always the same one.

    Building it a second time and running the class's own examples is done once a process, for tables of up to 262,144
    entries.

    Args:
        task: to be checked.
        arguments: of its constructor, to build it again; None leaves that out.

    Raises:
        InvalidTaskError: it is not.
    """
    name = type(task).__name__
    for size in ("num_states", "num_symbols"):
        value = getattr(task, size, None)
        least = 2 if size == "num_states" else 1  # of one state, every loss is 0
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise InvalidTaskError(name, f"must set {size} to an integer of at least {least}, got {value!r}")
    initial = task.initial_state
    if not isinstance(initial, int) or isinstance(initial, bool) or not 0 <= initial < task.num_states:
        raise InvalidTaskError(name, f"must have initial_state in 0..{task.num_states - 1}, got {initial!r}")
    if task.answer_of_state is not None:
        task._check_table("answer_of_state", task.answer_of_state, (task.num_states,), task.num_states)
        if len(set(task.answer_of_state.tolist())) < 2:
            raise InvalidTaskError(name, "must have at least two different answers")
    _check_allowed(task)
    if task.states_are_symbols and task.num_symbols != task.num_states:
        found = f"{task.num_symbols} symbols and {task.num_states} states"
        raise InvalidTaskError(name, f"says that its states are symbols, but has {found}")
    if task.num_states * task.num_symbols > _MAX_ENTRIES:
        return
    table = task.transition
    identity = type(task), repr(arguments)
    if arguments is None or identity in _repeatable or table.numel() > _MAX_ENTRIES_TWICE:
        return
    again = type(task)(**arguments)
    if not (torch.equal(again.transition, table) and again.initial_state == initial):
        raise InvalidTaskError(name, "must be the same machine each time it is built, got two different transitions")
    for other in ("answer_of_state", "allowed"):
        one, two = getattr(task, other), getattr(again, other)
        if (one is None) != (two is None) or (one is not None and not torch.equal(one, two)):
            raise InvalidTaskError(name, f"must be the same machine each time it is built, got two different {other}")
    _check_runs(task)
    _check_examples(type(task))
    _repeatable.add(identity)


def _check_allowed(task: FiniteStateMachine) -> None:
    if task.allowed is None:
        return
    name, expected = type(task).__name__, (task.num_states, task.num_symbols)
    if not isinstance(task.allowed, Tensor) or task.allowed.dtype != torch.bool or task.allowed.shape != expected:
        raise InvalidTaskError(name, f"must have bools of shape (num_states, num_symbols), here {expected}, in allowed")


def _check_runs(task: FiniteStateMachine) -> None:
    """A class may compute trajectories in another way than by its table."""
    if task.allowed is not None:
        return
    generator = torch.Generator().manual_seed(0)
    symbols = torch.randint(task.num_symbols, (_NUM_RUNS, _RUN_LENGTH), generator=generator)
    by_table = FiniteStateMachine._run(task, symbols)
    if not torch.equal(task.trajectory(symbols), by_table):
        raise InvalidTaskError(type(task).__name__, "must have trajectories that follow its transition")


def _check_examples(task_class: type[FiniteStateMachine]) -> None:
    for example in task_class.examples():
        states = example.task.trajectory(torch.tensor([example.symbols]))[0].tolist()
        if states != example.states:
            found = f"{example.symbols} leads to {states}, the example says {example.states}"
            raise InvalidTaskError(task_class.__name__, f"must do what its examples say: {found}")
