r"""Finite groups as tables: entry ``[a, b]`` is the number of the product :math:`a b`, in which b is applied first.

Reference: every group of order n is a group of permutations of its own elements (Cayley, 1854).
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from functools import partial
from itertools import islice, product
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ib_bench.errors import BenchError, InvalidOptionError, shown
from ib_bench.tasks.permutation_composition import PermutationComposition

MAX_ORDER = 5040
"""Elements of the largest group, S_7: its table has 25 million entries."""

NAMES = "Zn, Dn (n >= 3), Sn and An (both n in 3..7), Q8, products such as Z2xZ4"
"""The groups that have a name, for messages."""

_QUATERNION_UNITS = {("i", "j"): "k", ("j", "k"): "i", ("k", "i"): "j"}


class GroupTable(NamedTuple):
    """A group whose elements are numbered.

    Attributes:
        product: int64 ``(order, order)``; ``product[a, b]`` is a after b.
        action: int64 ``(order, num_points)``, where each element takes each point of the group's natural action; None
            if it has none.
        generators: elements that generate the group, the usual ones of its presentation; empty if there are none.
    """

    product: Tensor
    action: Tensor | None
    generators: tuple[int, ...]

    @property
    def identity(self) -> int:
        """The number of the neutral element."""
        elements = torch.arange(len(self.product))
        return int((self.product == elements).all(dim=1).nonzero()[0])

    @property
    def inverses(self) -> Tensor:
        """The inverse of each element, int64 ``(order,)``."""
        return (self.product == self.identity).long().argmax(dim=1)

    @property
    def is_abelian(self) -> bool:
        """Whether the order of factors never matters."""
        return torch.equal(self.product, self.product.T)

    @property
    def is_solvable(self) -> bool:
        """Whether taking commutators again and again leads to the trivial group."""
        elements, inverses = torch.arange(len(self.product)), self.inverses
        while True:
            pairs = self.product[elements][:, elements]
            inverse_pairs = self.product[inverses[elements]][:, inverses[elements]]
            commutators = torch.unique(self.product[pairs.flatten(), inverse_pairs.flatten()])
            derived = self.generated(commutators.tolist())
            if len(derived) == len(elements):
                return len(elements) == 1
            elements = derived

    def generated(self, generators: list[int]) -> Tensor:
        """The elements of the smallest subgroup that holds the given ones, ascending, int64."""
        found = torch.zeros(len(self.product), dtype=torch.bool)
        found[self.identity] = True
        newest, chosen = found.nonzero().squeeze(1), torch.tensor(generators, dtype=torch.int64)
        while len(newest):
            reached = torch.unique(self.product[newest][:, chosen])
            newest = reached[~found[reached]]
            found[newest] = True
        return found.nonzero().squeeze(1)


def named_group(name: str) -> GroupTable:
    """A group by its name, such as ``S5`` or ``Z2xZ4``.

    Raises:
        InvalidOptionError: there is none of that name, or it is too large.
    """
    factors = [_factor(part) for part in name.split("x")]
    if any(factor is None for factor in factors):
        raise InvalidOptionError("group", name, f"{NAMES}, or the path of a .csv file")
    if math.prod(_order(part) for part in name.split("x")) > MAX_ORDER:
        raise InvalidOptionError("group", name, f"a group of at most {MAX_ORDER:,} elements")
    groups = [factor() for factor in factors if factor is not None]
    return groups[0] if len(groups) == 1 else _direct_product(groups)


def group_from_file(path: Path) -> GroupTable:
    """The group whose Cayley table a CSV file holds: row a, column b is the number of the product a b, from 0.

    Raises:
        BenchError: the file cannot be read, or its table is not that of a group.
    """
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            filled = (row for row in csv.reader(lines) if row)
            rows = [[int(entry) for entry in row] for row in islice(filled, MAX_ORDER + 1)]
    except OSError as error:
        raise BenchError(f"group table {str(path)!r} cannot be opened: {error.strerror}") from error
    except (ValueError, csv.Error) as error:  # also bytes that are not UTF-8
        raise BenchError(f"group table {str(path)!r} must hold integers separated by commas: {error}") from error
    if fault := _fault(rows):
        raise BenchError(f"group table {str(path)!r} is not that of a group: {fault}")
    return GroupTable(torch.tensor(rows), None, ())


def _fault(rows: list[list[int]]) -> str | None:
    """The first axiom that a table breaks; None for a group."""
    order = len(rows)
    if not 2 <= order <= MAX_ORDER:
        return f"it must have 2 to {MAX_ORDER:,} rows, got {'more' if order > MAX_ORDER else order}"
    if uneven := [number for number, row in enumerate(rows) if len(row) != order]:
        return f"it has {order} rows, but row {uneven[0]} has {len(rows[uneven[0]])} entries"
    least, most = min(map(min, rows)), max(map(max, rows))
    if not 0 <= least <= most < order:
        return f"products must be in 0..{order - 1}, got {shown(least)}..{shown(most)}"
    table, elements = torch.tensor(rows), torch.arange(order)
    neutral = (table == elements).all(dim=1) & (table.T == elements).all(dim=1)
    if not neutral.any():
        return "no element is neutral"
    inverse = table == int(neutral.nonzero()[0])
    if not (inverse & inverse.T).any(dim=1).all():
        return f"element {int((~(inverse & inverse.T).any(dim=1)).nonzero()[0])} has no inverse"
    return _associativity_fault(table)


def _associativity_fault(table: Tensor) -> str | None:
    """Light's test: if (a g) b = a (g b) for all a, b and for generators g, it holds for all elements g."""
    found = torch.zeros(len(table), dtype=torch.bool)
    while not found.all():
        middle = int((~found).nonzero()[0])
        left, right = table[table[:, middle]], table[:, table[middle]]
        if not torch.equal(left, right):
            a, b = (left != right).nonzero()[0].tolist()
            one, other = int(left[a, b]), int(right[a, b])
            return f"({a} * {middle}) * {b} is {one}, but {a} * ({middle} * {b}) is {other}"
        found[middle] = True
        while True:  # products of checked elements need no check
            passed = found.nonzero().squeeze(1)
            reached = torch.unique(table[passed][:, passed])
            if found[reached].all():
                break
            found[reached] = True
    return None


