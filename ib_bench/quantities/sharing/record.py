r"""The sharing factor: how much of what is learned at one length serves at the others.

.. math:: \kappa = \frac{\sum_{n=2}^{L} N^*_n}{N^*_{2..L}},

where :math:`N^*_n` is needed to learn length n alone (``fixed``) and :math:`N^*_{2..L}` to learn all lengths at once
(``uniform``). Above 1, one mechanism serves all lengths; near 1, each length is learned by itself; below 1, the lengths
interfere.

Where a search is censored, N* is only known to be larger than its largest size. A censored part makes kappa a lower
bound, a censored joint search an upper bound, and both leave it undefined.

Kappa is not stored: it is derived from the searches that it rests on.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ib_bench.quantities.search.record import SearchConfig, SearchRecord
from ib_bench.results.records import MIN_LENGTH, Labels

JOINT, ALONE = "uniform", "fixed"
"""The length distributions of the search over all lengths and of those at one length."""

FactorKind = Literal["value", "lower_bound", "upper_bound", "undefined"]


@dataclass(frozen=True)
class SharingFactor:
    """Kappa, with what is known of it.

    Attributes:
        kind: whether ``value`` is kappa, a number that kappa is above, one that it is below, or nothing.
        value: above 0; None if undefined.
    """

    kind: FactorKind
    value: float | None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        return {"value": "", "lower_bound": "> ", "upper_bound": "< "}[self.kind] + f"{self.value:.2f}"


@dataclass(frozen=True)
class Sharing:
    """Kappa and the searches that it rests on.

    Attributes:
        joint: the search over all lengths.
        parts: the search at each length alone, from the shortest to L.
    """

    joint: SearchRecord
    parts: Mapping[int, SearchRecord]

    @property
    def key(self) -> str:
        """Of the search over all lengths."""
        return self.joint.key

    @property
    def config(self) -> SearchConfig:
        """Of the search over all lengths."""
        return self.joint.config

    @property
    def labels(self) -> Labels:
        """Of the search over all lengths."""
        return self.joint.labels

    @property
    def num_states(self) -> int | None:
        """Number of the task's states."""
        return self.joint.num_states

    @property
    def factor(self) -> SharingFactor:
        """Kappa."""
        return sharing_factor(self.joint, self.parts.values())

    @property
    def sum_text(self) -> str:
        """The sum of N* at each length alone, for people."""
        censored = any(part.censored for part in self.parts.values())
        return f"{'> ' if censored else ''}{sum(map(_at_least, self.parts.values())):,}"


def sharing_factor(joint: SearchRecord, parts: Collection[SearchRecord]) -> SharingFactor:
    """Kappa of finished searches.

    Args:
        joint: the search over all lengths.
        parts: the search at each length alone.

    Raises:
        ValueError: a search is not finished.
    """
    if not all(record.finished for record in (joint, *parts)):
        raise ValueError("the sharing factor needs finished searches")
    part_is_censored = any(record.censored for record in parts)
    if joint.censored and part_is_censored:
        return SharingFactor("undefined", None)
    ratio = sum(map(_at_least, parts)) / _at_least(joint)
    if part_is_censored:
        return SharingFactor("lower_bound", ratio)
    return SharingFactor("upper_bound" if joint.censored else "value", ratio)


def sharings(records: Iterable[SearchRecord]) -> list[Sharing]:
    """Every kappa for which all searches are there.

    Args:
        records: of searches, finished or not.
    """
    finished = {record.key: record for record in records if record.finished}
    found = []
    for record in finished.values():
        num_parts = (record.labels.max_length or 0) - MIN_LENGTH + 1
        if record.labels.length_distribution == JOINT and num_parts < len(finished):
            keys = {length: part.key for length, part in part_configs(record.config).items()}
            if keys and all(key in finished for key in keys.values()):
                found.append(Sharing(record, {length: finished[key] for length, key in keys.items()}))
    return found


def part_configs(joint: SearchConfig) -> dict[int, SearchConfig]:
    """The search at each length alone, 2..L, that differs from the joint one in nothing else.

    Args:
        joint: of the search over all lengths.
    """
    max_length = joint.experiment.data.presentation.max_length or 0
    return {length: _alone(joint, length) for length in range(MIN_LENGTH, max_length + 1)}


def _alone(joint: SearchConfig, length: int) -> SearchConfig:
    return replace(joint, experiment=joint.experiment.with_data(length_distribution=ALONE, max_length=length))


def _at_least(record: SearchRecord) -> int:
    """N*, or the size that it is above."""
    return record.max_size if record.min_train_size is None else record.min_train_size
