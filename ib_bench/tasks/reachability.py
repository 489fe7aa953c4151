"""Which states of a table can be reached, and which of them differ in their answers."""

from __future__ import annotations

import torch
from torch import Tensor


def reachable(table: Tensor, start: int) -> Tensor:
    """The states that some sequence of symbols leads to, the empty one included.

    Args:
        table: int64 ``(num_states, num_symbols)``.
        start: the initial state.

    Returns:
        bool ``(num_states,)``.
    """
    found = torch.zeros(len(table), dtype=torch.bool)
    found[start] = True
    newest = torch.tensor([start])
    while len(newest):
        reached = torch.unique(table[newest])
        newest = reached[~found[reached]]
        found[newest] = True
    return found


def is_strongly_connected(table: Tensor) -> bool:
    """Whether every state can be reached from every state.

    Args:
        table: int64 ``(num_states, num_symbols)``.
    """
    backwards = torch.zeros(len(table), len(table), dtype=torch.int64)  # entries: a predecessor, or the state itself
    backwards += torch.arange(len(table))[:, None]
    states = torch.arange(len(table)).repeat_interleave(table.shape[1])
    backwards[table.flatten(), states] = states
    return bool(reachable(table, 0).all() and reachable(backwards, 0).all())


def num_distinguishable(table: Tensor, answers: Tensor, start: int = 0) -> int:
    """Number of reachable states that differ in the answers to some continuation (Moore, 1956).

    A machine is minimal if these are all its states: then no machine with fewer states gives the same answers.

    Args:
        table: int64 ``(num_states, num_symbols)``.
        answers: int64 ``(num_states,)``, the answer in each state.
        start: the initial state.
    """
    classes = torch.unique(answers, return_inverse=True)[1]
    num = 0
    while num < int(classes.max()) + 1 < len(table):
        num = int(classes.max()) + 1
        rows = torch.cat([classes[:, None], classes[table]], dim=1)
        classes = torch.unique(rows, dim=0, return_inverse=True)[1]
    return len(torch.unique(classes[reachable(table, start)]))