def _order(name: str) -> int:
    """Number of elements of a named group that is no product."""
    number = int(name[1:])
    orders = {"Z": number, "D": 2 * number, "Q": 8}
    return orders[name[0]] if name[0] in orders else math.factorial(number) // (2 if name[0] == "A" else 1)


def _factor(name: str) -> Callable[[], GroupTable] | None:
    """What builds a group that is no product; None if there is none of that name."""
    match = re.fullmatch(r"([ZDSA])([1-9][0-9]{0,3})|Q8", name)
    if match is None:
        return None
    if name == "Q8":
        return _quaternions
    kind, number = match[1], int(match[2])
    smallest, largest = {"Z": (2, MAX_ORDER), "D": (3, MAX_ORDER // 2), "S": (2, 7), "A": (3, 7)}[kind]
    if not smallest <= number <= largest:
        return None
    return partial({"Z": _cyclic, "D": _dihedral, "S": _symmetric, "A": _alternating}[kind], number)


def _cyclic(num: int) -> GroupTable:
    """Rotations of n points: element a takes point p to p + a."""
    sums = (torch.arange(num)[:, None] + torch.arange(num)) % num
    return GroupTable(sums, sums, (1,))


def _dihedral(num: int) -> GroupTable:
    """Symmetries of n points on a circle: element ``f n + a`` takes p to a + p, or to a - p where f is 1."""
    shift, sign = torch.arange(num).repeat(2), torch.tensor([1, -1]).repeat_interleave(num)
    action = (shift[:, None] + sign[:, None] * torch.arange(num)) % num
    flips = (sign[:, None] * sign < 0).long()
    shifts = (shift[:, None] + sign[:, None] * shift) % num
    return GroupTable(flips * num + shifts, action, (1, num))


def _symmetric(num: int) -> GroupTable:
    """All permutations of n points in lexicographic order; generated by a transposition and a cycle."""
    numbering = PermutationComposition(num)
    action = numbering.symbol_to_permutation(torch.arange(numbering.num_symbols))
    swap, cycle = [1, 0, *range(2, num)], [*range(1, num), 0]
    generators = numbering.permutation_to_symbol(torch.tensor([swap, cycle])).tolist()
    return GroupTable(numbering.transition.T.long().contiguous(), action, tuple(dict.fromkeys(generators)))


def _alternating(num: int) -> GroupTable:
    """Even permutations of n points in lexicographic order; generated by a cycle of 3 and a long one (Carmichael)."""
    numbering, everything = PermutationComposition(num), _symmetric(num)
    assert everything.action is not None
    num_inversions = sum(
        (everything.action[:, i : i + 1] > everything.action[:, i + 1 :]).sum(dim=1) for i in range(num)
    )
    even = (torch.as_tensor(num_inversions) % 2 == 0).nonzero().squeeze(1)
    number = torch.full((len(everything.product),), -1)
    number[even] = torch.arange(len(even))
    triple, start = [1, 2, 0, *range(3, num)], 1 - num % 2  # an even number of points: the first one stays
    long_cycle = [*range(start), *range(start + 1, num), start]
    generators = number[numbering.permutation_to_symbol(torch.tensor([triple, long_cycle]))].tolist()
    product = number[everything.product[even][:, even]]
    return GroupTable(product, everything.action[even], tuple(dict.fromkeys(generators)))


def _quaternions() -> GroupTable:
    """1, i, j, k, and their negatives as elements 4 to 7."""
    units = ["1", "i", "j", "k"]

    def times(a: int, b: int) -> int:
        one, other, sign = units[a % 4], units[b % 4], a // 4 + b // 4
        if "1" in (one, other):
            unit = other if one == "1" else one
        elif one == other:
            unit, sign = "1", sign + 1
        elif (one, other) in _QUATERNION_UNITS:
            unit = _QUATERNION_UNITS[one, other]
        else:
            unit, sign = _QUATERNION_UNITS[other, one], sign + 1
        return units.index(unit) + 4 * (sign % 2)

    table = torch.tensor([[times(a, b) for b in range(8)] for a in range(8)])
    return GroupTable(table, None, (1, 2))


def _direct_product(groups: list[GroupTable]) -> GroupTable:
    """Tuples, one element of each group, in lexicographic order; it has no natural action on points."""
    sizes = [len(group.product) for group in groups]
    places = [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]
    elements = torch.tensor(list(product(*map(range, sizes))))
    table = torch.zeros(len(elements), len(elements), dtype=torch.int64)
    for group, place, column in zip(groups, places, elements.T, strict=True):
        table += group.product[column][:, column] * place
    one = [group.identity for group in groups]
    generators = []
    for index, group in enumerate(groups):
        for generator in group.generators:
            chosen = [*one[:index], generator, *one[index + 1 :]]
            generators.append(sum(number * place for number, place in zip(chosen, places, strict=True)))
    return GroupTable(table, None, tuple(generators))
