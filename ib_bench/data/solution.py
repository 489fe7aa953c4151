"""The right answer at every position, from the tokens up to there: what an oracle gives."""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.supervision.supervision import Supervision
from ib_bench.tasks.finite_state_machine import FiniteStateMachine


class Solution:
    """Answers of a machine whose runs are written down under a regime.

    Args:
        task: the machine.
        supervision: the regime.
    """

    def __init__(self, task: FiniteStateMachine, supervision: Supervision) -> None:
        self.task = task
        self.supervision = supervision

    def __call__(self, tokens: Tensor) -> Tensor:
        """What is asked for at every position, if anything is.

        Before the separator, and everywhere if there is none, it is asked for the newest state. From the separator on
        it is the last state, or one state after the other in a regime that writes them down.

        Args:
            tokens: int64 ``(batch, length)``, as the regime writes runs down.

        Returns:
            int64 ``(batch, length)``.

        Raises:
            InvalidOptionError: the regime writes states down, and no separator marks the end of the input.
        """
        separator, writes_states = self.supervision.separator_token, self.supervision.writes_states
        require(separator is not None or not writes_states, "separator", False, "true or null, to mark the input's end")
        position = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        read = torch.ones_like(tokens, dtype=torch.bool)
        if separator is not None:
            read = (tokens == separator).cumsum(dim=1) == 0
        states = self.task.trajectory(torch.where(read, tokens, 0))
        num_read = read.sum(dim=1, keepdim=True)
        newest = torch.where(read, position, position - num_read if writes_states else num_read - 1)
        states = states.gather(1, torch.minimum(newest, num_read - 1).clamp(min=0))
        return states if writes_states else self.task.answers(states)
