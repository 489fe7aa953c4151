r"""Brackets that close in the right order, nested up to a depth.

The state is the stack of open brackets. Stacks are numbered like the nodes of a tree: the empty one is 0, and opening
bracket b takes stack s to k s + b + 1, where k is the number of kinds. Data hold only prefixes of well-formed words:
a bracket closes only the newest open one, and none opens beyond the depth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ib_bench.errors import require
from ib_bench.tasks.finite_state_machine import MAX_STATES, Example, FiniteStateMachine

_MAX_KINDS = 1_000


class BoundedDyck(FiniteStateMachine):
    """The bracket that must close next, in well-formed words of brackets of bounded depth.

    Symbol b opens a bracket of kind b, symbol ``num_kinds + b`` closes it. The answer is the kind of the newest open
    bracket plus 1, or 0 if all are closed.

    Args:
        num_kinds: of brackets, in 1..1,000.
        depth: of nesting, in 1..32,767; there may be at most 32,768 stacks of up to that depth.

    Raises:
        InvalidOptionError: a value outside its range.

    Reference: *RNNs can generate bounded hierarchical languages with optimal memory* (Hewitt et al., arXiv 2010.07515).

    Example:
        >>> task = BoundedDyck(num_kinds=2, depth=2)
        >>> task.answers(task.trajectory(torch.tensor([[0, 1, 3, 2]])))  # ( [ ] )
        tensor([[1, 2, 1, 0]])
    """

    def __init__(self, num_kinds: int = 2, depth: int = 3) -> None:
        require(1 <= num_kinds <= _MAX_KINDS, "num_kinds", num_kinds, f"an integer in 1..{_MAX_KINDS:,}")
        require(1 <= depth < MAX_STATES, "depth", depth, f"an integer in 1..{MAX_STATES - 1:,}")
        sizes = [num_kinds**level for level in range(min(depth, 15) + 1)] if num_kinds > 1 else [1] * (depth + 1)
        fits = sum(sizes) <= MAX_STATES and (num_kinds == 1 or depth < len(sizes))
        require(fits, "depth", depth, f"so small that there are at most {MAX_STATES:,} stacks of {num_kinds} kinds")
        self.num_kinds, self.depth = num_kinds, depth
        self.num_states = sum(sizes)
        self.num_symbols = 2 * num_kinds
        stacks = torch.arange(self.num_states)
        self.answer_of_state = torch.where(stacks > 0, (stacks - 1) % num_kinds + 1, 0)
        opens = (stacks < self.num_states - sizes[-1])[:, None].expand(-1, num_kinds)
        closes = self.answer_of_state[:, None] == torch.arange(num_kinds) + 1
        self.allowed = torch.cat([opens, closes], dim=1)

    def _build_transition(self) -> Tensor:
        stacks = torch.arange(self.num_states)[:, None]
        opened = self.num_kinds * stacks + torch.arange(self.num_kinds) + 1
        closed = ((stacks - 1) // self.num_kinds).expand(-1, self.num_kinds)
        assert self.allowed is not None
        return torch.where(self.allowed, torch.cat([opened, closed], dim=1), stacks)

    @classmethod
    def examples(cls) -> list[Example]:
        """( [ ] ), and ( ( ) ( )."""
        return [
            Example(cls(num_kinds=2, depth=2), symbols=[0, 1, 3, 2], states=[1, 4, 1, 0]),
            Example(cls(num_kinds=1, depth=2), symbols=[0, 0, 1, 0, 1], states=[1, 2, 1, 2, 1]),
        ]
