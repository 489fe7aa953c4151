r"""The sharing factor: how much of what is learned at one length serves at the others.

.. math:: \kappa = \frac{\sum_{n=2}^{L} N^*_n}{N^*_{2..L}},

where :math:`N^*_n` is needed to learn length n alone (``fixed``) and :math:`N^*_{2..L}` to learn all lengths at once
(``uniform``). Above 1, one mechanism serves all lengths; near 1, each length is learned by itself; below 1, the lengths
interfere.

Where a search is censored, N* is only known to be larger than its largest size. A censored part makes kappa a lower
bound, a censored joint search an upper bound, and both leave it undefined.

Reference: arXiv 2602.18333, section 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ib_bench.results.records import SearchRecord

Kind = Literal["value", "lower_bound", "upper_bound", "undefined"]


@dataclass(frozen=True)
class SharingFactor:
    """Kappa, with what is known of it.

    Attributes:
        kind: whether ``value`` is kappa, a number that kappa is above, one that it is below, or nothing.
        value: above 0; None if undefined.
    """

    kind: Kind
    value: float | None

    def __str__(self) -> str:
        if self.value is None:
            return "undefined"
        return {"value": "", "lower_bound": "> ", "upper_bound": "< "}[self.kind] + f"{self.value:.2f}"


def sharing_factor(joint: SearchRecord, parts: Mapping[int, SearchRecord | None]) -> SharingFactor:
    """Kappa of finished searches.

    Args:
        joint: the search over all lengths.
        parts: the search at each length alone; None where no sequence of that length can be held out, so that nothing
            is known of its N* but that it is above 0.

    Raises:
        ValueError: a search is not finished.
    """
    known = [record for record in parts.values() if record is not None]
    if any(record.status != "finished" for record in (joint, *known)):
        raise ValueError("the sharing factor needs finished searches")
    part_is_censored = any(record is None or record.censored for record in parts.values())
    if joint.censored and part_is_censored:
        return SharingFactor("undefined", None)
    ratio = sum(_at_least(record) for record in known) / _at_least(joint)
    if part_is_censored:
        return SharingFactor("lower_bound", ratio)
    return SharingFactor("upper_bound" if joint.censored else "value", ratio)


def _at_least(record: SearchRecord) -> int:
    """N*, or the size that it is above."""
    return record.max_size if record.min_train_size is None else record.min_train_size
