r"""The word problem of any finite group: the product of the elements read so far.

.. math:: s_k = x_k s_{k-1} = x_k \cdots x_1, \qquad s_0 = 1,

with the newest element applied last. The alphabet is all of the group or a set of generators. Groups of permutations
can be followed at one point instead: the state is then where that point has been taken to.

Word problems of groups that are not solvable are hard for :math:`\mathrm{NC}^1` (Barrington, 1989); A_5, of order 60,
is the smallest of them.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from ib_bench.errors import InvalidOptionError, require
from ib_bench.tasks.finite_state_machine import Example, FiniteStateMachine
from ib_bench.tasks.groups import GroupTable, group_from_file, named_group

STANDARD = "standard"


class FiniteGroup(FiniteStateMachine):
    """Product of the elements read so far, in any finite group.

    Args:
        group: ``Z5``, ``D4`` (8 elements), ``S5``, ``A5``, ``Q8``, a direct product such as ``Z2xZ4``, or the path of a
            ``.csv`` file with the group's Cayley table (row a, column b is the number of the product a b, from 0).
        generators: numbers of the elements that are symbols, or ``standard`` for the usual generators of a named group;
            null takes all elements.
        point: follow where this point goes under the natural action of a ``Z``, ``D``, ``S`` or ``A`` group; null
            follows the element.

    Raises:
        InvalidOptionError: there is no such group, the generators do not generate it, or it has no such point.
        BenchError: the file holds no group.

    Example:
        >>> FiniteGroup("D4").trajectory(torch.tensor([[1, 4, 1]]))
        tensor([[1, 7, 4]])
        >>> FiniteGroup("S5", generators="standard", point=0).trajectory(torch.tensor([[0, 1, 1]]))
        tensor([[1, 2, 3]])
    """

    def __init__(self, group: str = "S3", generators: list[int] | str | None = None, point: int | None = None) -> None:
        self.group, self.generators, self.point = group, generators, point
        if group.endswith(".csv"):
            self.files = (Path(os.path.expanduser(group)),)
        self.table: GroupTable = group_from_file(self.files[0]) if self.files else named_group(group)
        order = len(self.table.product)
        self.symbols = _symbols(self.table, group, generators)
        self.states_are_symbols = generators is None and point is None
        self.num_symbols = len(self.symbols)
        if point is None:
            self.num_states, self.initial_state = order, self.table.identity
        else:
            action = self.table.action
            require(action is not None, "point", point, f"null: the group {group} has no natural action on points")
            assert action is not None
            num_points = action.shape[1]
            require(0 <= point < num_points, "point", point, f"null or in 0..{num_points - 1} for the group {group}")
            self.num_states, self.initial_state = num_points, point

    def _build_transition(self) -> Tensor:
        moved = self.table.product if self.point is None else self.table.action
        assert moved is not None
        return moved[torch.tensor(self.symbols)].T.contiguous()

    def properties(self) -> dict[str, int | bool]:
        """The properties of the machine and of the group."""
        return {
            "order": len(self.table.product),
            "abelian": self.table.is_abelian,
            "solvable": self.table.is_solvable,
            **super().properties(),
        }

    @classmethod
    def examples(cls) -> list[Example]:
        """Sums; a rotation of the square before and after a reflection; i j = k; two generators; one point."""
        return [
            Example(cls("Z5"), symbols=[3, 4, 0, 4], states=[3, 2, 2, 1]),
            Example(cls("D4"), symbols=[1, 4, 1], states=[1, 7, 4]),
            Example(cls("Q8"), symbols=[2, 1, 1], states=[2, 3, 6]),
            Example(cls("Z2xZ4"), symbols=[5, 6, 1], states=[5, 3, 0]),
            Example(cls("A5", generators="standard"), symbols=[0, 0, 0], states=[15, 24, 0]),
            Example(cls("S5", generators="standard", point=0), symbols=[0, 1, 1, 0], states=[1, 2, 3, 3]),
        ]


def _symbols(table: GroupTable, group: str, generators: list[int] | str | None) -> list[int]:
    """The elements that are symbols."""
    order = len(table.product)
    if generators is None:
        return list(range(order))
    if isinstance(generators, str):
        require(generators == STANDARD, "generators", generators, f"null, {STANDARD!r} or a list of element numbers")
        chosen = list(table.generators)
        require(bool(chosen), "generators", generators, "a list of element numbers, or null, for a group from a file")
    else:
        chosen = generators
    in_range = all(0 <= element < order for element in chosen) and len(set(chosen)) == len(chosen)
    require(in_range, "generators", generators, f"different numbers in 0..{order - 1}, the elements of {group}")
    if len(chosen) < 2:
        others = [element for element in range(order) if element not in chosen]
        hint = f"at least 2 elements, such as {[*chosen, *others][:2]}"
        raise InvalidOptionError("generators", generators, hint)
    num_reached = len(table.generated(chosen))
    allowed = f"elements that generate all {order} of {group}, not {num_reached} of them"
    require(num_reached == order, "generators", generators, allowed)
    return chosen
